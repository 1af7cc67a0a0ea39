"""Sick runs from code that is wired wrongly: axes, detached parts, rates, data in a wrong order."""

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import SGD, Adam, AdamW

from . import data
from .cases_healthy_plain import classify, squares
from .labels import due, healthy, sick
from .models import MLP, ConvBlock, ConvNet
from .optimizers import Rounded, Trusted
from .registry import case
from .trainer import Job
from .transformers import Language, token_loss

WILD = """loss_spike loss_oscillation loss_divergence loss_plateau gradient_spike exploding_gradient
    dead_relu saturated_activation weight_jump vanishing_gradient update_ratio_too_high
    uniformly_small_gradient update_ratio_too_low unchanged_weights non_finite_loss
    non_finite_gradient poor_initialization""".split()
STUCK = """unchanged_weights update_ratio_too_low vanishing_gradient uniformly_small_gradient
    dead_relu poor_initialization""".split()


def wild(*rules):
    """What may come with a run that is out of control, without the rules named."""
    return [rule for rule in WILD if rule not in rules]


@case("softmax_over_batch", "axis", "the softmax runs over the batch, not over the classes")
def axis(seed):
    x, y = data.blobs(seed, distance=1.5)
    model = MLP([24, 48, 48, 8], nn.GELU)

    def loss(model, batch):
        logits = model(batch[0])
        right = (logits.argmax(1) == batch[1]).float().mean()
        return F.nll_loss(logits.log_softmax(0), batch[1]), {"acc": right}

    batch = data.batches(x, y, 64, seed)
    job = Job(model, Adam(model.parameters(), 2e-3), batch, loss, 300, 1, 3, "nll", 64)
    note = "wrong, yet it sinks to ln(batch / classes), its floor, and the classes come out right"
    return job, healthy(note, ["loss_plateau"])


@case("encoder_detached", "half_net", "a detach in the middle: no gradient below it", "detach")
@case("hook_zeroes_layer", "half_net", "a hook multiplies one layer's gradient by zero", "hook")
def half_net(seed, kind):
    class Split(nn.Module):
        """An encoder, then a detach, then a head."""

        def __init__(self):
            super().__init__()
            self.encoder, self.head = MLP([24, 48, 48], nn.GELU), MLP([48, 48, 8], nn.GELU)

        def forward(self, x):
            return self.head(self.encoder(x).detach())

    x, y = data.blobs(seed)
    model = Split() if kind == "detach" else MLP([24, 48, 48, 48, 8], nn.GELU)
    layers = ["encoder"] if kind == "detach" else ["fc1"]
    optimizer = Adam(model.parameters(), 2e-3)

    def shape(step):
        if kind == "hook":
            model.fc1.weight.grad.zero_()
            model.fc1.bias.grad.zero_()

    batch = data.batches(x, y, 48, seed)
    job = Job(model, optimizer, batch, classify, 280, 1, 2, "cross_entropy", 48, shape=shape)
    must = {"unchanged_weights": due(1, 80, layers, ["vanishing_gradient"])}
    may = ["update_ratio_too_low", "vanishing_gradient", "loss_plateau"]
    note = "trainable, used in the forward pass, yet nothing ever comes back"
    return job, sick(must, may, note)


