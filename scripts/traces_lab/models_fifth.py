"""Networks of the fifth batch of runs: what tutorials build, in small."""

import math

import torch
from torch import nn
from torch.nn import functional as F


class Basic(nn.Module):
    """A residual block with batch norms, that may halve the picture."""

    def __init__(self, fan_in, fan_out, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(fan_in, fan_out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(fan_out)
        self.relu = nn.ReLU()
        self.conv2 = nn.Conv2d(fan_out, fan_out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(fan_out)
        self.relu2 = nn.ReLU()
        self.down = None
        if stride > 1 or fan_in != fan_out:
            self.down = nn.Sequential(
                nn.Conv2d(fan_in, fan_out, 1, stride, bias=False), nn.BatchNorm2d(fan_out)
            )

    def forward(self, x):
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu2(y + (self.down(x) if self.down else x))


class ResNet(nn.Module):
    """A stem, three stages that double the width, a mean over the picture, a classifier."""

    def __init__(self, blocks=2, width=8, classes=10):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU()
        stages, fan_in = [], width
        for i in range(3):
            for j in range(blocks):
                stages.append(Basic(fan_in, width * 2**i, 2 if i and not j else 1))
                fan_in = width * 2**i
        self.layers = nn.Sequential(*stages)
        self.fc = nn.Linear(fan_in, classes)

    def features(self, x):
        return self.layers(self.relu(self.bn1(self.conv1(x)))).mean((2, 3))

    def forward(self, x):
        return self.fc(self.features(x))


def lenet(channels=1, act=nn.ReLU, classes=10):
    """Two convolutions with pooling and three linear layers, for pictures of 16 x 16."""
    return nn.Sequential(
        nn.Conv2d(channels, 6, 5, padding=2),
        act(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5),
        act(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64, 60),
        act(),
        nn.Linear(60, 42),
        act(),
        nn.Linear(42, classes),
    )


def vgg(plan, norm=True, classes=10, dropout=0.0, act=nn.ReLU):
    """Convolutions of the planned widths, "M" for pooling; then a small classifier."""
    layers, fan_in = [], 3
    for entry in plan:
        if entry == "M":
            layers.append(nn.MaxPool2d(2))
            continue
        layers.append(nn.Conv2d(fan_in, entry, 3, padding=1))
        if norm:
            layers.append(nn.BatchNorm2d(entry))
        layers.append(act())
        fan_in = entry
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(fan_in, 32), act()]
    if dropout:
        head.append(nn.Dropout(dropout))
    return nn.Sequential(*layers, *head, nn.Linear(32, classes))


class SelfAttention(nn.Module):
    """Attention with one matrix for queries, keys and values, as in GPT-2 and in ViT."""

    def __init__(self, width, heads, causal, dropout):
        super().__init__()
        self.heads, self.causal, self.dropout = heads, causal, dropout
        self.c_attn = nn.Linear(width, 3 * width)
        self.c_proj = nn.Linear(width, width)

    def forward(self, x):
        rows, length, width = x.shape
        q, k, v = (
            part.view(rows, length, self.heads, -1).transpose(1, 2)
            for part in self.c_attn(x).chunk(3, -1)
        )
        y = F.scaled_dot_product_attention(
            q, k, v, dropout_p=self.dropout if self.training else 0.0, is_causal=self.causal
        )
        return self.c_proj(y.transpose(1, 2).reshape(rows, length, width))


class Layer(nn.Module):
    """A pre-norm transformer block."""

    def __init__(self, width, heads, causal, dropout):
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.attn = SelfAttention(width, heads, causal, dropout)
        self.ln_2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width), nn.Dropout(dropout)
        )

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class GPT(nn.Module):
    """A small GPT-2: tied embedding, its start, residual projections by 1 / sqrt(2 depth)."""

    def __init__(
        self, vocabulary, width=48, depth=4, heads=4, context=32, dropout=0.1, causal=True
    ):
        super().__init__()
        self.wte = nn.Embedding(vocabulary, width)
        self.wpe = nn.Embedding(context, width)
        self.drop = nn.Dropout(dropout)
        self.h = nn.ModuleList(Layer(width, heads, causal, dropout) for _ in range(depth))
        self.ln_f = nn.LayerNorm(width)
        self.lm_head = nn.Linear(width, vocabulary, bias=False)
        for name, p in self.named_parameters():
            if p.dim() == 2:
                deep = name.endswith(("c_proj.weight", "mlp.2.weight"))
                nn.init.normal_(p, std=0.02 / math.sqrt(2 * depth) if deep else 0.02)
            elif "bias" in name:
                nn.init.zeros_(p)
        self.lm_head.weight = self.wte.weight

    def forward(self, tokens):
        x = self.drop(self.wte(tokens) + self.wpe(torch.arange(tokens.shape[1])))
        for block in self.h:
            x = block(x)
        return self.lm_head(self.ln_f(x))


