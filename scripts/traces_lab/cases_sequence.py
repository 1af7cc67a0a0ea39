"""Recurrent networks and language models, healthy and sick."""

import math

from torch import nn
from torch.optim import SGD, Adam, AdamW, RMSprop

from . import data
from .cases_healthy_plain import classify, squares
from .labels import due, healthy, mitigated, sick
from .models import Recurrent
from .registry import case
from .trainer import Job
from .transformers import Language, token_loss

LEARNED = ["loss_plateau"]


def warm(peak, steps, warmup):
    """Linear warm-up, then cosine to zero."""

    def rate(step):
        if step < warmup:
            return peak * (step + 1) / warmup
        return peak * 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))

    return rate


@case("lm_pre_cosine", "transformer", "pre-norm, 4 layers, cosine to zero", 4, "pre", AdamW, 4e-3)
@case("lm_post_warmup", "transformer", "post-norm, 5 layers, warm-up", 5, "post", Adam, 2e-3)
@case(
    "lm_tied",
    "transformer",
    "pre-norm, embeddings tied to the head",
    3,
    "pre",
    AdamW,
    4e-3,
    tied=True,
)
@case(
    "lm_rmsnorm",
    "transformer",
    "RMSNorm, 6 layers, clipped at 1",
    6,
    "pre",
    AdamW,
    3e-3,
    norm=nn.RMSNorm,
)
@case(
    "lm_moe",
    "transformer",
    "8 experts, top one only; some get no tokens",
    2,
    "pre",
    Adam,
    3e-3,
    experts=8,
)
@case("lm_dropout", "transformer", "dropout 0.3, pre-norm", 3, "pre", RMSprop, 1e-3, dropout=0.3)
def language(seed, depth, place, optimizer, peak, **block):
    source = data.windows(data.text(seed), 20, 12, seed)
    model = Language(32, 32, depth, place=place, **block)
    steps = 240
    job = Job(
        model,
        optimizer(model.parameters(), peak),
        source,
        token_loss,
        steps,
        2,
        6,
        "cross_entropy",
        12,
        warm(peak, steps, 30),
        ("norm", 1.0) if "norm" in block else None,
        init="normal(0.02)",
    )
    may = ["clipping_every_step"] if "norm" in block else []
    return job, healthy("q and k start with tiny gradients", [*LEARNED, *may])


@case(
    "lm_long_decay",
    "transformer",
    "600 steps, decay 0.3, to a rate of zero: gradients rise at the end",
)
def long_decay(seed):
    source = data.windows(data.text(seed, 24), 16, 12, seed)
    model = Language(24, 24, 2, tied=True)
    job = Job(
        model,
        AdamW(model.parameters(), 5e-3, weight_decay=0.3),
        source,
        token_loss,
        600,
        5,
        3,
        "cross_entropy",
        12,
        warm(5e-3, 600, 40),
        init="normal(0.02)",
    )
    return job, healthy("end-of-schedule growth is expected", LEARNED)


@case("lm_lr_far_too_high", "plateau", "pre-norm, Adam at 0.3 without warm-up", 0.3, "pre")
def language_high_rate(seed, peak, place):
    source = data.windows(data.text(seed), 20, 12, seed)
    model = Language(32, 32, 4, place=place)
    job = Job(
        model, Adam(model.parameters(), peak), source, token_loss, 240, 2, 6, "cross_entropy", 12
    )
    job.init = "normal(0.02)"
    may = """exploding_gradient gradient_spike vanishing_gradient update_ratio_too_high
        update_ratio_too_low uniformly_small_gradient unchanged_weights weight_jump"""
    return job, sick({"loss_plateau": due(40, 238)}, may.split(), "collapses to the unigram loss")


