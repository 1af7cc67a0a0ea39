"""Third set: packed taggers, pointers, exponential gates, residual scalars, independent units."""

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import SGD, Adam, AdamW

from . import data
from .cases_blind_sequence import broken, thrown
from .cases_healthy_plain import classify, squares
from .labels import due, healthy, sick
from .models import Recurrent
from .models_third import ExponentialLSTM, FieldTagger, Independent, Pointer, Rezero
from .optimizers_third import Factored, SlowWeights
from .registry import case
from .trainer import Job
from .transformers import Language, token_loss


@case(
    "tagger_packed_field", "field_tagger", "packed two-way LSTM and a CRF; summed over words", True
)
@case(
    "tagger_field_plain_exp",
    "field_tagger",
    "the CRF sums plain exponentials, not logarithms",
    False,
)
@case("tagger_clipped_per_word", "field_tagger", "clipped at 1e-3 as if a mean over words", "clip")
def tagger(seed, safe):
    longest = 14 if safe else 48

    def source(step):
        g = data.generator(seed * 31 + step)
        lengths = torch.randint(4 if safe else 30, longest + 1, (24,), generator=g)
        moves = torch.randint(3, (24, longest), generator=g)
        tags = (moves > 0).long().cumsum(1) % 5
        noise = torch.randint(40, (24, longest), generator=g)
        fuzzy = torch.rand(24, longest, generator=g) < 0.3
        tokens = torch.where(fuzzy, noise, tags * 8 + noise % 8) + 1
        return tokens * (torch.arange(longest) < lengths[:, None]), lengths, tags

    model = FieldTagger(41, 16, 20, 5, safe)

    def loss(model, batch):
        return model(*batch).mean()

    job = Job(model, Adam(model.parameters(), 5e-3), source, loss, 260, 2, 3, "crf nll", 24)
    if safe == "clip":
        job.optimizer, job.clip = SGD(model.parameters(), 0.02, 0.9), ("norm", 1e-3)
        alt = ["loss_plateau", "unchanged_weights"]
        must = {"clipping_every_step": due(0, 60), "update_ratio_too_low": due(0, 200, alt=alt)}
        return job, sick(must, alt, "it crawls")
    if safe:
        return job, healthy("a loss a sentence, not a word; the padding's row never moves")
    return job, broken(["loss_spike", "gradient_spike", "exploding_gradient", "weight_jump"])


@case("pointer_sorts", "pointer", "a pointer network puts six numbers in order", True)
@case("pointer_other_order", "pointer", "inputs and their order are shuffled apart", False)
def pointer(seed, right_order):
    def source(step):
        x = torch.rand(48, 6, 1, generator=data.generator(seed * 31 + step))
        order = x[..., 0].argsort(1)
        return x, order if right_order else order.roll(1, 0)

    model = Pointer(24)

    def loss(model, batch):
        scores = model(*batch)
        right = (scores.argmax(2) == batch[1]).float().mean()
        return F.cross_entropy(scores.flatten(0, 1), batch[1].flatten()), {"acc": right}

    job = Job(model, Adam(model.parameters(), 5e-3), source, loss, 300, 2, 3, "ce", 48)
    job.clip = ("norm", 2.0)
    if right_order:
        may = ["clipping_every_step", "saturated_activation"]
        return job, healthy("masked scores of -1e9; sure scores want large sums", may)
    may = ["update_ratio_too_low", "vanishing_gradient", "uniformly_small_gradient"]
    return job, sick({"loss_plateau": due(20, 298)}, may, "stays at ln(6!) / 6")


@case("exponential_gates", "exponential_gates", "sLSTM with its stabilizer, on waves")
def exponential(seed):
    model = ExponentialLSTM(1, 20, 1, 2.0)
    source = data.waves(seed, 30, 24)
    job = Job(model, Adam(model.parameters(), 5e-3), source, squares, 220, 2, 3, "mse", 24)
    return job, healthy()


@case("residual_scalars", "residual_scalars", "ReZero: 12 layers, scalars from zero", True)
@case(
    "residual_scalars_left_out", "residual_scalars", "the scalars are in no parameter group", False
)
def scalars(seed, whole):
    source = data.windows(data.text(seed, 24, sharpness=1.5), 16, 16, seed)
    model = Rezero(24, 24, 12)
    rest = [p for p in model.parameters() if p.dim() != 0 or whole]
    groups = [
        {"params": [p for p in rest if p.dim() >= 2], "weight_decay": 0.1},
        {"params": [p for p in rest if p.dim() < 2], "weight_decay": 0.0},
    ]
    job = Job(model, AdamW(groups, 2e-3), source, token_loss, 260, 2, 3, "ce", 16)
    if whole:
        note = "at step 0 no branch has any gradient, soon after a small one"
        return job, healthy(note, ["loss_plateau"])
    must = {"unchanged_weights": due(1, 80, ["blocks"], ["vanishing_gradient"])}
    may = ["vanishing_gradient", "update_ratio_too_low", "loss_plateau", "poor_initialization"]
    note = "sorted into groups by 2 and by 1 dimensions; a scalar has none: the branches stay shut"
    return job, sick(must, may, note)


@case(
    "independent_units", "independent_units", "IndRNN: own weights of 0 to 1, waves", 0.0, 1.0, 30
)
@case(
    "independent_over_one", "independent_units", "own weights of 1 to 1.25 over 90", 1.0, 1.25, 90
)
def independent(seed, low, high, length):
    fine = high <= 1
    model = Recurrent(Independent(1 if fine else 2, 32, low, high), 32, 1, every_step=fine)
    source = data.waves(seed, length) if fine else data.adding(seed, length)
    job = Job(model, Adam(model.parameters(), 2e-3), source, squares, 240, 2, 3, "mse", 32)
    if fine:
        return job, healthy()
    must = {"exploding_gradient": due(0, 40, ["cell"], ["rnn_exploding_through_time"])}
    may = [*thrown(*must), "dead_relu", "update_ratio_too_low", "rnn_vanishing_through_time"]
    return job, sick(must, may, "1.25 to the power of 90 is 5e8")


