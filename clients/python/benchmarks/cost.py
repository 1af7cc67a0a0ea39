"""What watching costs: a transformer of 12 layers on one thread, beside wandb and TensorBoard, in turn in one run.

    pip install ./clients/python[torch] wandb tensorboard
    python clients/python/benchmarks/cost.py --collector PATH/TO/collector [--steps 20] [--rounds 5] [--device cuda]

12 layers, 256 wide, 8 x 128 words a step. Prints a Markdown table: the median of rounds that take turns, of a step's
wall time and of the processor time of the process, all threads; and the share of what it is without anything.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import logging
import os
import platform
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Callable, Iterator
from unittest import mock

import gradwatch
import torch
from gradwatch.pytorch import Watcher
from torch import nn
from torch.nn import functional as F

WORDS, WIDTH, DEPTH, TIME, BATCH = 8192, 256, 12, 128, 8


class Block(nn.Module):
    """A transformer block: normalization first."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.attention = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 3 * WIDTH)
        self.projection, self.norm2 = nn.Linear(WIDTH, WIDTH), nn.LayerNorm(WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x):
        query, key, value = (
            t.view(*t.shape[:2], 4, WIDTH // 4).transpose(1, 2) for t in self.attention(self.norm1(x)).chunk(3, -1)
        )
        seen = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.projection(seen.transpose(1, 2).flatten(2))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class Transformer(nn.Module):
    """11.6 million parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(WORDS, WIDTH), nn.Embedding(TIME, WIDTH)
        self.blocks = nn.Sequential(*[Block() for _ in range(DEPTH)])
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, WORDS, bias=False)
        self.head.weight = self.words.weight

    def forward(self, ids):
        x = self.words(ids) + self.places.weight[: ids.shape[1]]
        return self.head(self.norm(self.blocks(x)))


class Training:
    """A model, its optimizer, and a step."""

    def __init__(self, device: str) -> None:
        torch.manual_seed(0)
        self.model = Transformer().to(device)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-4)
        self._ids = torch.randint(0, WORDS, (BATCH, TIME + 1), device=device)

    def step(self) -> torch.Tensor:
        loss = F.cross_entropy(self.model(self._ids[:, :-1]).flatten(0, 1), self._ids[:, 1:].flatten())
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss


Log = Callable[[torch.Tensor], None]


@contextlib.contextmanager
def nothing(training: Training, _: str) -> Iterator[Log]:
    yield lambda loss: None


def watching(**options) -> Callable:
    @contextlib.contextmanager
    def watched(training: Training, address: str) -> Iterator[Log]:
        with gradwatch.init(project="cost", address=address) as run:
            gradwatch.watch(training.model, training.optimizer, **options)
            yield lambda loss: run.log(loss=loss)
        if run.status.dropped:
            raise RuntimeError(f"the collector did not keep up: {run.status}")

    return watched


@contextlib.contextmanager
def wandb_watch(training: Training, _: str) -> Iterator[Log]:
    import wandb

    with tempfile.TemporaryDirectory() as folder:
        settings = wandb.Settings(silent=True, x_disable_stats=True)
        with wandb.init(mode="offline", dir=folder, settings=settings) as run:
            run.watch(training.model, log="gradients", log_freq=1)
            yield lambda loss: run.log({"loss": loss.item()})
            run.unwatch()


@contextlib.contextmanager
def tensorboard(training: Training, _: str) -> Iterator[Log]:
    from torch.utils.tensorboard import SummaryWriter

    with tempfile.TemporaryDirectory() as folder:
        writer, count = SummaryWriter(folder), 0

        def log(loss: torch.Tensor) -> None:
            nonlocal count
            writer.add_scalar("loss", loss.item(), count)
            for name, parameter in training.model.named_parameters():
                writer.add_histogram(name, parameter.grad, count)
            count += 1

        yield log
        writer.close()


WAYS = {
    "nothing": nothing,
    "gradwatch, as it is": watching(),
    "gradwatch, without activations": watching(activations=False),
    "gradwatch, norms alone": watching(details_every=0),
    "gradwatch, everything on every step": watching(details_every=1),
    "wandb.watch, every step": wandb_watch,
    "TensorBoard, a histogram a tensor, every step": tensorboard,
}


def measure(way: Callable, training: Training, address: str, steps: int, device: str) -> tuple[float, float]:
    """Seconds of wall and of processor time a step; the first two are not counted."""
    with way(training, address) as log:
        for step in range(steps + 2):
            if step == 2:
                wall, processor = time.perf_counter(), time.process_time()
            log(training.step())
        if device != "cpu":
            torch.cuda.synchronize()
        return (time.perf_counter() - wall) / steps, (time.process_time() - processor) / steps


def watch_through(wrap: Callable, training: Training, options: dict) -> None:
    """Watches a training with what `wrap` makes of our hooks."""
    with mock.patch.object(Watcher, "_will_step", wrap(Watcher._will_step)), \
         mock.patch.object(Watcher, "_did_step", wrap(Watcher._did_step)):  # fmt: skip
        gradwatch.watch(training.model, training.optimizer, **options)


def in_our_calls(address: str, steps: int, device: str, **options) -> float:
    """The share of the training thread's processor time that is spent inside of our hooks and `log`."""
    spent = 0.0

    def timed(call):
        def measured(*arguments, **more):
            nonlocal spent
            start = time.thread_time()
            try:
                return call(*arguments, **more)
            finally:
                spent += time.thread_time() - start

        return measured

    training = Training(device)
    with gradwatch.init(project="cost", address=address) as run:
        watch_through(timed, training, options)
        log = timed(run.log)
        for step in range(steps + 10):
            if step == 10:
                spent, start = 0.0, time.thread_time()
            log(loss=training.step())
        whole = time.thread_time() - start
    return spent / (whole - spent)


def in_turn(address: str, steps: int, device: str, **options) -> tuple[float, float]:
    """How much longer steps take that are watched than those of the same training between them that are not: wall and
    processor time. What the machine's speed does to one it does to the other."""
    training, sums, is_watched = Training(device), {True: [0.0, 0.0], False: [0.0, 0.0]}, True

    def if_watched(call):
        return lambda *arguments: call(*arguments) if is_watched else None

    with gradwatch.init(project="cost", address=address) as run:
        watch_through(if_watched, training, options)
        for step in range(2 * steps + 2):
            is_watched = step % 2 == 0
            wall, processor = time.perf_counter(), time.process_time()
            loss = training.step()
            if is_watched:
                run.log(loss=loss)
            if device != "cpu":
                torch.cuda.synchronize()
            if step > 1:
                sums[is_watched][0] += time.perf_counter() - wall
                sums[is_watched][1] += time.process_time() - processor
    return tuple(with_us / without - 1 for with_us, without in zip(sums[True], sums[False]))


@contextlib.contextmanager
def collector(binary: str | None) -> Iterator[str]:
    """A collector of our own, or none: `127.0.0.1:1`, and the reports are dropped."""
    if not binary:
        yield os.environ.get("GRADWATCH_ADDRESS", "127.0.0.1:1")
        return
    with tempfile.TemporaryDirectory() as folder:
        command = [binary, "serve", "--listen", "127.0.0.1:0", "--database", f"{folder}/db.sqlite"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            yield process.stdout.readline().removeprefix("listening on ").strip()
        finally:
            process.kill()
            process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--collector", help="the collector's binary")
    parser.add_argument("--steps", type=int, default=20, help="of a round; a multiple of 10")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--only", nargs="*", default=list(WAYS), choices=list(WAYS), metavar="WAY")
    options = parser.parse_args()
    torch.set_num_threads(1)
    logging.getLogger("gradwatch").setLevel(logging.ERROR)
    found: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS if way in ("nothing", *options.only)}
    with collector(options.collector) as address:
        for index in range(options.rounds):
            # Forth and back, so that a machine that gets slower or faster does so for all.
            for name in list(found)[:: 1 if index % 2 == 0 else -1]:
                training = Training(options.device)
                found[name].append(measure(WAYS[name], training, address, options.steps, options.device))
        calls = {
            "as it is": in_our_calls(address, 20, options.device),
            "everything on every step": in_our_calls(address, 10, options.device, details_every=1),
        }
        turns = {
            "as it is": in_turn(address, 4 * options.steps, options.device),
            "everything on every step": in_turn(address, 4 * options.steps, options.device, details_every=1),
        }
    place = torch.cuda.get_device_name() if options.device != "cpu" else processor_name()
    print(f"{place}, {os.cpu_count()} cores, torch {torch.__version__}, {datetime.date.today()}; one thread;"
          f" median of {options.rounds} rounds of {options.steps} steps that take turns\n")  # fmt: skip
    print("| what | ms a step | more | processor, ms | more | more, least and most of the rounds |")
    print("|---|---|---|---|---|---|")
    base = [statistics.median(values) for values in zip(*found["nothing"])]
    for name, rounds in found.items():
        wall, processor = (statistics.median(values) for values in zip(*rounds))
        shares = sorted(own[1] / plain[1] - 1 for own, plain in zip(rounds, found["nothing"]))
        print(f"| {name} | {wall * 1e3:.0f} | {wall / base[0] - 1:+.1%} | {processor * 1e3:.0f} |"
              f" {processor / base[1] - 1:+.1%} | {shares[0]:+.1%} to {shares[-1]:+.1%} |")  # fmt: skip
    print("\nInside of our calls, of the training thread's processor time: "
          + ", ".join(f"{name} {share:.2%}" for name, share in calls.items()) + ".")  # fmt: skip
    print("Every other step watched, more of wall and processor time: "
          + ", ".join(f"{name} {wall:.2%} and {processor:.2%}" for name, (wall, processor) in turns.items()) + ".")  # fmt: skip


def processor_name() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    models = [line.split(":")[1].strip() for line in lines if "model name" in line]
    return models[0] if models else platform.processor()


if __name__ == "__main__":
    main()