@case("lm_no_skip", "vanishing", "8 layers without skip connections or norms")
def language_no_skip(seed):
    source = data.windows(data.text(seed), 20, 12, seed)
    model = Language(32, 32, 8, place="none", skip=False, std=None)
    job = Job(
        model, Adam(model.parameters(), 1e-3), source, token_loss, 200, 2, 6, "cross_entropy", 12
    )
    blocks = [f"blocks.{i}" for i in range(4)]
    must = {
        "vanishing_gradient": due(0, 120, blocks, ["uniformly_small_gradient"]),
        "loss_plateau": due(20, 198),
    }
    may = [
        "uniformly_small_gradient",
        "poor_initialization",
        "update_ratio_too_low",
        "unchanged_weights",
    ]
    return job, sick(must, may)


@case("lstm_waves", "recurrent", "LSTM foretells sine waves at every step", "lstm", 40, 3e-3)
@case("rnn_waves", "recurrent", "plain tanh RNN on waves at every step", "rnn", 30, 3e-3)
@case("gru_waves_sgd", "recurrent", "GRU on waves, SGD with clipping at 1", "gru", 40, 0.2)
def waves(seed, kind, length, rate):
    cells = {"lstm": nn.LSTMCell, "gru": nn.GRUCell, "rnn": nn.RNNCell}
    model = Recurrent(cells[kind](1, 24), 24, 1, every_step=True)
    sgd = kind == "gru"
    optimizer = SGD(model.parameters(), rate, 0.9) if sgd else Adam(model.parameters(), rate)
    source = data.waves(seed, length)
    clip = ("norm", 1.0) if sgd else None
    job = Job(model, optimizer, source, squares, 250, 1, 3, "mse_loss", 32, clip=clip)
    return job, healthy()


def remember(cell):
    """Opens the gates that keep the memory."""
    if isinstance(cell, nn.LSTMCell):
        cell.bias_ih.data[cell.hidden_size : 2 * cell.hidden_size] = 3.0
    else:
        cell.bias_ih.data[cell.hidden_size : 2 * cell.hidden_size] = 3.0


@case("gru_recall_60", "recurrent", "GRU recalls the first of 60 symbols", "gru", 60)
@case(
    "lstm_recall_50",
    "recurrent",
    "LSTM with an open forget gate recalls the first of 50",
    "lstm",
    50,
)
def recall(seed, kind, length):
    cell = nn.GRUCell(4, 24) if kind == "gru" else nn.LSTMCell(4, 24)
    model = Recurrent(cell, 24, 4, start=remember)
    optimizer = Adam(model.parameters(), 5e-3)
    source = data.recall(seed, length)
    job = Job(
        model, optimizer, source, classify, 240, 1, 2, "cross_entropy", 32, clip=("norm", 1.0)
    )
    job.init = "default, open memory"
    return job, healthy()


@case("irnn_adding_12", "recurrent", "ReLU RNN from the identity, adding problem of 12 numbers")
def irnn(seed):
    def start(cell):
        nn.init.eye_(cell.weight_hh)
        nn.init.normal_(cell.weight_ih, std=0.02)
        nn.init.zeros_(cell.bias_ih)
        nn.init.zeros_(cell.bias_hh)

    model = Recurrent(nn.RNNCell(2, 40, nonlinearity="relu"), 40, 1, start=start)
    optimizer = Adam(model.parameters(), 2e-3)
    source = data.adding(seed, 12)
    job = Job(model, optimizer, source, squares, 400, 2, 2, "mse_loss", 32, clip=("norm", 1.0))
    job.init = "identity"
    return job, healthy(
        "flat at first", ["loss_plateau", "clipping_every_step", "poor_initialization"]
    )


def orthogonal(gain):
    """A start with a recurrent matrix of all singular values `gain`, and no biases."""

    def start(cell):
        nn.init.orthogonal_(cell.weight_hh)
        cell.weight_hh.data.mul_(gain)
        nn.init.zeros_(cell.bias_ih)
        nn.init.zeros_(cell.bias_hh)

    return start


