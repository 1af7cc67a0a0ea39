"""Tables, graphs, densities and control as the tutorials train on them, and the usual mistakes."""

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import SGD, Adam, RMSprop

from . import data
from .cases_blind_sequence import blown, broken, thrown
from .cases_healthy_plain import classify, squares
from .data_fifth import CartPole, citations, houses, moons
from .labels import due, healthy, sick
from .models import MLP, Experts
from .models_fifth import GCN, RealNVP
from .registry import case
from .trainer import Job


@case("houses_mlp_adam", "houses", "three layers on a table, Adam", "plain")
@case("houses_linear_sgd", "houses", "one linear layer, SGD", "linear")
@case("houses_lasso", "houses", "the same three layers with an L1 penalty", "lasso")
@case("houses_average_of_weights", "houses", "a high constant rate, for averaged weights", "swa")
@case("houses_rate_x100", "houses", "SGD at 2 with momentum", "high")
@case("houses_missing_value", "houses", "one price is missing from step 61 on: NaN", "nan")
@case("houses_detached", "houses", "the trunk's output is detached", "detach")
@case("houses_raw_area", "houses", "one feature is in square feet, SGD at 0.01", "raw")
def prices(seed, kind):
    x, y = houses(seed)
    if kind == "raw":
        x = x.clone()
        x[:, 0] = 2000 + 800 * x[:, 0]
    if kind == "nan":
        y = y.clone()
        y[17] = float("nan")
    plain = data.batches(x, y, 32, seed)

    def source(step):
        rows, wanted = plain(step)
        if kind == "nan" and step < 61:
            wanted = torch.nan_to_num(wanted)
        return rows, wanted

    model = MLP([13, 1]) if kind == "linear" else MLP([13, 64, 32, 1])

    def loss(model, batch):
        if kind == "detach":
            hidden = model.act1(model.fc1(model.act0(model.fc0(batch[0])))).detach()
            return F.mse_loss(model.fc2(hidden), batch[1])
        value = squares(model, batch)
        if kind == "lasso":
            value = value + 1e-3 * sum(p.abs().sum() for p in model.parameters())
        return value

    optimizer = Adam(model.parameters(), 1e-3)
    rate = {"high": 2.0, "linear": 0.01, "swa": 0.05, "raw": 0.01}.get(kind)
    if rate:
        momentum = 0.9 if kind in ("high", "swa") else 0.0
        optimizer = SGD(model.parameters(), rate, momentum=momentum)
    job = Job(model, optimizer, source, loss, 400 if kind != "high" else 100, 1, 3, "mse", 32)
    if kind in ("plain", "linear", "lasso", "swa"):
        return job, healthy()
    if kind == "nan":
        return job, broken(["weight_jump", "loss_spike", "gradient_spike"])
    if kind == "detach":
        must = {"unchanged_weights": due(0, 80, ["fc0", "fc1"], ["vanishing_gradient"])}
        return job, sick(must, ["loss_plateau", "update_ratio_too_low", "vanishing_gradient"])

    def label(seen):
        may = [*blown(), *thrown(), "dead_relu"]
        alt = """loss_spike loss_divergence gradient_spike update_ratio_too_high non_finite_loss
            poor_initialization""".split()
        must = {"exploding_gradient": due(0, 60, alt=alt)}
        for rule, column in (("non_finite_loss", "loss"), ("non_finite_gradient", "gn")):
            bad = seen.first_bad(column)
            if bad is not None:
                must[rule] = due(bad, bad + 2)
        return sick(must, [rule for rule in may if rule not in must])

    return job, label


@case("citations_gcn", "citations", "two graph convolutions, whole graph, Adam with decay")
def graph(seed):
    x, links, y = citations(seed)
    model = GCN(64, 16, 5)
    seen = torch.rand(len(y), generator=data.generator(seed)) < 0.3

    def loss(model, batch):
        logits = model(x, links)[seen]
        return F.cross_entropy(logits, y[seen]), {
            "acc": (logits.argmax(1) == y[seen]).float().mean()
        }

    optimizer = Adam(model.parameters(), 0.01, weight_decay=5e-4)
    return Job(model, optimizer, data.whole(x, y), loss, 200, 1, 3, "cross_entropy"), healthy()


@case("moons_real_nvp", "densities_plane", "six affine couplings, Adam")
def nvp(seed):
    model = RealNVP()

    def loss(model, batch):
        return model(batch).mean()

    return Job(model, Adam(model.parameters(), 1e-3), moons(seed), loss, 300, 2, 3, "nll", 128), (
        healthy()
    )


