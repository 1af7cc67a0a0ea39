import math
import sys

import gradwatch
import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
way = sys.argv[1]  # sigmoid, xavier or relu
activation = nn.ReLU if way == "relu" else nn.Sigmoid
layers = [nn.Linear(2, 64), activation()]
for _ in range(7):
    layers += [nn.Linear(64, 64), activation()]
model = nn.Sequential(*layers, nn.Linear(64, 2))
for layer in model:
    if way == "xavier" and isinstance(layer, nn.Linear):
        nn.init.xavier_normal_(layer.weight)
    elif way == "relu" and isinstance(layer, nn.Linear):
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
optimizer = torch.optim.SGD(model.parameters(), lr=0.03)


def spirals(count=256):
    label, radius = torch.randint(0, 2, (count,)), torch.rand(count)
    angle = 3 * math.pi * radius + math.pi * label
    place = radius[:, None] * torch.stack([angle.cos(), angle.sin()], 1)
    return place + 0.01 * torch.randn(count, 2), label


run = gradwatch.init(project="spirals", run_id=way, config={"activation": activation.__name__})
gradwatch.watch(model, optimizer)
run.on_alert(print)

for step in range(400):
    points, labels = spirals()
    loss = F.cross_entropy(model(points), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    run.log(loss=loss)
print(f"loss {loss.item():.3f}; {run.finish()}")
