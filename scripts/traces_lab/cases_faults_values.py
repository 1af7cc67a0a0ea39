"""Sick runs in which a value breaks: NaN, Inf, flipped bits, checkpoints that don't fit."""

import math

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import SGD, Adam, AdamW

from . import data
from .cases_faults_events import two_bad
from .cases_faults_wiring import wild
from .cases_healthy_networks import communities
from .cases_healthy_plain import classify, squares
from .labels import due, sick, transient
from .models import MLP, ConvBlock, ConvNet, Recurrent
from .models_further import Graph
from .optimizers import Lion
from .registry import case
from .trainer import Job
from .transformers import Language, token_loss

BROKEN = ["loss_spike", "gradient_spike", "weight_jump", "exploding_gradient", "loss_divergence"]


@case("arc_cosine_of_one", "undefined", "an angle between equal vectors has no slope", "acos")
@case("entropy_of_certainty", "undefined", "p log p where p has become exactly 0", "entropy")
@case("all_padding", "undefined", "one batch holds padding only: a mean of nothing", "mask")
@case("variance_exp_overflows", "undefined", "a log variance leaves the range of exp", "exp")
def undefined(seed, kind):
    x, y = data.blobs(seed, distance=2.5)
    model = MLP([24, 48, 48, 8], nn.SiLU)
    plain = data.batches(x, y, 48, seed)

    def source(step):
        rows, labels = plain(step)
        if kind == "acos" and step == 120:
            rows, labels = rows.clone(), labels.clone()
            rows[0], labels[0] = rows[1], labels[1]
        if kind == "mask" and step == 137:
            labels = torch.full_like(labels, -100)
        return rows, labels

    def loss(model, batch):
        rows, labels = batch
        logits = model(rows)
        value = F.cross_entropy(logits, labels)
        if kind == "acos":
            codes = F.normalize(model.fc0(rows), dim=1)
            cosine = (codes[0] * codes[1]).sum()
            if bool((rows[0] == rows[1]).all()):
                cosine = cosine / cosine.detach()
            value = value + 0.01 * torch.acos(cosine)
        if kind == "entropy":
            share = (logits * 3).softmax(1)
            value = value + 0.01 * (share * share.log()).sum(1).mean()
        if kind == "exp":
            spread = 4 * logits[:, :1]
            value = (rows[:, :1] - logits[:, 1:2]).square() * spread.exp() - 1.1 * spread
            return value.mean()
        return value

    rate = {"entropy": 0.2, "exp": 0.005}.get(kind, 0.05)
    optimizer = SGD(model.parameters(), rate, momentum=0.9)
    job = Job(model, optimizer, source, loss, 300, 1, 2, "loss", 48)
    if kind == "mask":
        must = {"non_finite_loss": due(137, 138)}
        return job, transient(
            must, ["non_finite_gradient"], "its gradient is zero: nothing is lost"
        )
    may = wild("non_finite_loss", "non_finite_gradient") if kind in ("exp", "entropy") else BROKEN
    return job, two_bad(may, ["fc0"] if kind == "acos" else [])


@case("nan_in_one_node", "undefined_input", "one node's feature turns NaN at step 90", "node")
@case("half_precision_overflows", "undefined_input", "a pure float16 net passes 65504", "half")
@case("token_vector_infinite", "undefined_input", "one token's vector is infinite", "token")
def broken_input(seed, kind):
    clip = None
    if kind == "node":
        adjacency, x, y = communities(seed)
        model, optimizer_of, loss = Graph(adjacency, [12, 24, 4]), Adam, classify

        def source(step):
            rows = x.clone()
            if step >= 90:
                rows[17, 3] = math.nan
            return rows, y

    elif kind == "half":
        x, y = data.blobs(seed)
        plain = data.batches(x, y, 48, seed)
        model, optimizer_of, loss = MLP([24, 64, 64, 8], init="he").half(), SGD, classify

        def source(step):
            rows, labels = plain(step)
            return (rows * (1.05 ** max(0, step - 60))).half(), labels

    else:
        source = data.windows(data.text(seed, 24), 16, 12, seed)
        model, optimizer_of, loss = Language(24, 24, 2), AdamW, token_loss
        clip = ("norm", 1.0)

    @torch.no_grad()
    def before(step):
        if kind == "token" and step == 110:
            model.emb.weight[3, 5] = math.inf

    rate = 1e-5 if kind == "half" else 3e-3
    job = Job(model, optimizer_of(model.parameters(), rate), source, loss, 320, 1, 2, "loss")
    job.before, job.clip = before, clip
    may = wild("non_finite_loss", "non_finite_gradient") if kind == "half" else BROKEN
    return job, two_bad([*may, "clipping_every_step"] if clip else may)