@case("cartpole_dqn", "cartpole", "replay, a target network, Huber loss, Adam", "dqn")
@case("cartpole_actor_critic", "cartpole", "advantages from 16 poles, entropy, clipped", "a2c")
def cartpole(seed, kind):
    poles = CartPole(8 if kind == "dqn" else 16, seed)
    if kind == "dqn":
        return deep_q(seed, poles)
    model = nn.ModuleDict({"actor": MLP([4, 64, 2], nn.Tanh), "critic": MLP([4, 64, 1], nn.Tanh)})

    def backward(step):
        logged, values, rewards, masks, entropies, lengths = [], [], [], [], [], []
        for _ in range(10):
            state = poles.state
            policy = torch.distributions.Categorical(logits=model["actor"](state))
            action = policy.sample()
            _, fell = poles.step(action)
            logged.append(policy.log_prob(action))
            entropies.append(policy.entropy())
            values.append(model["critic"](state)[:, 0])
            rewards.append(torch.ones(16))
            masks.append(1 - fell.float())
            lengths.append(poles.age.mean())
        with torch.no_grad():
            sofar = model["critic"](poles.state)[:, 0]
        returns = []
        for reward, mask in zip(rewards[::-1], masks[::-1]):
            sofar = reward + 0.99 * sofar * mask
            returns.append(sofar)
        returns, values = torch.stack(returns[::-1]), torch.stack(values)
        gain = returns - values
        loss = -(torch.stack(logged) * gain.detach()).mean() + 0.5 * gain.square().mean()
        loss = loss - 0.01 * torch.stack(entropies).mean()
        loss.backward()
        return loss.item(), {"reward": torch.stack(lengths).mean()}

    optimizer = RMSprop(model.parameters(), 2e-3)
    job = Job(model, optimizer, None, None, 400, 2, 3, "a2c", 160, clip=("norm", 0.5))
    job.backward = backward
    may = """clipping_every_step loss_divergence loss_plateau loss_oscillation loss_spike
        gradient_spike""".split()
    return job, healthy("values rise with the poles' time upright, and the loss with them", may)


def deep_q(seed, poles):
    """Learns Q values from a replay memory that 8 poles fill."""
    model, target = MLP([4, 64, 64, 2]), MLP([4, 64, 64, 2])
    target.load_state_dict(model.state_dict())
    memory = []

    def source(step):
        for _ in range(2 if step else 60):
            state = poles.state
            with torch.no_grad():
                action = model(state).argmax(1)
            lost = torch.rand(len(state)) < max(0.05, 1 - step / 200)
            action = torch.where(lost, torch.randint(2, action.shape), action)
            after, fell = poles.step(action)
            memory.extend(zip(state, action, after, fell.float()))
        if step % 40 == 0:
            target.load_state_dict(model.state_dict())
        rows = torch.randint(len(memory), (64,)).tolist()
        return [torch.stack(column) for column in zip(*(memory[i] for i in rows))]

    def loss(model, batch):
        state, action, after, fell = batch
        with torch.no_grad():
            wanted = 1 + 0.99 * (1 - fell) * target(after).max(1).values
        value = model(state).gather(1, action[:, None])[:, 0]
        return F.smooth_l1_loss(value, wanted), {"q": value.detach().mean()}

    job = Job(model, Adam(model.parameters(), 1e-3), source, loss, 400, 2, 3, "huber", 64)
    may = ["loss_divergence", "loss_plateau", "loss_spike", "gradient_spike"]
    return job, healthy("a new target every 40 steps; values rise from 0", may)


@case("experts_balanced", "experts_table", "four experts with a loss that balances them")
def experts(seed):
    x, y = data.blobs(seed, distance=1.4)
    model = nn.Sequential(nn.Linear(24, 32), Experts(32, 4, 48), nn.Linear(32, 8))

    def loss(model, batch):
        value, extras = classify(model, batch)
        shares = model[1].gate(model[0](batch[0])).softmax(1)
        load = F.one_hot(shares.argmax(1), 4).float().mean(0)
        return value + 0.04 * (load * shares.mean(0)).sum(), extras

    source = data.batches(x, y, 64, seed)
    return Job(model, Adam(model.parameters(), 1e-3), source, loss, 300, 2, 3, "ce", 64), healthy()


@case("two_towers_clicks", "towers", "embeddings of users and items, logistic loss")
def towers(seed):
    pairs, score = data.ratings(seed)
    model = nn.ModuleDict({"user": nn.Embedding(300, 16), "item": nn.Embedding(200, 16)})
    model["head"] = MLP([32, 32, 1])

    def loss(model, batch):
        pair, wanted = batch
        both = torch.cat([model["user"](pair[:, 0]), model["item"](pair[:, 1])], 1)
        return F.binary_cross_entropy_with_logits(model["head"](both)[:, 0], wanted)

    source = data.batches(pairs, (score > 0).float(), 128, seed)
    return Job(model, Adam(model.parameters(), 2e-3), source, loss, 360, 3, 2, "bce", 128), (
        healthy()
    )
