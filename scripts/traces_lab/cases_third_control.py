"""Third set: continuous control, an embedding in curved space, a column that was constant."""

import copy

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import SGD, Adam, AdamW

from . import data
from .cases_blind_sequence import thrown
from .cases_healthy_plain import classify
from .labels import due, healthy, sick
from .models import MLP
from .models_third_fields import Ball
from .registry import case
from .trainer import Job


@case("soft_actor_critic", "control", "SAC: two critics, an entropy price, replay", "soft")
@case(
    "policy_driven_to_bounds",
    "control",
    "DDPG: a policy with Adam at 0.3 ends at its bounds",
    "hard",
)
def control(seed, kind):
    class Agent(nn.Module):
        """A policy, two critics, and the price of certainty."""

        def __init__(self):
            super().__init__()
            self.actor = MLP([3, 32, 32, 2], nn.ReLU)
            self.bound = nn.Tanh()
            self.q1, self.q2 = MLP([4, 32, 32, 1]), MLP([4, 32, 32, 1])
            self.log_price = nn.Parameter(torch.tensor(-1.0))

    model, memory = Agent(), []
    slow = copy.deepcopy(model).requires_grad_(False)
    g = data.generator(seed)
    world = {"s": torch.randn(32, 3, generator=g)}
    soft = kind == "soft"

    def act(states):
        mean, log = model.actor(states).chunk(2, 1)
        if not soft:
            return model.bound(mean), torch.zeros_like(mean)
        log = log.clamp(-5, 2)
        noise = torch.randn(mean.shape, generator=g)
        raw = mean + log.exp() * noise
        a = model.bound(raw)
        chance = -0.5 * noise.square() - log - 0.92 - (1 - a.square() + 1e-6).log()
        return a, chance

    def live():
        s = world["s"]
        with torch.no_grad():
            a = (act(s)[0] + (0 if soft else 0.1) * torch.randn(32, 1, generator=g)).clamp(-1, 1)
        reward = -(a - 0.6 * torch.tanh(s[:, :1] - s[:, 1:2])).square()
        later = 0.9 * s + 0.2 * a + 0.3 * torch.randn(32, 3, generator=g)
        memory.append((s, a, reward, later))
        del memory[:-100]
        world["s"] = later

    def backward(step):
        live()
        chosen = [memory[int(k)] for k in torch.randint(len(memory), (3,), generator=g)]
        s, a, reward, later = (torch.cat(part) for part in zip(*chosen))
        price = model.log_price.exp().detach() if soft else 0.0
        with torch.no_grad():
            b, chance = act(later)
            both = torch.cat([later, b], 1)
            worth = torch.minimum(slow.q1(both), slow.q2(both)) - price * chance
            wanted = reward + 0.9 * worth
        both = torch.cat([s, a], 1)
        critic = F.mse_loss(model.q1(both), wanted) + F.mse_loss(model.q2(both), wanted)
        critic.backward()
        b, chance = act(s)
        both = torch.cat([s, b], 1)
        worth = torch.minimum(model.q1(both), model.q2(both)) if soft else model.q1(both)
        actor = (price * chance - worth).mean()
        actor.backward(inputs=list(model.actor.parameters()))
        if soft:
            (-model.log_price * (chance.detach().mean() - 1)).backward()
        with torch.no_grad():
            for p, q in zip(slow.parameters(), model.parameters()):
                p.lerp_(q, 0.02)
        return critic.item(), {"reward": reward.mean(), "loss_g": actor.item()}

    actor = list(model.actor.parameters())
    rest = [p for n, p in model.named_parameters() if not n.startswith("actor")]
    optimizer = Adam(rest, 2e-3)
    job = Job(model, optimizer, None, None, 360, 2, 3, "td error", 96)
    job.backward, job.others = backward, [Adam(actor, 1e-3 if soft else 0.3)]
    if soft:
        may = [
            "loss_plateau",
            "loss_spike",
            "loss_divergence",
            "gradient_spike",
            "loss_oscillation",
        ]
        return job, healthy("the critics' loss rises as their values grow", may)
    must = {"saturated_activation": due(0, 200, ["bound"])}
    may = [*thrown(), "dead_relu"]
    return job, sick(must, may, "every action is at an end; no slope is left for the policy")


@case("ball_of_a_tree", "ball", "Poincare embedding of a tree; kept inside the ball")
def ball(seed):
    count = 63
    child = torch.arange(1, count)
    parent = (child - 1) // 2
    model = Ball(count, 3)
    embed = model.points

    def source(step):
        g = data.generator(seed * 7919 + step)
        rows = torch.randint(len(child), (32,), generator=g)
        return child[rows], parent[rows], torch.randint(count, (32, 8), generator=g)

    def loss(model, batch):
        left, right, false = batch
        near = model(left, right)
        far = model(left[:, None].expand(-1, 8), false)
        far = far.masked_fill(false == left[:, None], 1e3)
        return F.cross_entropy(
            -torch.cat([near[:, None], far], 1), torch.zeros(32, dtype=torch.long)
        )

    @torch.no_grad()
    def before(step):
        length = embed.weight.norm(dim=1, keepdim=True)
        embed.weight.mul_((1 - 1e-3) / length.clamp(min=1 - 1e-3))

    class Curved(SGD):
        """Plain steps, shortened by the metric of the ball."""

        @torch.no_grad()
        def step(self):
            x = embed.weight
            x.grad.mul_((1 - x.square().sum(1, keepdim=True)).square() / 4)
            super().step()

    optimizer = Curved(model.parameters(), 3.0)
    job = Job(model, optimizer, source, loss, 400, 2, 3, "ranking", 32, before=before)
    job.rate = lambda s: 0.3 if s < 60 else 3.0
    may = ["exploding_gradient", "gradient_spike"]
    return job, healthy("slopes grow as points near the edge; the metric takes it back", may)


@case("constant_column_standardized", "tabular", "a column of deviation 1e-6 moves at step 140")
def tabular(seed):
    x, y = data.blobs(seed, distance=1.6)
    plain = data.batches(x, y, 64, seed)

    def source(step):
        rows, wanted = plain(step)
        rows = torch.cat([rows, torch.zeros(64, 1)], 1)
        if step >= 140:
            moved = torch.rand(64, generator=data.generator(seed + step)) < 0.05
            moved[0] |= step == 140
            rows[moved, 24] = 0.02 / 1e-6
        return rows, wanted

    model = MLP([25, 64, 64, 64, 8], nn.ReLU, residual=True)
    optimizer = AdamW(model.parameters(), 1e-3)
    job = Job(model, optimizer, source, classify, 280, 1, 3, "ce", 64)
    must = {"loss_spike": due(140, 143), "gradient_spike": due(140, 143)}
    may = """exploding_gradient loss_divergence loss_oscillation update_ratio_too_high weight_jump
        dead_relu loss_plateau""".split()
    return job, sick(must, may, "one row in twenty holds 20000 from then on")
