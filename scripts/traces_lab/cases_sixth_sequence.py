"""Sixth set: language models and series: RWKV, long kernels, Muon, Sophia, LoRA, heavy tails."""

import copy

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import Adam, AdamW

from . import data
from .cases_blind_sequence import broken, thrown
from .cases_healthy_plain import classify
from .data_sixth import sales
from .labels import due, healthy, sick
from .models import MLP, Adapter
from .models_fifth import GPT, Follower
from .models_sixth import RWKV, LongKernels
from .optimizers import Lion
from .optimizers_blind import Muon
from .optimizers_sixth import Cautious, Curvature
from .registry import case
from .trainer import Job
from .transformers import Language, token_loss


@case("rwkv_lm", "decayed_mean", "RWKV on a Markov text, AdamW, warm-up", "fine")
@case("rwkv_exp_in_half", "decayed_mean", "exp(k) in fp16, its maximum not off", "half")
def rwkv(seed, kind):
    source = data.windows(data.text(seed, 28), 20, 12, seed)
    model = RWKV(28, 32, 2, kind == "half")
    rate = 4e-3 if kind == "fine" else 0.02
    if kind == "half":
        for part in model.times:
            nn.init.normal_(part.k.weight, std=0.72)
    optimizer = AdamW(model.parameters(), rate)
    job = Job(model, optimizer, source, token_loss, 260, 2, 3, "cross_entropy", 12)
    job.rate = lambda s: rate * min(1.0, (s + 1) / 30)
    if kind == "fine":
        return job, healthy()
    job.every = 1
    may = """loss_spike gradient_spike weight_jump dead_relu update_ratio_too_high
        loss_oscillation exploding_gradient""".split()
    return job, broken(may)


@case("long_kernels_s4d", "long_kernels", "S4D by FFT tells pitches in 160 steps of noise")
def kernels(seed):
    def source(step):
        g = data.generator(seed * 7919 + step)
        y = torch.randint(5, (24,), generator=g)
        phase = 6.3 * torch.rand(24, 1, generator=g)
        wave = ((0.05 + 0.06 * y[:, None]) * torch.arange(160) + phase).sin()
        return (wave + 0.8 * torch.randn(24, 160, generator=g)).unsqueeze(2), y

    model = LongKernels(24, 3, 5)
    slow = [p for n, p in model.named_parameters() if "log_" in n or n.endswith("a_im")]
    rest = [p for p in model.parameters() if all(p is not q for q in slow)]
    groups = [{"params": rest, "weight_decay": 0.01}, {"params": slow, "lr": 1e-3}]
    optimizer = AdamW(groups, 4e-3, weight_decay=0.0)
    return Job(model, optimizer, source, classify, 240, 2, 3, "cross_entropy", 24), healthy()


@case("lm_pre_norm_32_deep", "deep_language", "32 pre-norm blocks, AdamW, clipped at 1")
def deep(seed):
    source = data.windows(data.text(seed, 24), 12, 8, seed)
    model = Language(24, 24, 32, heads=2, context=12)
    job = Job(model, AdamW(model.parameters(), 2e-3), source, token_loss, 150, 2, 3, "ce", 8)
    job.rate, job.clip = (lambda s: 2e-3 * min(1.0, (s + 1) / 25)), ("norm", 1.0)
    keep = ("blocks.0", "blocks.7", "blocks.15", "blocks.23", "blocks.31", "emb", "head", "final")
    job.keep = lambda name: name.startswith(keep)
    return job, healthy("small slopes of q and k at first", ["clipping_every_step"])


@case("lm_muon_wsd", "stable_then_decay", "Muon for matrices, AdamW for the rest, WSD schedule")
def muon(seed):
    source = data.windows(data.text(seed, 32), 20, 12, seed)
    model = Language(32, 32, 3, norm=nn.RMSNorm)
    inner = [p for n, p in model.blocks.named_parameters() if p.dim() == 2]
    rest = [p for p in model.parameters() if all(p is not q for q in inner)]
    job = Job(model, Muon(inner, 0.02, 0.95), source, token_loss, 260, 2, 3, "ce", 12)
    other = AdamW(rest, 3e-3)
    other.param_groups[0]["factor"] = 0.15
    job.others = [other]
    job.rate = lambda s: 0.02 * min((s + 1) / 20, 1.0, (260 - s) / 60)
    return job, healthy()


