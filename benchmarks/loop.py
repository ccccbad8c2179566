"""What the training loop costs over a hand-written PyTorch loop around the same model, batches and optimizer.

    python -m benchmarks.loop

Both train the same LSTM classifier over the same epoch, in turn, in one process; the table gives the median of the
rounds. The loop of ostinato also shows progress to a callback, looks at every loss, and keeps the best weights.
"""

from __future__ import annotations

import argparse
import platform
import statistics
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn

from ostinato.data.batching import batches
from ostinato.data.examples import Batch, SequenceExamples
from ostinato.data.spec import Spec
from ostinato.sequences import Ragged
from ostinato.training import Callback, OptimizerSettings, Trainer, TrainingSettings

SIZES = ((8, 16, 20), (32, 64, 50), (32, 128, 100), (64, 256, 100))
"""Sequences in a batch, hidden size, steps."""
CHANNELS, LABELS, EXAMPLES = 16, 5, 1024


class Classifier(nn.Module):
    """An LSTM over equal lengths and a linear layer on its last step."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(CHANNELS, hidden, batch_first=True)
        self.head = nn.Linear(hidden, LABELS)

    def forward(self, batch: Batch, state: Any = None) -> tuple[Tensor, tuple[Tensor, ...]]:
        steps, final = self.lstm(batch.inputs.values.view(len(batch), -1, CHANNELS), state)
        return self.head(steps[:, -1]), final


class Labels:
    """Cross entropy."""

    spec = Spec(inputs="values", input_size=CHANNELS, outputs="sequence", output_size=LABELS)
    watch, higher_is_better = "loss", False

    def loss(self, output: Tensor, batch: Batch) -> tuple[Tensor, int]:
        assert isinstance(batch.targets, Tensor)
        return nn.functional.cross_entropy(output, batch.targets), len(batch)


class Clocked(Callback):
    """Time from the first update of the epoch to its end; the first update itself is left out on both sides."""

    def __init__(self) -> None:
        self.marks: list[float] = []

    def on_step(self, progress: Any) -> None:  # noqa: ARG002
        self.marks.append(perf_counter())


def examples(steps: int, count: int) -> SequenceExamples:
    torch.manual_seed(0)
    inputs = Ragged(torch.randn(count * steps, CHANNELS), torch.full((count,), steps))
    return SequenceExamples(inputs=inputs, targets=torch.randint(0, LABELS, (count,)))


def ours(model: Classifier, train: SequenceExamples, size: int) -> float:
    clock = Clocked()
    trainer = Trainer(
        model,
        Labels(),  # type: ignore[arg-type]
        train,
        train_nothing(),
        TrainingSettings(epochs=1, batch_size=size, device="cpu"),
        OptimizerSettings(name="adam", learning_rate=1e-3, schedule="cosine", clip_norm=1.0),
        callbacks=[clock],
    )
    trainer.fit()
    return (clock.marks[-1] - clock.marks[0]) / (len(clock.marks) - 1)


def train_nothing() -> SequenceExamples:
    return SequenceExamples(inputs=Ragged(torch.empty(0, CHANNELS), torch.empty(0, dtype=torch.int64)))


def by_hand(model: Classifier, train: SequenceExamples, size: int) -> float:
    task = Labels()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    order = batches(train, size, 0, 0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, len(order))
    total, marks = 0.0, []
    model.train()
    for index in order:
        batch = train.take(index)
        optimizer.zero_grad()
        loss, count = task.loss(model(batch)[0], batch)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        total += loss.item() * count
        marks.append(perf_counter())
    return (marks[-1] - marks[0]) / (len(marks) - 1)


def compare(size: int, hidden: int, steps: int, rounds: int) -> tuple[float, float]:
    train = examples(steps, max(EXAMPLES, 16 * size) if hidden < 256 else 16 * size)
    times: dict[str, list[float]] = {"ours": [], "hand": []}
    for number in range(rounds + 1):
        turn = [("ours", ours), ("hand", by_hand)]
        for name, loop in turn if number % 2 else reversed(turn):
            torch.manual_seed(1)
            seconds = loop(Classifier(hidden), train, size)
            if number:  # the first round warms up
                times[name].append(seconds)
    return statistics.median(times["ours"]), statistics.median(times["hand"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    processor = platform.processor() or platform.machine()
    print(f"python -m benchmarks.loop --rounds {arguments.rounds} --threads {arguments.threads}")
    print(f"{datetime.now(UTC):%Y-%m-%d}, {processor}, {platform.system()}, PyTorch {torch.__version__}\n")
    print("| batch | hidden | steps | by hand, ms | ostinato, ms | ratio |")
    print("| ----: | -----: | ----: | ----------: | -----------: | ----: |")
    for size, hidden, steps in SIZES:
        mine, hand = compare(size, hidden, steps, arguments.rounds)
        print(f"| {size} | {hidden} | {steps} | {1e3 * hand:.3f} | {1e3 * mine:.3f} | {mine / hand:.3f} |", flush=True)


if __name__ == "__main__":
    main()
