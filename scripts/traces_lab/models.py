"""The networks: plain, convolutional and recurrent ones. Modules are named as users name them."""

import torch
from torch import nn


def fill(model, init):
    """Initializes the weight matrices of a model; vectors that are no norm's gain become zero."""
    if init == "default":
        return model
    for module in model.modules():
        if not isinstance(module, (nn.Linear, nn.Conv2d)):
            continue
        weight = module.weight
        if init == "he":
            nn.init.kaiming_normal_(weight, nonlinearity="relu")
        elif init == "xavier":
            nn.init.xavier_uniform_(weight)
        elif init == "orthogonal":
            nn.init.orthogonal_(weight)
        elif init.startswith("normal("):
            nn.init.normal_(weight, std=float(init[7:-1]))
        elif init.startswith("uniform("):
            low, high = init[8:-1].split(",")
            nn.init.uniform_(weight, float(low), float(high))
        elif init.startswith("constant("):
            nn.init.constant_(weight, float(init[9:-1]))
        else:
            raise ValueError(
                f"init {init}: expected he, xavier, orthogonal, normal(s) or uniform(a,b)"
            )
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    return model


class MLP(nn.Module):
    """Linear layers `fc0..` with activations `act0..` between, optionally norms and residuals."""

    def __init__(
        self, widths, act=nn.ReLU, init="default", norm=None, residual=False, dropout=0.0, out=None
    ):
        super().__init__()
        self.count, self.residual = len(widths) - 1, residual
        for i, (fan_in, fan_out) in enumerate(zip(widths, widths[1:])):
            setattr(self, f"fc{i}", nn.Linear(fan_in, fan_out))
            if i < self.count - 1:
                if norm:
                    setattr(self, f"norm{i}", norm(fan_out))
                setattr(self, f"act{i}", act())
                if dropout:
                    setattr(self, f"drop{i}", nn.Dropout(dropout))
        self.out = out
        fill(self, init)

    def forward(self, x):
        for i in range(self.count):
            y = getattr(self, f"fc{i}")(x)
            if i < self.count - 1:
                for part in ("norm", "act", "drop"):
                    layer = getattr(self, f"{part}{i}", None)
                    y = layer(y) if layer else y
            x = x + y if self.residual and x.shape == y.shape else y
        return self.out(x) if self.out else x


class ConvBlock(nn.Module):
    """Two convolutions with norms and a skip connection."""

    def __init__(self, width, norm, act=nn.ReLU, skip=True):
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=norm is None)
        self.norm1 = norm(width) if norm else nn.Identity()
        self.act1 = act()
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=norm is None)
        self.norm2 = norm(width) if norm else nn.Identity()
        self.act2 = act()
        self.skip = skip

    def forward(self, x):
        y = self.norm2(self.conv2(self.act1(self.norm1(self.conv1(x)))))
        return self.act2(x + y if self.skip else y)


class ScaleBlock(nn.Module):
    """A ConvNeXt-like block: depth-wise convolution, norm, two point-wise ones, a scale."""

    def __init__(self, width, scale):
        super().__init__()
        self.spatial = nn.Conv2d(width, width, 5, padding=2, groups=width)
        self.norm = nn.GroupNorm(1, width)
        self.expand = nn.Conv2d(width, 3 * width, 1)
        self.act = nn.GELU()
        self.project = nn.Conv2d(3 * width, width, 1)
        self.scale = nn.Parameter(torch.full((width, 1, 1), scale))

    def forward(self, x):
        return x + self.scale * self.project(self.act(self.expand(self.norm(self.spatial(x)))))


class ConvNet(nn.Module):
    """A stem, blocks, global pooling and a head."""

    def __init__(self, block, blocks, width=12, classes=6, stem_act=nn.ReLU, channels=1):
        super().__init__()
        self.stem = nn.Conv2d(channels, width, 3, padding=1)
        self.stem_act = stem_act()
        self.blocks = nn.ModuleList(block(width) for _ in range(blocks))
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        x = self.stem_act(self.stem(x))
        for block in self.blocks:
            x = block(x)
        return self.head(x.mean((2, 3)))


class UNet(nn.Module):
    """One level down and up with a skip connection; a logit a pixel."""

    def __init__(self, width=8):
        super().__init__()
        self.down = nn.Conv2d(1, width, 3, padding=1)
        self.act0 = nn.ReLU()
        self.pool = nn.MaxPool2d(2)
        self.middle = nn.Conv2d(width, 2 * width, 3, padding=1)
        self.act1 = nn.ReLU()
        self.up = nn.ConvTranspose2d(2 * width, width, 2, stride=2)
        self.join = nn.Conv2d(2 * width, width, 3, padding=1)
        self.act2 = nn.ReLU()
        self.head = nn.Conv2d(width, 1, 1)

    def forward(self, x):
        first = self.act0(self.down(x))
        upper = self.up(self.act1(self.middle(self.pool(first))))
        return self.head(self.act2(self.join(torch.cat([first, upper], 1))))


class Recurrent(nn.Module):
    """A cell unrolled over `[batch, time, features]`; keeps its states for the time profile."""

    def __init__(self, cell, hidden, outputs, every_step=False, start=None):
        super().__init__()
        self.cell, self.hidden, self.every_step = cell, hidden, every_step
        self.head = nn.Linear(hidden, outputs)
        self.states = []
        if start:
            start(self.cell)

    def forward(self, x):
        state = x.new_zeros(len(x), self.hidden)
        memory = state
        self.states, answers = [], []
        for t in range(x.shape[1]):
            if isinstance(self.cell, nn.LSTMCell):
                state, memory = self.cell(x[:, t], (state, memory))
                kept = memory
            else:
                state = self.cell(x[:, t], state)
                kept = state
            if kept.requires_grad:
                kept.retain_grad()
            self.states.append(kept)
            if self.every_step:
                answers.append(self.head(state))
        return torch.stack(answers, 1) if self.every_step else self.head(state)


class Adapter(nn.Module):
    """A frozen linear layer with a low-rank update `B A` that starts at zero."""

    def __init__(self, base, rank, gain=4.0):
        super().__init__()
        self.base, self.gain = base, gain
        base.requires_grad_(False)
        self.A = nn.Parameter(torch.randn(rank, base.in_features) / base.in_features**0.5)
        self.B = nn.Parameter(torch.zeros(base.out_features, rank))

    def forward(self, x):
        return self.base(x) + self.gain * (x @ self.A.T @ self.B.T)


class Experts(nn.Module):
    """A mixture of small experts, each row to its best one; some may get no rows at all."""

    def __init__(self, width, experts, hidden):
        super().__init__()
        self.gate = nn.Linear(width, experts)
        self.experts = nn.ModuleList(MLP([width, hidden, width]) for _ in range(experts))

    def forward(self, x):
        flat = x.reshape(-1, x.shape[-1])
        weights = self.gate(flat).softmax(-1)
        best = weights.argmax(-1)
        answer = torch.zeros_like(flat)
        for index, expert in enumerate(self.experts):
            rows = (best == index).nonzero()[:, 0]
            if len(rows):
                part = expert(flat[rows]) * weights[rows, index : index + 1]
                answer = answer.index_add(0, rows, part)
        return x + answer.view_as(x)