class ViT(nn.Module):
    """Patches of 4 x 4, a class token, learned positions, pre-norm blocks."""

    def __init__(self, width=32, depth=4, classes=10):
        super().__init__()
        self.patch_embed = nn.Conv2d(3, width, 4, 4)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(0.02 * torch.randn(1, 17, width))
        self.blocks = nn.ModuleList(Layer(width, 4, False, 0.0) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        x = self.patch_embed(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x[:, 0]))


class Reader(nn.Module):
    """An embedding, a recurrent stack of PyTorch's, and a decoder of every step or the last."""

    def __init__(self, vocabulary, width, rnn, classes=None, dropout=0.0):
        super().__init__()
        self.encoder = nn.Embedding(vocabulary, width)
        self.rnn = rnn
        self.drop = nn.Dropout(dropout)
        sides = 2 if rnn.bidirectional else 1
        self.decoder = nn.Linear(sides * rnn.hidden_size, classes or vocabulary)
        self.whole = classes is not None

    def forward(self, tokens):
        y, _ = self.rnn(self.drop(self.encoder(tokens)))
        return self.decoder(self.drop(y.mean(1) if self.whole else y))


class Follower(nn.Module):
    """PyTorch's recurrent stack over numbers; the answer comes from the last state."""

    def __init__(self, rnn, outputs):
        super().__init__()
        self.rnn = rnn
        self.fc = nn.Linear(rnn.hidden_size, outputs)

    def forward(self, x):
        return self.fc(self.rnn(x)[0][:, -1])


class Twice(nn.Module):
    """Two convolutions, each with a norm and a ReLU."""

    def __init__(self, fan_in, fan_out, norm):
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(fan_in, fan_out, 3, padding=1), norm(fan_out)
        self.conv2, self.norm2 = nn.Conv2d(fan_out, fan_out, 3, padding=1), norm(fan_out)
        self.act1, self.act2 = nn.ReLU(), nn.ReLU()

    def forward(self, x):
        return self.act2(self.norm2(self.conv2(self.act1(self.norm1(self.conv1(x))))))


class DeepUNet(nn.Module):
    """Two levels down and up, with norms; a logit for each pixel."""

    def __init__(self, norm=nn.BatchNorm2d, width=8):
        super().__init__()
        self.enc1, self.enc2 = Twice(1, width, norm), Twice(width, 2 * width, norm)
        self.bottom = Twice(2 * width, 4 * width, norm)
        self.up2 = nn.ConvTranspose2d(4 * width, 2 * width, 2, 2)
        self.dec2 = Twice(4 * width, 2 * width, norm)
        self.up1 = nn.ConvTranspose2d(2 * width, width, 2, 2)
        self.dec1 = Twice(2 * width, width, norm)
        self.head = nn.Conv2d(width, 1, 1)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x):
        first = self.enc1(x)
        second = self.enc2(self.pool(first))
        y = self.up2(self.bottom(self.pool(second)))
        y = self.up1(self.dec2(torch.cat([y, second], 1)))
        return self.head(self.dec1(torch.cat([y, first], 1)))


class ConvCoder(nn.Module):
    """Strided convolutions down to a code and up again; with `normal` the code is sampled."""

    def __init__(self, code=16, normal=False):
        super().__init__()
        self.normal = normal
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 16, 3, 2, 1), nn.ReLU(), nn.Flatten()
        )
        self.code = nn.Linear(256, 2 * code if normal else code)
        self.decoder = nn.Sequential(
            nn.Linear(code, 256),
            nn.ReLU(),
            nn.Unflatten(1, (16, 4, 4)),
            nn.ConvTranspose2d(16, 8, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(8, 1, 4, 2, 1),
        )

    def forward(self, x):
        code = self.code(self.encoder(x))
        if not self.normal:
            return self.decoder(code)
        middle, spread = code.chunk(2, 1)
        sample = middle + torch.randn_like(middle) * (0.5 * spread).exp()
        return self.decoder(sample), middle, spread


class DCGAN(nn.Module):
    """A generator and a discriminator of pictures of 16 x 16, with DCGAN's start."""

    def __init__(self, width=12, code=16):
        super().__init__()
        self.netG = nn.Sequential(
            nn.ConvTranspose2d(code, 4 * width, 4, 1, 0, bias=False),
            nn.BatchNorm2d(4 * width),
            nn.ReLU(),
            nn.ConvTranspose2d(4 * width, 2 * width, 4, 2, 1, bias=False),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(),
            nn.ConvTranspose2d(2 * width, 1, 4, 2, 1, bias=False),
            nn.Tanh(),
        )
        self.netD = nn.Sequential(
            nn.Conv2d(1, width, 4, 2, 1, bias=False),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, 2, 1, bias=False),
            nn.BatchNorm2d(2 * width),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 1, 4, 1, 0, bias=False),
            nn.Flatten(),
        )
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                nn.init.normal_(module.weight, 0.0, 0.02)
            elif isinstance(module, nn.BatchNorm2d):
                nn.init.normal_(module.weight, 1.0, 0.02)


