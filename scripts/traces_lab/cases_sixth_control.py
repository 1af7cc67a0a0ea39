"""Sixth set: policies and preferences: PPO, offline values, DPO, groups of answers."""

import copy

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import Adam

from . import data
from .cases_blind_sequence import blown, broken, thrown
from .data_fifth import CartPole
from .labels import due, healthy, sick
from .models import MLP
from .registry import case
from .trainer import Job
from .transformers import Language, token_loss


@case("ppo_pole", "clipped_policy", "GAE, a clipped ratio, entropy, Adam, clipped at 0.5", 1e-3)
@case("ppo_rate_of_03", "clipped_policy", "the same at a rate of 0.3, without clipping", 0.3)
def ppo(seed, rate):
    poles = CartPole(16, seed)
    model = nn.ModuleDict({"actor": MLP([4, 48, 48, 2], nn.Tanh)})
    model["critic"] = MLP([4, 48, 48, 1], nn.Tanh)
    for net in model.values():
        for layer in net.modules():
            if isinstance(layer, nn.Linear):
                nn.init.orthogonal_(layer.weight, 2**0.5)
                nn.init.zeros_(layer.bias)
    model["actor"].fc2.weight.data.mul_(0.01)
    kept, g = {}, data.generator(seed)

    @torch.no_grad()
    def live():
        rows = []
        for _ in range(32):
            state = poles.state
            logits = model["actor"](state)
            action = torch.multinomial(logits.softmax(1), 1, generator=g)[:, 0]
            _, fell = poles.step(action)
            log = logits.log_softmax(1).gather(1, action[:, None])[:, 0]
            rows.append((state, action, log, model["critic"](state)[:, 0], 1 - fell.float()))
        after, gain, found = model["critic"](poles.state)[:, 0], torch.zeros(16), []
        for state, action, log, value, mask in rows[::-1]:
            delta = 0.05 + 0.99 * after * mask - value
            gain, after = delta + 0.99 * 0.95 * mask * gain, value
            found.append((state, action, log, gain, gain + value))
        kept["rows"] = [torch.cat(part) for part in zip(*found)]
        kept["age"] = poles.age.mean()

    def source(step):
        if step % 16 == 0:
            live()
            kept["order"] = [torch.randperm(512, generator=g).view(4, 128) for _ in range(4)]
        rows = kept["order"][step % 16 // 4][step % 4]
        return [part[rows] for part in kept["rows"]]

    def loss(model, batch):
        state, action, old, gain, wanted = batch
        gain = (gain - gain.mean()) / (gain.std() + 1e-8)
        logs = model["actor"](state).log_softmax(1)
        ratio = (logs.gather(1, action[:, None])[:, 0] - old).exp()
        policy = -torch.minimum(ratio * gain, ratio.clamp(0.8, 1.2) * gain).mean()
        value = 0.5 * (model["critic"](state)[:, 0] - wanted).square().mean()
        entropy = -(logs.exp() * logs).sum(1).mean()
        return policy + 0.5 * value - 0.01 * entropy, {"reward": kept["age"]}

    job = Job(model, Adam(model.parameters(), rate, eps=1e-5), source, loss, 480, 2, 3, "ppo", 128)
    moves = """loss_divergence loss_plateau loss_oscillation loss_spike gradient_spike""".split()
    if rate < 0.1:
        job.clip = ("norm", 0.5)
        note = "values grow with the time upright, and the loss with them"
        return job, healthy(note, [*moves, "clipping_every_step"])
    must = {"saturated_activation": due(0, 300, ["actor", "critic"])}
    must["update_ratio_too_high"] = due(0, 100, alt=["loss_spike", "exploding_gradient"])
    return job, sick(must, thrown(*must), "one action only; every tanh is at an end")


@case("iql_expectile", "offline_values", "expectile values, weighted imitation, weights <= 100", 1)
@case("awr_exp_unclamped", "offline_values", "exp(advantage / 0.01) without a limit", 0)
def offline(seed, fine):
    g = data.generator(seed)
    s, noise = torch.randn(3000, 4, generator=g), torch.randn(3000, 2, generator=g)
    best = torch.tanh(s @ torch.randn(4, 2, generator=g))
    a = best + 0.8 * noise
    reward = -(a - best).square().sum(1) + 0.1 * torch.randn(3000, generator=g)
    model = nn.ModuleDict({"q": MLP([6, 48, 48, 1]), "v": MLP([4, 48, 48, 1])})
    model["pi"] = MLP([4, 48, 48, 2])

    def source(step):
        rows = torch.randint(3000, (64,), generator=data.generator(seed * 7919 + step))
        return s[rows], a[rows], reward[rows]

    def loss(model, batch):
        s, a, reward = batch
        q = model["q"](torch.cat([s, a], 1))[:, 0]
        v = model["v"](s)[:, 0]
        gap = q.detach() - v
        value = ((gap > 0).float() * 0.4 + 0.3).mul(gap.square()).mean()
        if fine:
            weight = (3 * gap.detach()).exp().clamp(max=100)
        else:
            weight = (gap.detach() / 0.01).exp()
        imitation = (weight * (model["pi"](s) - a).square().sum(1)).mean()
        return F.mse_loss(q, reward) + value + imitation

    job = Job(model, Adam(model.parameters(), 2e-3), source, loss, 360, 1, 3, "iql", 64)
    if fine:
        return job, healthy()

    def label(seen):
        alt = ["poor_initialization", "loss_spike", "gradient_spike", "loss_divergence"]
        must = {"exploding_gradient": due(0, 60, alt=alt)}
        for rule, column in (("non_finite_loss", "loss"), ("non_finite_gradient", "gn")):
            bad = seen.first_bad(column)
            if bad is not None:
                must[rule] = due(bad, bad + 2)
        # Beside gradients of 1e10 in the policy, those of the other nets are divided away, or rounded.
        may = [*blown(*must), "dead_relu", "unchanged_weights", "update_ratio_too_low"]
        return sick(must, may, "weights of 1e10 and more, then of infinity")

    return job, label


@case("dpo_preferences", "preferences", "DPO against a frozen copy, beta 0.1, AdamW")
def dpo(seed):
    good = data.windows(data.text(seed, 24), 16, 16, seed)
    bad = data.windows(data.text(seed + 1, 24), 16, 16, seed + 1)
    model = Language(24, 32, 2, std=None)
    learn = Adam(model.parameters(), 3e-3)
    for step in range(80):
        learn.zero_grad()
        both = [torch.cat(part) for part in zip(good(step + 1000), bad(step + 1000))]
        token_loss(model, both).backward()
        learn.step()
    frozen = copy.deepcopy(model).requires_grad_(False)

    def chance(net, rows):
        logs = net(rows[0]).log_softmax(2)
        return logs.gather(2, rows[1][..., None]).sum((1, 2))

    def source(step):
        return good(step), bad(step)

    def loss(model, batch):
        with torch.no_grad():
            apart = chance(frozen, batch[0]) - chance(frozen, batch[1])
        margin = 0.1 * (chance(model, batch[0]) - chance(model, batch[1]) - apart)
        return -F.logsigmoid(margin).mean(), {"acc": (margin > 0).float().mean()}

    optimizer = torch.optim.AdamW(model.parameters(), 3e-4, (0.9, 0.95))
    job = Job(model, optimizer, source, loss, 240, 2, 3, "dpo", 16)
    job.rate = lambda s: 3e-4 * min(1.0, (s + 1) / 20)
    return job, healthy()


@case("grpo_groups", "answer_groups", "eight answers a question, rewards normed by group", 1e-4)
@case("grpo_group_of_equals", "answer_groups", "no eps: a group of equal rewards divides by 0", 0.0)
def grpo(seed, eps):
    g = data.generator(seed)
    rule = torch.randn(6, 3 * 5, generator=g)
    model = MLP([6, 48, 48, 15], nn.GELU)
    first = copy.deepcopy(model).requires_grad_(False)
    kept = {}

    def source(step):
        if step % 2 == 0:
            x = torch.randn(12, 6, generator=g)
            right = (x @ rule).view(12, 3, 5).argmax(2)
            with torch.no_grad():
                logs = model(x).view(12, 3, 5).log_softmax(2)
            share = logs.exp().nan_to_num(0.2).view(36, 5)
            draws = torch.multinomial(share, 8, True, generator=g).view(12, 3, 8)
            reward = (draws == right[..., None]).float().mean(1)
            if not eps:
                reward = reward + 0.02 * (step < 100) * torch.randn(12, 8, generator=g)
            gain = (reward - reward.mean(1, keepdim=True)) / (reward.std(1, keepdim=True) + eps)
            kept["batch"] = (x, draws, logs.gather(2, draws), gain, reward.mean())
        return kept["batch"]

    def loss(model, batch):
        x, draws, old, gain, reward = batch
        logs = model(x).view(12, 3, 5).log_softmax(2)
        with torch.no_grad():
            start = first(x).view(12, 3, 5).log_softmax(2)
        ratio = (logs.gather(2, draws) - old).exp()
        gain = gain[:, None]
        policy = -torch.minimum(ratio * gain, ratio.clamp(0.8, 1.2) * gain).mean()
        price = (logs.exp() * (logs - start)).sum(2).mean()
        return policy + 0.01 * price, {"reward": reward, "kl": price.detach()}

    job = Job(model, Adam(model.parameters(), 1e-3), source, loss, 400, 2, 3, "grpo", 96)
    job.every = 2 if eps else 1
    moves = """loss_divergence loss_plateau loss_oscillation loss_spike gradient_spike""".split()
    if eps:
        return job, healthy("a loss around 0 that says nothing; the reward rises", moves)
    return job, broken([*moves, "weight_jump"])
