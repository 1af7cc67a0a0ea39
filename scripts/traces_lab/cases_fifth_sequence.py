"""Texts, series and languages as the tutorials train on them, and the usual mistakes."""

import math

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import SGD, Adam, AdamW

from . import data
from .cases_blind_sequence import blown, broken, thrown
from .cases_fifth_vision import cosine
from .cases_healthy_plain import classify, squares
from .labels import due, healthy, sick
from .models_fifth import GPT, Follower, Reader, Translator
from .registry import case
from .trainer import Job
from .transformers import token_loss


@case("gpt_warmup_cosine", "gpt", "GPT-2's start, AdamW, warm-up, clipped at 1", "plain")
@case("gpt_accumulates_4", "gpt", "the same over four small batches a step", "accum")
@case("gpt_adam_rate_01", "gpt", "Adam at 0.1, no clipping, no warm-up", "high")
@case("gpt_bad_batch_inf", "gpt", "the loss weight of one row is infinite at step 90", "inf")
def gpt(seed, kind):
    source = data.windows(data.text(seed, 40), 24, 4 if kind == "accum" else 12, seed)
    model = GPT(40, depth=3 if kind == "accum" else 4)
    decayed = [p for p in model.parameters() if p.dim() > 1]
    rest = [p for p in model.parameters() if p.dim() <= 1]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}]
    optimizer = AdamW(groups, 3e-3, (0.9, 0.95))
    steps = 120 if kind == "accum" else 200
    job = Job(model, optimizer, source, token_loss, steps, 1, 3, "ce", 12)
    job.rate, job.clip = cosine(3e-3, steps, 20), ("norm", 1.0)
    if kind == "accum":
        job.accum = 4
    if kind in ("plain", "accum"):
        return job, healthy("clips by design, yet learns", ["clipping_every_step"])
    if kind == "high":
        job.optimizer, job.rate, job.clip = Adam(model.parameters(), 0.1), None, None
        must = {"loss_plateau": due(10, 199, alt=["update_ratio_too_high", "loss_spike"])}
        return job, sick(must, [*blown(*must), *thrown(*must)], "the unigram loss or above")

    def loss(model, batch):
        step = job.now
        value = token_loss(model, batch)
        return value * (math.inf if step == 90 else 1.0)

    job.loss, job.now = loss, -1
    job.before = lambda step: setattr(job, "now", step)
    may = ["weight_jump", "gradient_spike", "loss_spike", "exploding_gradient"]
    return job, broken([*may, "clipping_every_step"])


@case("word_lstm_sgd_20", "word_model", "two LSTM layers, SGD at 20, clipped at 0.25", "lstm")
@case("word_gru_adam", "word_model", "a GRU layer, Adam, clipped at 1", "gru")
def words(seed, kind):
    source = data.windows(data.text(seed, 40), 24, 16, seed)
    rnn = nn.LSTM(32, 48, 2, batch_first=True, dropout=0.2)
    if kind == "gru":
        rnn = nn.GRU(32, 48, batch_first=True)
    model = Reader(40, 32, rnn, dropout=0.2)
    nn.init.uniform_(model.encoder.weight, -0.1, 0.1)
    optimizer = SGD(model.parameters(), 20.0) if kind == "lstm" else Adam(model.parameters(), 5e-3)
    clip = ("norm", 0.25 if kind == "lstm" else 1.0)
    job = Job(model, optimizer, source, token_loss, 300, 2, 3, "cross_entropy", 16, clip=clip)
    return job, healthy("clips by design, yet learns", ["clipping_every_step"])


@case("reviews_gru_two_ways", "reviews", "a bidirectional GRU over word vectors, Adam")
def reviews(seed):
    x, y = data.bags(seed, vocabulary=500)
    model = Reader(500, 24, nn.GRU(24, 24, batch_first=True, bidirectional=True), 2, 0.3)
    source = data.batches(x, y, 32, seed)
    return Job(model, Adam(model.parameters(), 3e-3), source, classify, 260, 2, 3, "ce", 32), (
        healthy()
    )