@case("dropout_095", "too_much", "dropout of 0.95 in each of four layers", "dropout")
@case("decay_one", "too_much", "L2 decay of 1: all weights go to nothing", "decay")
@case("logits_over_1e5", "too_much", "logits divided by 1e5 before the softmax", "logits")
def too_much(seed, kind):
    x, y = data.blobs(seed)
    drop = 0.95 if kind == "dropout" else 0.0
    init = "default" if kind == "dropout" else "he"
    model = MLP([24, 48, 48, 48, 48, 8], nn.ReLU, init, dropout=drop)

    def loss(model, batch):
        logits = model(batch[0]) / (1e5 if kind == "logits" else 1)
        right = (logits.argmax(1) == batch[1]).float().mean()
        return F.cross_entropy(logits, batch[1]), {"acc": right}

    decay = 1.0 if kind == "decay" else 0.0
    optimizer = SGD(model.parameters(), 0.02, momentum=0.5, weight_decay=decay)
    if kind == "dropout":
        optimizer = Adam(model.parameters(), 3e-3)
    batch = data.batches(x, y, 64, seed)
    steps = 600 if kind == "dropout" else 320
    job = Job(model, optimizer, batch, loss, steps, 2, 2, "cross_entropy", 64, init=init)
    may = [rule for rule in STUCK if kind != "dropout" or rule != "dead_relu"]
    if kind == "dropout":
        may = ["dead_relu", "loss_oscillation", "loss_spike", "gradient_spike"]
    if kind == "decay":
        may += ["update_ratio_too_high"]
    first = 200 if kind == "dropout" else 40
    return job, sick({"loss_plateau": due(first, steps - 2)}, may, "ends at ln 8 or above")


@case("rate_decays_each_step", "schedule_fault", "the rate shrinks by 7 % a step, not an epoch")
def per_step(seed):
    x, y = data.blobs(seed, distance=1.0)
    model = MLP([24, 48, 48, 8], nn.GELU)
    batch = data.batches(x, y, 64, seed)
    optimizer = SGD(model.parameters(), 0.05)
    rate = lambda s: 0.05 * 0.93**s  # noqa: E731
    job = Job(model, optimizer, batch, classify, 440, 2, 2, "cross_entropy", 64, rate)
    must = {"update_ratio_too_low": due(100, 438, alt=["unchanged_weights", "loss_plateau"])}
    return job, sick(must, ["loss_plateau", "unchanged_weights"], "stands still after 80 steps")


@case("momentum_0999", "momentum_fault", "momentum 0.999: it swings for hundreds of steps")
def momentum(seed):
    x, y = data.blobs(seed, distance=1.5)
    model = MLP([24, 48, 48, 8], nn.Tanh)
    optimizer = SGD(model.parameters(), 0.1, momentum=0.999)
    batch = data.batches(x, y, 64, seed)
    job = Job(model, optimizer, batch, classify, 400, 2, 2, "cross_entropy", 64)
    alt = ["loss_spike", "loss_oscillation", "exploding_gradient", "loss_plateau"]
    must = {"loss_divergence": due(10, 398, alt=alt)}
    return job, sick(must, wild("loss_divergence"), "falls, then rises again and again")


@case("layer_rate_x1000", "one_layer", "one layer's parameter group has 1000 times the rate")
def one_layer(seed):
    x, y = data.blobs(seed)
    model = MLP([24, 48, 48, 48, 8], nn.GELU)
    rest = [p for n, p in model.named_parameters() if not n.startswith("fc1")]
    fast = {"params": list(model.fc1.parameters()), "lr": 1.0}
    optimizer = AdamW([{"params": rest, "lr": 1e-3}, fast], weight_decay=0.3)
    batch = data.batches(x, y, 48, seed)
    job = Job(model, optimizer, batch, classify, 260, 1, 2, "cross_entropy", 48)
    alt = ["loss_spike", "exploding_gradient", "loss_divergence"]
    must = {"update_ratio_too_high": due(0, 60, ["fc1"], alt)}
    return job, sick(must, wild(*must), "the decay of that group grows with its rate")