@case("lm_sophia", "curvature_steps", "Sophia-like steps, clipped one by one", "sophia")
@case("lm_cautious", "curvature_steps", "Adam's steps only where the slope agrees", "cautious")
@case("lm_lion_rate_01", "curvature_steps", "Lion at 0.1, no warm-up", "lion")
def steps(seed, kind):
    source = data.windows(data.text(seed, 32), 20, 12, seed)
    model = Language(32, 32, 2)
    optimizer = {
        "sophia": lambda: Curvature(model.parameters(), 2e-3),
        "cautious": lambda: Cautious(model.parameters(), 2e-3),
        "lion": lambda: Lion(model.parameters(), 0.1),
    }[kind]()
    job = Job(model, optimizer, source, token_loss, 240, 2, 3, "cross_entropy", 12)
    if kind != "lion":
        return job, healthy()
    alt = ["update_ratio_too_high", "loss_plateau", "loss_spike", "exploding_gradient"]
    must = {"loss_divergence": due(5, 238, alt=alt)}
    return job, sick(must, thrown(*must), "three times the loss of the start and more")


@case("lm_bf16_autocast", "half_language", "matrices multiply in bfloat16, GPT-2's start")
def bfloat(seed):
    source = data.windows(data.text(seed, 32), 20, 8, seed)
    model = GPT(32, depth=2, dropout=0.0)

    def loss(model, batch):
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(batch[0])
        return F.cross_entropy(logits.float().flatten(0, 1), batch[1].flatten())

    return Job(model, AdamW(model.parameters(), 3e-3), source, loss, 180, 2, 3, "ce", 8), (
        healthy()
    )


@case("lm_labels_not_shifted", "label_shift", "the target is the token itself: it copies")
def not_shifted(seed):
    plain = data.windows(data.text(seed, 32), 20, 12, seed)

    def source(step):
        tokens, _ = plain(step)
        return tokens, tokens

    model = Language(32, 32, 2)
    job = Job(model, AdamW(model.parameters(), 2e-3), source, token_loss, 240, 2, 3, "ce", 12)
    return job, healthy("a bug, but none that slopes show: solved within 100 steps")


@case("lm_tied_default_embedding", "tied_start", "the head is an embedding drawn from N(0, 1)")
def tied(seed):
    source = data.windows(data.text(seed, 48), 20, 12, seed)
    model = Language(48, 64, 2, tied=True, std=None)
    job = Job(model, Adam(model.parameters(), 5e-4), source, token_loss, 240, 2, 3, "ce", 12)
    alt = ["exploding_gradient"]
    must = {"poor_initialization": due(0, 40, alt=alt)}
    may = [*alt, "loss_oscillation", "loss_plateau", "update_ratio_too_low"]
    return job, sick(must, may, "starts at many times ln 48")


@case("tokens_all_unknown", "tied_start", "another vocabulary: each token is <unk>, or padding")
def unknown(seed):
    source = data.windows(data.text(seed, 32), 16, 16, seed)
    model = Language(32, 32, 2)
    model.emb.padding_idx = 0

    def loss(model, batch):
        return token_loss(model, (torch.zeros_like(batch[0]), batch[1]))

    job = Job(model, AdamW(model.parameters(), 2e-3), source, loss, 260, 2, 3, "ce", 16)
    must = {"loss_plateau": due(20, 258)}
    may = ["unchanged_weights", "vanishing_gradient", "update_ratio_too_low"]
    return job, sick(must, may, "the unigram loss for good; the embedding never gets a slope")


