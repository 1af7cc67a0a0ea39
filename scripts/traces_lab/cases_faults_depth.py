"""Sick runs by depth and size: gradients that vanish, explode or are tiny, and poor starts."""

from torch import nn
from torch.optim import SGD, Adam, RMSprop

from . import data
from .cases_healthy_plain import classify, squares
from .labels import due, sick
from .models import MLP, ConvBlock, ConvNet, fill
from .registry import case
from .trainer import Job

SLUGGISH = ["poor_initialization", "unchanged_weights", "update_ratio_too_low"]
BLOWN = """gradient_spike loss_spike loss_divergence loss_oscillation loss_plateau
    poor_initialization update_ratio_too_high update_ratio_too_low weight_jump dead_relu
    saturated_activation unchanged_weights""".split()


def named(count):
    return [f"fc{i}" for i in range(count)]


@case("sigmoid_12_adam", "vanishing", "12 sigmoid layers, Xavier, Adam", 12, 40, Adam, 1e-3)
@case("sigmoid_9_momentum", "vanishing", "9 sigmoid layers, Xavier, momentum", 9, 64, SGD, 0.05)
@case("sigmoid_16_rmsprop", "vanishing", "16 sigmoid layers, RMSprop", 16, 32, RMSprop, 5e-4)
def sigmoids(seed, depth, width, optimizer, rate):
    x, y = data.blobs(seed)
    model = MLP([24] + [width] * depth + [8], nn.Sigmoid, "xavier")
    keywords = {"momentum": 0.9} if optimizer is SGD else {}
    steps, every = 240, 2
    job = Job(
        model,
        optimizer(model.parameters(), rate, **keywords),
        data.batches(x, y, 48, seed),
        classify,
        steps,
        every,
        3,
        "cross_entropy",
        48,
        init="xavier",
    )
    must = {
        "vanishing_gradient": due(0, 60, named(depth // 2)),
        "loss_plateau": due(20, steps - every),
    }
    return job, sick(must, SLUGGISH, "each sigmoid layer takes three quarters of the signal")


@case("conv_sigmoid_10", "vanishing", "ten convolutions with sigmoids and no skips")
def conv_sigmoid(seed):
    x, y = data.gratings(seed)
    model = ConvNet(
        lambda width: ConvBlock(width, None, nn.Sigmoid, skip=False), 5, stem_act=nn.Sigmoid
    )
    job = Job(
        model,
        Adam(model.parameters(), 1e-3),
        data.batches(x, y, 24, seed),
        classify,
        160,
        2,
        4,
        "ce",
        24,
    )
    must = {
        "vanishing_gradient": due(0, 60, ["stem", "blocks.0", "blocks.1"]),
        "loss_plateau": due(20, 158),
    }
    return job, sick(must, SLUGGISH)


@case(
    "tanh_default_20",
    "vanishing",
    "20 tanh layers with the default start and no skips",
    20,
    nn.Tanh,
    "default",
    0.05,
)
@case("relu_xavier_24", "vanishing", "24 ReLU layers, Xavier", 24, nn.ReLU, "xavier", 0.05)
@case("tanh_small_14", "vanishing", "14 tanh layers, N(0, 0.05)", 14, nn.Tanh, "normal(0.05)", 0.1)
def shrinking(seed, depth, act, init, rate):
    x, y = data.blobs(seed)
    model = MLP([24] + [32] * depth + [8], act, init)
    job = Job(
        model,
        SGD(model.parameters(), rate, momentum=0.5),
        data.batches(x, y, 48, seed),
        classify,
        240,
        2,
        3,
        "cross_entropy",
        48,
        init=init,
    )
    must = {"loss_plateau": due(20, 238)}
    may = [*SLUGGISH, "vanishing_gradient", "dead_relu", "uniformly_small_gradient"]
    if act is nn.Tanh:
        either = ["uniformly_small_gradient"]
        must["vanishing_gradient"] = due(0, 120, named(depth // 2), either)
        may.remove("vanishing_gradient")
    if init == "normal(0.05)":
        must["poor_initialization"] = due(0, 40)
        may.remove("poor_initialization")
    return job, sick(must, may, "forward and backward shrink alike: flat over the early layers")


@case("loss_times_1e8", "small", "the loss is multiplied by 1e-8 by mistake, SGD", 1e-8, SGD, 0.05)
@case("loss_mean_twice", "small", "a loss divided by 1e7 elements twice, momentum", 1e-7, SGD, 0.1)
def scaled_down(seed, factor, optimizer, rate):
    x, y = data.teacher(seed, outputs=3)
    model = MLP([16, 48, 48, 3], nn.GELU)

    def loss(model, batch):
        return squares(model, batch) * factor

    momentum = 0.9 if factor == 1e-7 else 0.0
    optimizer = optimizer(model.parameters(), rate, momentum=momentum)
    job = Job(model, optimizer, data.batches(x, y, 64, seed), loss, 260, 1, 3, "loss", 64)
    must = {"uniformly_small_gradient": due(0, 100), "update_ratio_too_low": due(0, 150)}
    return job, sick(must, ["loss_plateau", "unchanged_weights"])


@case("fp16_underflow", "small", "gradients pass through half precision without loss scaling", 4e-6)
def underflow(seed, factor):
    x, y = data.blobs(seed)
    model = MLP([24, 64, 64, 8], nn.GELU)

    def loss(model, batch):
        value, extras = classify(model, batch)
        return value * factor, extras

    def shape(step):
        for parameter in model.parameters():
            parameter.grad.copy_(parameter.grad.half().float())

    optimizer = Adam(model.parameters(), 1e-3, eps=1e-12)
    job = Job(
        model, optimizer, data.batches(x, y, 64, seed), loss, 240, 1, 2, "loss", 64, shape=shape
    )
    must = {"gradient_underflow": due(0, 120, alt=["uniformly_small_gradient"])}
    may = ["uniformly_small_gradient", "loss_plateau", "vanishing_gradient", "update_ratio_too_low"]
    return job, sick(must, may, "most gradient elements are exactly zero: below 6e-8")


@case(
    "init_tiny_relu", "init", "ReLU net from U(-0.005, 0.005)", "uniform(-0.005,0.005)", nn.ReLU, 5
)
@case(
    "init_all_equal",
    "init",
    "every weight is 0.05: all units of a layer are one",
    "constant(0.05)",
    nn.Tanh,
    2,
)
@case(
    "init_zero_hidden",
    "init",
    "every weight is zero: only the last bias learns",
    "constant(0.0)",
    nn.ReLU,
    3,
)
def bad_start(seed, init, act, depth):
    x, y = data.blobs(seed)
    model = MLP([24] + [64] * depth + [8], act, init)
    job = Job(
        model,
        SGD(model.parameters(), 0.05, momentum=0.9),
        data.batches(x, y, 48, seed),
        classify,
        200,
        1,
        2,
        "cross_entropy",
        48,
        init=init,
    )
    equal = init == "constant(0.05)"
    must = {"poor_initialization": due(0, 40, alt=["loss_plateau"] if equal else [])}
    may = """loss_plateau unchanged_weights update_ratio_too_low vanishing_gradient
        uniformly_small_gradient dead_relu loss_oscillation""".split()
    if not equal:
        must["loss_plateau"] = due(20, 199)
        may.remove("loss_plateau")
    return job, sick(must, may)


@case("init_one_layer_huge", "init", "one of four layers is 60 times too large", "layer")
@case("init_large_gelu", "init", "GELU net from N(0, 0.8), Adam", "large")
@case("init_large_conv", "init", "convolutions from N(0, 0.6)", "conv")
def large_start(seed, kind):
    x, y = data.gratings(seed) if kind == "conv" else data.blobs(seed)
    init = {"layer": "he", "large": "normal(0.8)", "conv": "normal(0.6)"}[kind]
    if kind == "conv":
        model = fill(ConvNet(lambda width: ConvBlock(width, None, skip=False), 2), init)
    else:
        model = MLP([24, 64, 64, 64, 8], nn.GELU if kind == "large" else nn.ReLU, init)
    if kind == "layer":
        model.fc1.weight.data.mul_(60)
    optimizer = Adam(model.parameters(), 1e-3)
    job = Job(
        model, optimizer, data.batches(x, y, 48, seed), classify, 220, 2, 2, "ce", 48, init=init
    )
    may = """exploding_gradient loss_oscillation loss_spike gradient_spike update_ratio_too_high
        update_ratio_too_low loss_plateau""".split()
    layers = ["fc1"] if kind == "layer" else []
    return job, sick(
        {"poor_initialization": due(0, 40, layers)}, may, "the loss starts at a hundred or more"
    )


def ends_non_finite(may, exploding_latest=3, slack=2):
    """A label for a run that explodes early, then is not finite where it was seen to be."""

    def label(seen):
        loss, norm = seen.first_bad("loss"), seen.first_bad("gn")
        if loss is None:
            raise ValueError("loss: expected a non-finite value, found none")
        first = loss if norm is None else min(loss, norm)
        must, optional = {"non_finite_loss": due(loss, loss + slack)}, []
        if norm is None:
            optional = ["non_finite_gradient"]
        else:
            must["non_finite_gradient"] = due(norm, norm + slack)
        if first < 3:  # One or two finite steps are no growth that must be seen.
            return sick(
                must, [*may, *optional, "exploding_gradient"], f"not finite from step {first}"
            )
        must["exploding_gradient"] = due(0, max(exploding_latest, first))
        return sick(must, [*may, *optional], f"not finite from step {first}")

    return label


@case("he_gain_3_deep", "exploding", "6 ReLU layers of 1.7 times He's size, SGD", "gain")
@case("residual_no_norm", "exploding", "12 residual ReLU layers without norms, SGD", "residual")
@case("inputs_unscaled", "exploding", "features of size 300 into an MSE regression, SGD", "inputs")
@case("lr_sgd_far_too_high", "exploding", "a regression at a rate 50 times too high", "rate")
def explode(seed, kind):
    x, y = data.teacher(seed, 16, 1, scale=2.0)
    rate, act, init, widths, residual = 0.05, nn.ReLU, "default", [16, 48, 48, 1], False
    if kind == "gain":
        widths, init, rate = [16] + [48] * 6 + [1], "normal(0.35)", 2e-3
    elif kind == "residual":
        widths, init, residual, rate = [16] + [32] * 12 + [1], "he", True, 1e-4
    elif kind == "inputs":
        x = x * 300
    else:
        rate, act = 4.0, nn.Softplus
    model = MLP(widths, act, init, residual=residual)
    optimizer = SGD(model.parameters(), rate)
    job = Job(model, optimizer, data.batches(x, y, 64, seed), squares, 150, 1, 1, "mse_loss", 64)
    job.init = init
    return job, ends_non_finite(BLOWN)