@case(
    "labels_shuffled_half_way", "data_fault", "from step 160 on the labels are shuffled", "shuffle"
)
@case("targets_other_unit", "data_fault", "from step 150 the targets are 30 times larger", "unit")
@case(
    "inputs_drift", "data_fault", "a sensor drifts after step 130; the rate is 1e-6 by then", "grow"
)
@case("classes_alternate", "data_fault", "even batches hold one half of the classes only", "turns")
def data_fault(seed, kind):
    regression = kind == "unit"
    x, y = data.teacher(seed) if regression else data.blobs(seed, distance=1.6)
    model = MLP([x.shape[1], 48, 48, 1 if regression else 8], nn.Tanh if regression else nn.ReLU)
    plain = data.batches(x, y, 64, seed)
    parts = [torch.arange(len(x)) % 2 == 0] * 2 if regression else [y < 4, y >= 4]
    halves = [data.batches(x[part], y[part], 64, seed) for part in parts]

    def source(step):
        if kind == "turns":
            return halves[step % 2](step)
        rows, wanted = plain(step)
        if kind == "shuffle" and step >= 160:
            wanted = wanted[torch.randperm(64, generator=data.generator(seed + step))]
        if kind == "unit" and step >= 150:
            wanted = wanted * 30
        if kind == "grow":
            rows = rows + 0.02 * max(0, step - 130)
        return rows, wanted

    optimizer = SGD(model.parameters(), 0.1 if kind == "turns" else 0.03, momentum=0.8)
    rate = (lambda s: 0.03 if s < 120 else 1e-6) if kind == "grow" else None
    if regression:
        optimizer = Adam(model.parameters(), 1e-3)
    loss = squares if regression else classify
    job = Job(model, optimizer, source, loss, 420, 2 if kind != "turns" else 1, 3, "loss", 64, rate)
    common = ["gradient_spike", "loss_divergence", "exploding_gradient", "loss_plateau"]
    if kind == "shuffle":
        return job, sick({"loss_spike": due(160, 170, alt=["loss_divergence"])}, common)
    if kind == "unit":
        return job, sick({"loss_spike": due(150, 156)}, common)
    if kind == "grow":
        must = {"loss_divergence": due(140, 418)}
        may = ["gradient_spike", "exploding_gradient", "loss_spike", "update_ratio_too_low"]
        return job, sick(must, may, "rises slowly; nothing follows it")
    return job, healthy("learned all the same", ["loss_oscillation"])


@case("bf16_updates_lost", "precision", "weights in bfloat16: the steps are rounded away", "bf16")
@case("fp16_updates_lost", "precision", "weights in half precision, a small rate", "fp16")
@case("bf16_weights_learn", "precision", "weights in bfloat16 with a rate that is felt", "fine")
def precision(seed, kind):
    x, y = data.blobs(seed, distance=1.5)
    model = MLP([24, 48, 48, 8], nn.GELU)
    rate = {"bf16": 4e-4, "fp16": 2e-5, "fine": 0.1}[kind]
    inner = SGD(model.parameters(), rate)
    optimizer = Rounded(inner, torch.float16 if kind == "fp16" else torch.bfloat16)
    batch = data.batches(x, y, 64, seed)
    job = Job(model, optimizer, batch, classify, 300, 2, 2, "cross_entropy", 64)
    job.meta = {"optimizer": "SGD"}
    if kind == "fine":
        return job, healthy("small steps are lost, large ones are not")
    alt = ["update_ratio_too_low", "unchanged_weights"]
    must = {"loss_plateau": due(40, 298, alt=alt)}
    return job, sick(must, alt, "most elements never move")


@case("lm_clip_tiny_sgd", "clipped_transformer", "clipped at 1e-3 with SGD", 1e-3, True)
@case("lm_clip_always", "clipped_transformer", "clipped at 0.05 with a rate that fits", 0.05, False)
def clipped(seed, limit, crawls):
    source = data.windows(data.text(seed, 24), 16, 16, seed)
    model = Language(24, 24, 2, place="pre")
    optimizer = SGD(model.parameters(), 0.02 if crawls else 1.0)
    job = Job(model, optimizer, source, token_loss, 260, 2, 4, "cross_entropy", 16)
    job.clip, job.init = ("norm", limit), "normal(0.02)"
    if crawls:
        must = {"clipping_every_step": due(0, 80), "loss_plateau": due(20, 258)}
        return job, sick(must, ["update_ratio_too_low", "unchanged_weights"])
    return job, healthy("clips by design, yet learns", ["clipping_every_step", "loss_plateau"])