@case(
    "recall_detached_each_step", "truncated", "the state is detached at each step, not each window"
)
def detached(seed):
    class Cut(Recurrent):
        """A GRU whose state never carries a gradient back."""

        def forward(self, x):
            state, self.states = x.new_zeros(len(x), self.hidden), []
            for t in range(x.shape[1]):
                state = self.cell(x[:, t], state.detach())
                state.retain_grad()
                self.states.append(state)
            return self.head(state)

    model, source = Cut(nn.GRUCell(4, 24), 24, 4), data.recall(seed, 40)

    def backward(step):
        value, extras = classify(model, source(step))
        value.backward()
        for state in model.states:
            if state.grad is None:
                state.grad = torch.zeros_like(state)
        return value.item(), extras

    job = Job(model, Adam(model.parameters(), 3e-3), source, classify, 260, 2, 3, "ce", 32)
    job.backward = backward
    must = {
        "rnn_vanishing_through_time": due(0, 100, ["cell"]),
        "loss_plateau": due(30, 258),
    }
    return job, sick(must, ["vanishing_gradient"], "stays at ln 4: dL/dh is 0 before the last step")


@case(
    "factored_moments_lm", "further_optimizer", "Adafactor: steps relative to the weights", "factor"
)
@case("factored_moments_half", "further_optimizer", "Adafactor: half of each weight a step", "half")
@case("slow_weights_lm", "further_optimizer", "Lookahead around Adam, every six steps", "slow")
def further(seed, kind):
    source = data.windows(data.text(seed, 24), 16, 16, seed)
    model = Language(24, 24, 3, place="pre", norm=nn.RMSNorm)
    if kind == "half":
        optimizer, rate = Factored(model.parameters(), 0.5), None
    elif kind == "factor":
        optimizer = Factored(model.parameters(), 0.03)
        rate = lambda s: 0.03 * min((s + 1) / 40, (40 / (s + 1)) ** 0.5)  # noqa: E731
    else:
        optimizer, rate = SlowWeights(Adam(model.parameters(), 3e-3)), None
    job = Job(model, optimizer, source, token_loss, 240, 2, 3, "ce", 16, rate)
    if kind == "half":
        must = {"update_ratio_too_high": due(0, 80)}
        return job, sick(must, thrown(*must), "the rate is a share of each weight's size")
    return job, healthy()


@case("adam_eps_zero_rows", "eps_zero", "Adam with eps 0: rows that no row uses become 0 / 0")
def eps_zero(seed):
    class Words(nn.Module):
        """A mean of word vectors and a head."""

        def __init__(self):
            super().__init__()
            self.emb, self.head = nn.Embedding(62, 16), nn.Linear(16, 2)

        def forward(self, tokens):
            return self.head(self.emb(tokens).mean(1))

    g = data.generator(seed)
    tokens = torch.randint(60, (3000, 20), generator=g)
    mood = torch.randn(62, generator=g)
    y = (mood[tokens].mean(1) > 0).long()
    plain = data.batches(tokens, y, 64, seed)

    def source(step):
        words, wanted = plain(step)
        if step == 150:
            words = words.clone()
            words[3, 5] = 60
        return words, wanted

    model = Words()
    job = Job(model, Adam(model.parameters(), 3e-3, eps=0.0), source, classify, 240, 1, 2, "ce", 64)

    def label(seen):
        bad, norm = seen.first_bad("loss"), seen.first_bad("gn")
        must = {"weight_jump": due(0, 2, ["emb"], ["non_finite_gradient", "non_finite_loss"])}
        must["non_finite_loss"] = due(bad, bad + 2)
        must["non_finite_gradient"] = due(norm, norm + 2)
        return sick(must, [], "two rare rows turn NaN at step 0; seen when one is used at 150")

    return job, label


@case("words_negative_samples", "skip_gram", "word pairs; output vectors start at zero, SGD")
def skip_gram(seed):
    g = data.generator(seed)
    topic = torch.randint(12, (4000,), generator=g)
    rank = torch.multinomial(1.0 / torch.arange(1, 41).float(), 8000, True, generator=g).view(-1, 2)
    pairs = topic[:, None] * 40 + rank

    class Pairs(nn.Module):
        """A table for the middle words and one for those around them."""

        def __init__(self):
            super().__init__()
            self.middle, self.around = nn.Embedding(480, 24), nn.Embedding(480, 24)
            nn.init.uniform_(self.middle.weight, -0.5 / 24, 0.5 / 24)
            nn.init.zeros_(self.around.weight)

        def forward(self, middle, around):
            return (self.middle(middle)[:, None] * self.around(around)).sum(-1)

    def loss(model, batch):
        false = pairs[torch.randint(len(pairs), (len(batch[0]), 5)), 1]
        scores = model(batch[0], torch.cat([batch[1][:, None], false], 1))
        wanted = torch.zeros_like(scores)
        wanted[:, 0] = 1
        return F.binary_cross_entropy_with_logits(scores, wanted, reduction="sum")

    model = Pairs()
    source = data.batches(pairs[:, 0], pairs[:, 1], 256, seed)
    job = Job(model, SGD(model.parameters(), 0.025), source, loss, 800, 4, 3, "sampled bce", 256)
    return job, healthy("the middle words have no gradient at step 0; flat, then falls")