def forget(cell):
    cell.bias_ih.data[cell.hidden_size : 2 * cell.hidden_size] = -6.0


@case(
    "rnn_shrinks_100",
    "rnn_time",
    "tanh RNN, recurrent gain 0.5, recall over 100",
    "tanh",
    100,
    0.5,
    Adam,
    3e-3,
)
@case(
    "rnn_default_80",
    "rnn_time",
    "tanh RNN with the default start, recall over 80",
    "default",
    80,
    0,
    SGD,
    0.1,
)
@case(
    "lstm_forgets_60",
    "rnn_time",
    "LSTM whose forget gate starts closed (bias -6)",
    "lstm",
    60,
    0,
    Adam,
    2e-3,
)
@case(
    "gru_forgets_90",
    "rnn_time",
    "GRU with the default start, plain SGD, recall over 90",
    "gru",
    90,
    0,
    SGD,
    0.05,
)
def time_vanishing(seed, kind, length, gain, optimizer, rate):
    if kind == "lstm":
        model = Recurrent(nn.LSTMCell(4, 24), 24, 4, start=forget)
    elif kind == "gru":
        model = Recurrent(nn.GRUCell(4, 24), 24, 4)
    else:
        model = Recurrent(nn.RNNCell(4, 32), 32, 4, start=orthogonal(gain) if gain else None)
    source = data.recall(seed, length)
    job = Job(
        model, optimizer(model.parameters(), rate), source, classify, 240, 1, 3, "cross_entropy", 32
    )
    job.init = f"orthogonal*{gain}" if gain else "default"
    must = {
        "rnn_vanishing_through_time": due(0, 80, ["cell"]),
        "loss_plateau": due(30, 239),
    }
    return job, sick(
        must, ["vanishing_gradient"], "the loss stays at ln 4; weight gradients look normal"
    )


@case(
    "rnn_grows_60",
    "rnn_time",
    "ReLU RNN, recurrent gain 1.55, adding problem of 60",
    "relu",
    60,
    1.55,
    1e-8,
)
@case(
    "rnn_chaos_50",
    "rnn_time",
    "tanh RNN, recurrent gain 2.2: chaotic, gradients grow with time",
    "tanh",
    50,
    2.2,
    1e-5,
)
def time_exploding(seed, act, length, gain, rate):
    model = Recurrent(nn.RNNCell(2, 32, nonlinearity=act), 32, 1, start=orthogonal(gain))
    source = data.adding(seed, length)
    job = Job(model, SGD(model.parameters(), rate), source, squares, 160, 1, 2, "mse_loss", 32)
    job.init = f"orthogonal*{gain}"
    may = """gradient_spike loss_spike loss_divergence loss_oscillation loss_plateau
        poor_initialization rnn_vanishing_through_time
        update_ratio_too_high update_ratio_too_low non_finite_loss
        non_finite_gradient weight_jump dead_relu"""

    def label(seen):
        must = {"exploding_gradient": due(0, 30, ["cell"], ["rnn_exploding_through_time"])}
        return sick(must, may.split(), "dL/dh_0 is orders of magnitude above dL/dh_T")

    return job, label


@case("rnn_grows_clipped", "rnn_time", "gain 1.6 with clipping at 1 on every step", 1.6)
def time_clipped(seed, gain):
    model = Recurrent(nn.RNNCell(2, 32, nonlinearity="relu"), 32, 1, start=orthogonal(gain))
    source = data.adding(seed, 50)
    job = Job(
        model,
        SGD(model.parameters(), 5e-3),
        source,
        squares,
        240,
        1,
        2,
        "mse_loss",
        clip=("norm", 1.0),
    )
    job.init = f"orthogonal*{gain}"
    may = """exploding_gradient gradient_spike loss_spike loss_oscillation loss_plateau
        poor_initialization update_ratio_too_low"""
    return job, mitigated(
        {"clipping_every_step": due(0, 60)}, may.split(), "clipping hides growth in time"
    )