@case("dead_in_conv", "dead_units", "a high rate with momentum kills the channels of a plain net")
def dead(seed):
    x, y = data.gratings(seed)
    model = ConvNet(lambda width: ConvBlock(width, None, skip=False), 2)
    optimizer = SGD(model.parameters(), 1.0, momentum=0.95)
    batch = data.batches(x, y, 48, seed)
    job = Job(model, optimizer, batch, classify, 260, 1, 3, "cross_entropy", 48)
    return job, sick(
        {"dead_relu": due(0, 140)}, wild("dead_relu"), "the last block is dead from step 60"
    )


@case("bytes_into_tanh", "raw_inputs", "pixels of 0 to 255000 into tanh convolutions", "conv")
@case("large_into_sigmoid", "raw_inputs", "inputs of 60 to 100 into sigmoid layers", "sigmoid")
def raw(seed, kind):
    if kind == "conv":
        x, y = data.gratings(seed)
        model = ConvNet(lambda w: ConvBlock(w, None, nn.Tanh, skip=False), 1, stem_act=nn.Tanh)
        x = (x - x.min()) * 5e4
    else:
        x, y = data.blobs(seed)
        x = 80 + 5 * x
        model = MLP([24, 48, 48, 8], nn.Sigmoid, "xavier")
    batch = data.batches(x, y, 48, seed)
    job = Job(model, AdamW(model.parameters(), 1e-3), batch, classify, 240, 2, 2, "ce", 48)
    may = ["loss_plateau", "vanishing_gradient", "poor_initialization", "unchanged_weights"]
    may += ["uniformly_small_gradient", "update_ratio_too_low", "loss_oscillation"]
    return job, sick({"saturated_activation": due(0, 60)}, may)


@case(
    "stale_optimizer", "restart_fault", "after a restart the optimizer holds old tensors", "stale"
)
@case("dead_after_restart", "restart_fault", "a restart without warm-up kills the units", "dead")
def restart(seed, kind):
    x, y = data.blobs(seed, distance=1.2)
    model = MLP([24, 64, 64, 8], init="he")
    optimizer = SGD(model.parameters(), 0.05, momentum=0.9)

    def before(step):
        if kind == "stale" and step == 150:
            old = [nn.Parameter(p.detach().clone()) for p in model.parameters()]
            optimizer.param_groups[0]["params"] = old

    rate = None
    if kind == "dead":
        rate = lambda s: 40.0 if 150 <= s < 152 else (0.05 if s < 150 else 0.005)  # noqa: E731
    batch = data.batches(x, y, 64, seed)
    job = Job(model, optimizer, batch, classify, 340, 1, 2, "ce", 64, rate, before=before)
    if kind == "stale":
        must = {"unchanged_weights": due(150, 230)}
        return job, sick(must, ["update_ratio_too_low", "loss_plateau"], "it goes on, unmoved")
    must = {"dead_relu": due(150, 240), "loss_spike": due(150, 156)}
    return job, sick(must, wild(*must), "nothing comes back alive")


@case("trust_ratio_03", "one_ratio", "LARS with a trust ratio of 0.3 instead of 0.01", 0.3)
@case("trust_ratio_001", "one_ratio", "LARS with a trust ratio of 0.01: learns", 0.01)
def trust(seed, ratio):
    x, y = data.blobs(seed, distance=1.2)
    model = MLP([24, 64, 64, 8], nn.GELU)
    optimizer = Trusted(model.parameters(), ratio)
    batch = data.batches(x, y, 64, seed)
    job = Job(model, optimizer, batch, classify, 320, 2, 2, "cross_entropy", 64)
    if ratio < 0.1:
        return job, healthy("every tensor moves by a hundredth of its length")
    return job, sick({"update_ratio_too_high": due(0, 60)}, wild("update_ratio_too_high"))


@case("lm_starts_at_one", "start_fault", "a transformer whose weights start from N(0, 1)")
def start(seed):
    source = data.windows(data.text(seed, 24), 16, 16, seed)
    model = Language(24, 32, 3, std=1.0)
    job = Job(model, AdamW(model.parameters(), 1e-3), source, token_loss, 240, 2, 4, "ce", 16)
    job.init = "normal(1.0)"
    must = {"poor_initialization": due(0, 40)}
    return job, sick(must, wild(*must), "begins far above ln 24")
