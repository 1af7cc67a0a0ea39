"""Sick runs from code that is wired wrongly: axes, detached parts, rates, data in a wrong order."""

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import SGD, Adam, AdamW

from . import data
from .cases_healthy_plain import classify, squares
from .labels import due, healthy, mitigated, sick
from .models import MLP, ConvBlock, ConvNet
from .optimizers import Rounded
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
    note = "sinks to ln(batch / classes), its floor"
    return job, sick({"loss_plateau": due(40, 299)}, [], note)


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
    model = MLP([24, 48, 48, 48, 48, 8], nn.ReLU, "he", dropout=drop)

    def loss(model, batch):
        logits = model(batch[0]) / (1e5 if kind == "logits" else 1)
        right = (logits.argmax(1) == batch[1]).float().mean()
        return F.cross_entropy(logits, batch[1]), {"acc": right}

    decay = 1.0 if kind == "decay" else 0.0
    optimizer = SGD(model.parameters(), 0.02, momentum=0.5, weight_decay=decay)
    batch = data.batches(x, y, 64, seed)
    job = Job(model, optimizer, batch, loss, 320, 2, 2, "cross_entropy", 64, init="he")
    may = [rule for rule in STUCK if kind != "dropout" or rule != "dead_relu"]
    if kind == "dropout":
        may = ["dead_relu", "loss_oscillation", "loss_spike", "gradient_spike"]
    if kind == "decay":
        may += ["update_ratio_too_high"]
    return job, sick({"loss_plateau": due(40, 318)}, may, "stays at ln 8")


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
    optimizer = Adam([{"params": rest, "lr": 1e-3}, fast])
    batch = data.batches(x, y, 48, seed)
    job = Job(model, optimizer, batch, classify, 260, 1, 2, "cross_entropy", 48)
    alt = ["loss_spike", "exploding_gradient", "loss_divergence"]
    return job, sick({"update_ratio_too_high": due(0, 60, ["fc1"], alt)}, wild(), "")


@case("labels_shuffled_half_way", "data_fault", "from step 160 on the labels are shuffled", "shuffle")
@case("targets_other_unit", "data_fault", "from step 150 the targets are 30 times larger", "unit")
@case("inputs_grow", "data_fault", "the inputs grow by 2.5 % a step after step 100", "grow")
@case("classes_alternate", "data_fault", "even batches hold one half of the classes only", "turns")
def data_fault(seed, kind):
    regression = kind == "unit"
    x, y = data.teacher(seed) if regression else data.blobs(seed, distance=1.6)
    model = MLP([x.shape[1], 48, 48, 1 if regression else 8], nn.Tanh if regression else nn.ReLU)
    plain = data.batches(x, y, 64, seed)
    halves = [data.batches(x[part], y[part], 64, seed) for part in (y < 4, y >= 4)]

    def source(step):
        if kind == "turns":
            return halves[step % 2](step)
        rows, wanted = plain(step)
        if kind == "shuffle" and step >= 160:
            wanted = wanted[torch.randperm(64, generator=data.generator(seed + step))]
        if kind == "unit" and step >= 150:
            wanted = wanted * 30
        if kind == "grow":
            rows = rows * 1.025 ** max(0, step - 100)
        return rows, wanted

    optimizer = SGD(model.parameters(), 0.15 if kind == "turns" else 0.03, momentum=0.8)
    if kind == "grow":
        optimizer = SGD(model.parameters(), 1e-4)
    if regression:
        optimizer = Adam(model.parameters(), 1e-3)
    loss = squares if regression else classify
    job = Job(model, optimizer, source, loss, 420, 2 if kind != "turns" else 1, 3, "loss", 64)
    common = ["gradient_spike", "loss_divergence", "exploding_gradient", "loss_plateau"]
    if kind == "shuffle":
        return job, sick({"loss_spike": due(160, 170, alt=["loss_divergence"])}, common)
    if kind == "unit":
        return job, sick({"loss_spike": due(150, 156)}, common)
    if kind == "grow":
        must = {"loss_divergence": due(120, 418, alt=["exploding_gradient"])}
        return job, sick(must, [*common[:1], "exploding_gradient", "loss_spike", "loss_plateau"])
    may = ["gradient_spike", "loss_spike", "loss_plateau", "update_ratio_too_high", "dead_relu"]
    may += ["loss_divergence"]
    return job, sick({"loss_oscillation": due(20, 419)}, may, "learns one half, forgets the other")


@case("bf16_updates_lost", "precision", "weights in bfloat16: the steps are rounded away", "bf16")
@case("fp16_updates_lost", "precision", "weights in half precision, a small rate", "fp16")
@case("bf16_weights_learn", "precision", "weights in bfloat16 with a rate that is felt", "fine")
def precision(seed, kind):
    x, y = data.blobs(seed, distance=1.5)
    model = MLP([24, 48, 48, 8], nn.GELU)
    rate = {"bf16": 2e-4, "fp16": 2e-5, "fine": 0.1}[kind]
    inner = SGD(model.parameters(), rate)
    optimizer = Rounded(inner, torch.float16 if kind == "fp16" else torch.bfloat16)
    batch = data.batches(x, y, 64, seed)
    job = Job(model, optimizer, batch, classify, 300, 2, 2, "cross_entropy", 64)
    job.meta = {"optimizer": "SGD"}
    if kind == "fine":
        return job, healthy("small steps are lost, large ones are not")
    must = {"unchanged_weights": due(1, 200, alt=["update_ratio_too_low"])}
    return job, sick(must, ["loss_plateau", "update_ratio_too_low"], "most elements never move")


@case("lm_clip_tiny_sgd", "clipped_transformer", "clipped at 1e-3 with SGD", 1e-3, True)
@case("lm_clip_always", "clipped_transformer", "a rate of 6 that clipping at 0.05 saves", 0.05, False)
def clipped(seed, limit, crawls):
    source = data.windows(data.text(seed, 24), 16, 16, seed)
    model = Language(24, 24, 2, place="pre")
    optimizer = SGD(model.parameters(), 0.02 if crawls else 6.0)
    job = Job(model, optimizer, source, token_loss, 260, 2, 4, "cross_entropy", 16)
    job.clip, job.init = ("norm", limit), "normal(0.02)"
    if crawls:
        must = {"clipping_every_step": due(0, 80), "loss_plateau": due(20, 258)}
        return job, sick(must, ["update_ratio_too_low", "unchanged_weights"])
    may = ["loss_plateau", "update_ratio_too_high", "loss_oscillation", "loss_spike"]
    return job, mitigated({"clipping_every_step": due(0, 80)}, may)


@case("dead_by_momentum", "dead_units", "a rate of 0.5 with momentum kills the ReLU units", "mlp")
@case("dead_in_conv", "dead_units", "the same in a plain convolutional net", "conv")
def dead(seed, kind):
    if kind == "conv":
        x, y = data.gratings(seed)
        model = ConvNet(lambda width: ConvBlock(width, None, skip=False), 2)
    else:
        x, y = data.blobs(seed, distance=3.0)
        model = MLP([24, 64, 64, 64, 8], init="he")
    optimizer = SGD(model.parameters(), 1.0 if kind == "conv" else 0.5, momentum=0.95)
    batch = data.batches(x, y, 48, seed)
    job = Job(model, optimizer, batch, classify, 260, 1, 3, "cross_entropy", 48)
    return job, sick({"dead_relu": due(0, 100)}, wild("dead_relu"), "no unit is active any more")


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