@case("lora_on_pretrained_lm", "low_rank_language", "rank 4 on q and v of a trained model", "fine")
@case("lora_not_in_optimizer", "low_rank_language", "the optimizer was made before them", "lost")
@case("biases_only", "low_rank_language", "BitFit: biases, norms and the head's bias learn", "bias")
@case("trunk_in_no_grad", "low_rank_language", "a new trunk runs under no_grad by mistake", "cut")
def low_rank(seed, kind):
    first = data.windows(data.text(seed, 24), 16, 16, seed)
    second = data.windows(data.text(seed + 7, 24), 16, 16, seed)
    model = Language(24, 32, 2, std=None)
    if kind in ("bias", "cut"):
        model.head = nn.Linear(32, 24)
    if kind != "cut":
        learn = Adam(model.parameters(), 3e-3)
        for step in range(100):
            learn.zero_grad()
            token_loss(model, first(step)).backward()
            learn.step()
    for p in model.parameters():
        p.grad = None
    loss = token_loss
    optimizer = AdamW(model.parameters(), 3e-3)
    if kind in ("fine", "lost"):
        model.requires_grad_(False)
        for block in model.blocks:
            block.attn.q, block.attn.v = Adapter(block.attn.q, 4), Adapter(block.attn.v, 4)
    if kind == "fine":
        optimizer = AdamW([p for p in model.parameters() if p.requires_grad], 6e-3)
    if kind == "bias":
        for name, p in model.named_parameters():
            p.requires_grad_(name.endswith("bias") or "ln" in name or "final" in name)
        optimizer = AdamW([p for p in model.parameters() if p.requires_grad], 1e-2)
    if kind == "cut":

        def loss(model, batch):
            with torch.no_grad():
                x = model.emb(batch[0]) + model.pos(torch.arange(batch[0].shape[1]))
                for block in model.blocks:
                    x = block(x)
                x = model.final(x)
            return F.cross_entropy(model.head(x).flatten(0, 1), batch[1].flatten())

    job = Job(model, optimizer, second, loss, 240, 2, 3, "cross_entropy", 16)
    if kind in ("fine", "bias"):
        return job, healthy("most is frozen, on purpose")
    stuck = ["vanishing_gradient", "update_ratio_too_low"]
    layers = ["blocks"] if kind == "cut" else ["attn.q", "attn.v"]
    must = {"unchanged_weights": due(0, 80, layers, stuck)}
    return job, sick(must, [*stuck, "loss_plateau"], "nothing but the head moves, or nothing")


@case("heavy_tails_student_t", "sales", "a GRU foretells sales with outliers, Student's t", "t")
@case("percent_error_of_nothing", "sales", "the mean of |y - f| / y; y is 0 on a few days", "mape")
def series(seed, kind):
    y = sales(seed, zeros=0 if kind == "t" else 5)
    rows = data.windows(y, 30, 24, seed)
    model = Follower(nn.GRU(1, 24, batch_first=True), 3)

    def source(step):
        before, after = rows(step)
        return before[..., None] / 3, after[:, -1]

    def loss(model, batch):
        mean, spread, tail = model(batch[0]).unbind(1)
        if kind == "mape":
            return ((batch[1] - mean).abs() / batch[1]).mean()
        law = torch.distributions.StudentT(1 + F.softplus(tail), mean, F.softplus(spread) + 1e-3)
        return -law.log_prob(batch[1]).mean()

    job = Job(model, Adam(model.parameters(), 4e-3), source, loss, 360, 1, 3, kind, 24)
    if kind == "t":
        return job, healthy("falls through 0 at times", ["loss_oscillation"])
    return job, broken(["loss_spike", "gradient_spike", "weight_jump"])


@case("ctc_label_too_long", "speech", "one transcript at step 120 is longer than its frames")
def ctc(seed):
    model = nn.Sequential(MLP([8, 48, 48, 9], nn.GELU))
    codes = torch.randn(8, 8, generator=data.generator(seed))

    def source(step):
        g = data.generator(seed * 7919 + step)
        y = torch.randint(8, (16, 5), generator=g)
        frames = codes[y].repeat_interleave(4, 1) + 0.4 * torch.randn(16, 20, 8, generator=g)
        size = torch.full((16,), 5)
        y = torch.cat([y, torch.randint(8, (16, 20), generator=g)], 1)
        if step >= 120 and step % 40 == 0:
            size[3] = 24
        return frames, y + 1, size

    def loss(model, batch):
        logs = model(batch[0]).log_softmax(2).transpose(0, 1)
        return F.ctc_loss(logs, batch[1], torch.full((16,), 20), batch[2])

    job = Job(model, Adam(model.parameters(), 3e-3), source, loss, 240, 1, 3, "ctc", 16)
    return job, broken(["weight_jump"])


@case("weights_overwritten_by_average", "averaged_back", "steps end at the average of 0.9995")
def overwritten(seed):
    source = data.windows(data.text(seed, 24), 16, 16, seed)
    model = Language(24, 32, 2, std=None)
    slow = copy.deepcopy(model).requires_grad_(False)
    optimizer = AdamW(model.parameters(), 1e-3)
    plain = optimizer.step

    @torch.no_grad()
    def step():
        plain()
        for p, q in zip(slow.parameters(), model.parameters()):
            p.lerp_(q, 0.0005)
            q.copy_(p)

    optimizer.step = step
    job = Job(model, optimizer, source, token_loss, 260, 2, 3, "cross_entropy", 16)
    must = {"update_ratio_too_low": due(0, 160, alt=["unchanged_weights"])}
    return job, sick(must, ["unchanged_weights", "loss_plateau"], "a step is a 2000th of itself")