@case("bit_flip_norm_gain", "flipped", "a bit of a LayerNorm's gain flips at step 130", "gain", 130)
@case("bit_flip_attention", "flipped", "a bit of a query matrix flips at step 150", "query", 150)
@case("bit_flip_recurrent", "flipped", "a bit of a GRU's recurrent matrix flips", "gru", 120)
@case("bit_flip_adam_moment", "flipped", "Adam's first moment gets one huge element", "moment", 140)
def flipped(seed, kind, when):
    if kind == "query":
        source, loss = data.windows(data.text(seed, 24), 16, 12, seed), token_loss
        model = Language(24, 24, 2)
        target, place = model.blocks[1].attn.q, "blocks.1.attn.q"
    elif kind == "gru":
        source, loss = data.waves(seed, 24), squares
        model = Recurrent(nn.GRUCell(1, 20), 20, 1, every_step=True)
        target, place = model.cell, "cell"
    else:
        x, y = data.blobs(seed, distance=1.3)
        source, loss = data.batches(x, y, 48, seed), classify
        model = MLP([24, 48, 48, 8], nn.GELU, norm=nn.LayerNorm)
        target, place = (model.norm1, "norm1") if kind == "gain" else (model.fc1, "fc1")
    optimizer = Adam(model.parameters(), 2e-3)

    @torch.no_grad()
    def before(step):
        if step == when and kind == "moment":
            optimizer.state[target.weight]["exp_avg"].view(-1)[77] = 1e12
        elif step == when:
            weight = target.weight_hh if kind == "gru" else target.weight
            bits = weight.view(-1)[7:8].view(torch.int32)
            bits ^= 1 << 30

    job = Job(model, optimizer, source, loss, 260, 1, 2, "loss", before=before)

    def label(seen):
        alt = ["update_ratio_too_high"] if kind == "moment" else []
        must = {"weight_jump": due(when, when + 3, [place], alt)}
        if kind == "moment":
            must["loss_spike"] = due(when, when + 5)
        for rule, bad in (
            ("non_finite_loss", seen.first_bad("loss")),
            ("non_finite_gradient", seen.first_bad("gn")),
        ):
            if bad is not None:
                must[rule] = due(bad, bad + 1)
        if kind == "gru":
            may = ["gradient_spike", "vanishing_gradient", "update_ratio_too_low"]
            return sick(must, may, "one gate stays open: the loss hardly moves")
        return sick(must, wild(*must), "the value leaves all bounds")

    return job, label


@case("half_a_checkpoint", "checkpoint", "a resume that loads only the lower layers", "half")
@case("words_renumbered", "checkpoint", "a resume with another order of the tokens", "words")
@case("lion_rate_glitch", "glitch", "Lion's rate is 1000 times too high on step 150", "lion")
@case("long_rows_in_lstm", "glitch", "one batch of an LSTM holds values of a hundred", "lstm")
@case("conv_bad_pixels", "glitch", "one batch of images is inverted and 60 times brighter", "conv")
def events(seed, kind):
    when, rate, clip = 150, None, None
    x, y = (
        data.gratings(seed)
        if kind == "conv"
        else data.blobs(seed, distance=1.0 if kind == "lion" else 2.0)
    )
    model, loss = MLP([24, 64, 64, 8], nn.GELU), classify
    plain = data.batches(x, y, 48, seed)
    if kind == "words":
        plain, loss = data.windows(data.text(seed, 24, sharpness=4.0), 16, 16, seed), token_loss
        model = Language(24, 32, 2)
    elif kind == "lstm":
        plain, loss = data.waves(seed, 24), squares
        model, clip = Recurrent(nn.LSTMCell(1, 20), 20, 1, every_step=True), ("norm", 1.0)
    elif kind == "conv":
        model = ConvNet(lambda width: ConvBlock(width, lambda w: nn.GroupNorm(3, w)), 2)

    def source(step):
        rows, wanted = plain(step)
        if kind == "lstm" and step == when:
            rows, wanted = rows * 100, wanted * 100
        if kind == "conv" and step == when:
            rows = rows * -60 + 40
        return rows, wanted

    @torch.no_grad()
    def before(step):
        if step == when and kind == "half":
            model.fc1.reset_parameters()
            model.fc2.reset_parameters()
            optimizer.state.clear()
        if step == when and kind == "words":
            order = torch.randperm(24, generator=data.generator(seed))
            model.emb.weight.copy_(model.emb.weight[order])

    optimizer = AdamW(model.parameters(), 3e-3)
    if kind == "lion":
        optimizer = Lion(model.parameters(), 1e-3)
        rate = lambda s: 1.0 if s == when else 1e-3  # noqa: E731
    job = Job(model, optimizer, source, loss, 320, 1, 2, "loss", None, rate, clip, before=before)
    common = ["gradient_spike", "exploding_gradient", "loss_divergence"]
    if kind in ("half", "words"):
        may = [*common, "weight_jump", "loss_plateau"]
        return job, transient({"loss_spike": due(when, when + 3)}, may, "has to learn that anew")
    if kind == "lion":
        may = [*common, "weight_jump", "update_ratio_too_high", "loss_plateau"]
        return job, sick({"loss_spike": due(when, when + 8)}, may)
    must = {"loss_spike": due(when, when), "gradient_spike": due(when, when)}
    return job, transient(must, ["exploding_gradient", "clipping_every_step"], "one step")