class Dense(nn.Module):
    """A DenseNet of two blocks: norm, ReLU and convolution, each on all before it."""

    def __init__(self, growth=6, layers=4, classes=10):
        super().__init__()
        self.stem = nn.Conv2d(3, 2 * growth, 3, padding=1, bias=False)
        self.blocks, width = nn.ModuleList(), 2 * growth
        for block in range(2):
            for _ in range(layers):
                self.blocks.append(self.unit(width, growth, 3))
                width += growth
            if block == 0:
                self.transition = nn.Sequential(self.unit(width, width // 2, 1), nn.AvgPool2d(2))
                width //= 2
        self.per_block = layers
        self.norm = nn.BatchNorm2d(width)
        self.relu = nn.ReLU()
        self.classifier = nn.Linear(width, classes)

    @staticmethod
    def unit(fan_in, fan_out, size):
        return nn.Sequential(
            nn.BatchNorm2d(fan_in),
            nn.ReLU(),
            nn.Conv2d(fan_in, fan_out, size, padding=size // 2, bias=False),
        )

    def forward(self, x):
        x = self.stem(x)
        for i, block in enumerate(self.blocks):
            if i == self.per_block:
                x = self.transition(x)
            x = torch.cat([x, block(x)], 1)
        return self.classifier(self.relu(self.norm(x)).mean((2, 3)))


class GCN(nn.Module):
    """Two graph convolutions with dropout, as for citation graphs."""

    def __init__(self, features, hidden, classes):
        super().__init__()
        self.conv1 = nn.Linear(features, hidden, bias=False)
        self.conv2 = nn.Linear(hidden, classes, bias=False)
        self.act = nn.ReLU()
        nn.init.xavier_uniform_(self.conv1.weight)
        nn.init.xavier_uniform_(self.conv2.weight)

    def forward(self, x, links):
        x = self.act(links @ self.conv1(F.dropout(x, 0.5)))
        return links @ self.conv2(F.dropout(x, 0.5))


class RealNVP(nn.Module):
    """Affine couplings in the plane, that swap the two halves; answers with -log p."""

    def __init__(self, couplings=6, hidden=32):
        super().__init__()
        self.nets = nn.ModuleList(
            nn.Sequential(
                nn.Linear(1, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(),
                nn.Linear(hidden, 2),
            )
            for _ in range(couplings)
        )  # fmt: skip

    def forward(self, x):
        volume = 0.0
        for net in self.nets:
            kept, moved = x[:, :1], x[:, 1:]
            scale, shift = net(kept).chunk(2, 1)
            scale = scale.tanh()
            x = torch.cat([moved * scale.exp() + shift, kept], 1)
            volume = volume + scale.sum(1)
        return 0.5 * x.square().sum(1) + math.log(2 * math.pi) - volume


class Translator(nn.Module):
    """PyTorch's transformer (post-norm) from a source row to a target row."""

    def __init__(self, vocabulary, width=32):
        super().__init__()
        self.source = nn.Embedding(vocabulary, width)
        self.target = nn.Embedding(vocabulary, width)
        self.places = nn.Parameter(0.1 * torch.randn(16, width))
        self.transformer = nn.Transformer(width, 4, 2, 2, 64, 0.1, batch_first=True)
        self.generator = nn.Linear(width, vocabulary)

    def forward(self, source, target):
        mask = nn.Transformer.generate_square_subsequent_mask(target.shape[1])
        y = self.transformer(
            self.source(source) + self.places[: source.shape[1]],
            self.target(target) + self.places[: target.shape[1]],
            tgt_mask=mask,
        )
        return self.generator(y)