@case("series_lstm_adam", "series", "an LSTM foretells waves, Adam", "lstm")
@case("series_rnn_recall_100", "series", "a plain tanh RNN has to recall over 100 steps", "recall")
@case("series_rnn_explodes", "series", "a ReLU RNN over 80 steps, from 1.2 x identity", "explode")
def series(seed, kind):
    if kind == "lstm":
        plain = data.waves(seed, 40)

        def source(step):
            x, y = plain(step)
            return x, y[:, -1]

        model, loss, steps = Follower(nn.LSTM(1, 32, batch_first=True), 1), squares, 300
        optimizer = Adam(model.parameters(), 5e-3)
    elif kind == "recall":
        source, loss, steps = data.recall(seed, 100), classify, 200
        model = Follower(nn.RNN(4, 32, batch_first=True), 4)
        optimizer = Adam(model.parameters(), 1e-3)
    else:
        source, loss, steps = data.adding(seed, 80), squares, 100
        model = Follower(nn.RNN(2, 32, nonlinearity="relu", batch_first=True), 1)
        model.rnn.weight_hh_l0.data.copy_(1.2 * torch.eye(32))
        optimizer = SGD(model.parameters(), 1e-3)
    job = Job(model, optimizer, source, loss, steps, 2 if kind == "recall" else 1, 3, "loss", 32)
    if kind == "lstm":
        return job, healthy()
    if kind == "recall":
        may = ["rnn_vanishing_through_time", "vanishing_gradient"]
        return job, sick({"loss_plateau": due(20, 198)}, may, "ln 4; weight gradients look normal")
    may = [*blown("exploding_gradient"), "dead_relu"]

    def label(seen):
        alt = ["non_finite_gradient", "poor_initialization", "gradient_spike"]
        must = {"exploding_gradient": due(0, 40, alt=alt)}
        for rule, column in (("non_finite_loss", "loss"), ("non_finite_gradient", "gn")):
            bad = seen.first_bad(column)
            if bad is not None:
                must[rule] = due(bad, bad + 2)
        return sick(must, [rule for rule in [*may, *alt] if rule not in must])

    return job, label


@case("translate_noam", "translating", "PyTorch's transformer with the Noam rate: rows reversed")
def translate(seed):
    def source(step):
        rows = torch.randint(2, 20, (32, 8), generator=data.generator(seed * 31 + step))
        start = torch.ones(32, 1, dtype=torch.long)
        return rows, torch.cat([start, rows.flip(1)], 1)

    def loss(model, batch):
        x, y = batch
        return F.cross_entropy(model(x, y[:, :-1]).flatten(0, 1), y[:, 1:].flatten())

    model = Translator(20)
    rate = lambda s: 0.7 * 32**-0.5 * min((s + 1) ** -0.5, (s + 1) * 60**-1.5)  # noqa: E731
    optimizer = Adam(model.parameters(), 1.0, (0.9, 0.98), 1e-9)
    return Job(model, optimizer, source, loss, 300, 2, 3, "cross_entropy", 32, rate), healthy()


@case("masked_tokens_encoder", "masked_words", "15 % of the tokens are masked, AdamW")
def masked(seed):
    plain = data.windows(data.text(seed, 24, sharpness=3.5), 16, 24, seed)

    def source(step):
        tokens, _ = plain(step)
        hidden = torch.rand(tokens.shape, generator=data.generator(seed * 37 + step)) < 0.15
        return tokens.masked_fill(hidden, 24), tokens.masked_fill(~hidden, -100)

    def loss(model, batch):
        return F.cross_entropy(model(batch[0]).flatten(0, 1), batch[1].flatten())

    model = GPT(25, depth=2, causal=False)
    optimizer = AdamW(model.parameters(), 2e-3, weight_decay=0.01)
    rate = lambda s: 2e-3 * min(1.0, (s + 1) / 30) * (1 - s / 320)  # noqa: E731
    return Job(model, optimizer, source, loss, 320, 2, 3, "cross_entropy", 24, rate), healthy()
