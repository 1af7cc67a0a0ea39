"""A transformer, a ResNet and an LSTM, trained with a fault and without: what the collector says of them."""

import pytest

torch = pytest.importorskip("torch")
import networks  # noqa: E402
from torch.nn import functional as F  # noqa: E402

import gradwatch  # noqa: E402


def train(collector, run_id, model, data, optimizer, *, steps=200, bound=None):
    """Trains as a user would, with activations measured."""
    torch.set_num_threads(1)
    with gradwatch.init(project="models", run_id=run_id, address=collector.address) as run:
        gradwatch.watch(model, optimizer, activations=True)
        for step in range(steps):
            inputs, labels = data(step)
            outputs = model(inputs)
            loss = F.cross_entropy(outputs.flatten(0, -2), labels.flatten())
            optimizer.zero_grad()
            loss.backward()
            if bound:
                torch.nn.utils.clip_grad_norm_(model.parameters(), bound)
            optimizer.step()
            run.log(loss=loss)
        assert run.settle()
    assert run.status.delivered == steps
    return loss.item()


def of_rule(collector, run_id: str, rule: str):
    """The first alert of a rule."""
    return min((a for a in collector.alerts(run_id) if a.rule == rule), key=lambda alert: alert.first_step)


def test_a_transformer(collector):
    torch.manual_seed(1)
    model = networks.Transformer()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    assert train(collector, "sound", model, networks.text, optimizer, bound=1.0) < 2
    assert collector.rules("sound") == set()

    torch.manual_seed(1)
    model = networks.Transformer()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.3)
    assert train(collector, "fast", model, networks.text, optimizer, steps=120) > 4
    assert collector.rules("fast") == {"exploding_gradient", "update_ratio_too_high"}
    alert = of_rule(collector, "fast", "update_ratio_too_high")
    assert alert.severity == 3 and alert.first_step == 0
    assert "learning rate" in alert.remedies[0].action


def test_a_resnet(collector):
    torch.manual_seed(1)
    model = networks.resnet()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    assert train(collector, "sound", model, networks.images, optimizer) < 0.3
    assert collector.rules("sound") == set()

    def broken(step):
        pictures, labels = networks.images(step)
        if step == 60:
            pictures[3] = float("nan")
        return pictures, labels

    torch.manual_seed(1)
    model = networks.resnet()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    train(collector, "broken", model, broken, optimizer, steps=80)
    assert collector.rules("broken") == {"non_finite_gradient", "non_finite_loss"}
    alert = of_rule(collector, "broken", "non_finite_gradient")
    assert alert.first_step == 60 and "nearest to the loss 8.bias" in alert.summary

    torch.manual_seed(1)
    model = networks.resnet()
    with torch.no_grad():
        model[3].norm1.bias.fill_(-6)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    train(collector, "dead", model, networks.images, optimizer, steps=140)
    assert collector.rules("dead") == {"dead_relu"}
    assert list(of_rule(collector, "dead", "dead_relu").evidence.layers) == ["3.norm1"]


def test_an_lstm(collector):
    torch.manual_seed(1)
    model = networks.Recurrent()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    train(collector, "sound", model, networks.sequences, optimizer, steps=300, bound=1.0)
    assert collector.rules("sound") == set()

    torch.manual_seed(1)
    model = networks.Recurrent()
    with torch.no_grad():
        for name, parameter in model.lstm.named_parameters():
            if "weight" in name:
                parameter.mul_(20)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    train(collector, "large", model, networks.sequences, optimizer, steps=120)
    assert collector.rules("large") == {"exploding_gradient", "poor_initialization"}
    alert = of_rule(collector, "large", "exploding_gradient")
    assert alert.first_step == 0 and list(alert.evidence.layers) == ["lstm"]
