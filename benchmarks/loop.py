"""What the training loop costs over a hand-written PyTorch loop around the same model, batches and optimizer.

    python -m benchmarks.loop

Both train the same LSTM classifier on the same batches, one update each in turn, in one process; the table gives
medians over the updates, in CPU time, which a busy machine disturbs least. Ostinato's share holds everything it does
beside: telling a callback where it stands, looking at every loss and gradient for what is not finite, the clock.
"""

from __future__ import annotations

import argparse
import platform
import statistics
from datetime import UTC, datetime
from time import process_time
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
CHANNELS, LABELS, WARM = 16, 5, 5


class Classifier(nn.Module):
    """An LSTM over equal lengths and a linear layer on its last step."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(CHANNELS, hidden, batch_first=True)
        self.head = nn.Linear(hidden, LABELS)

    def forward(self, batch: Batch, state: Any = None) -> tuple[Tensor, tuple[Tensor, ...]]:  # noqa: D102
        steps, final = self.lstm(batch.inputs.values.view(len(batch), -1, CHANNELS), state)
        return self.head(steps[:, -1]), final


class Labels:
    """Cross entropy."""

    spec = Spec(inputs="values", input_size=CHANNELS, outputs="sequence", output_size=LABELS)
    watch, higher_is_better = "loss", False

    def loss(self, output: Tensor, batch: Batch) -> tuple[Tensor, int]:  # noqa: D102
        assert isinstance(batch.targets, Tensor)
        return nn.functional.cross_entropy(output, batch.targets), len(batch)


class ByHand(Callback):
    """The hand-written loop, which makes one update after each of the trainer's; times both."""

    def __init__(self, model: Classifier, train: SequenceExamples, size: int) -> None:
        self.model, self.train, self.task = model.train(), train, Labels()
        self.optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
        self.order = batches(train, size, 0, 0)
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, len(self.order))
        self.next, self.total = iter(self.order), 0.0
        self.ours: list[float] = []
        self.hand: list[float] = []
        self.mark = process_time()

    def on_step(self, progress: Any) -> None:  # noqa: ARG002, D102
        start = process_time()
        self.update(next(self.next))
        stop = process_time()
        self.ours.append(start - self.mark)
        self.hand.append(stop - start)
        self.mark = process_time()

    def update(self, index: Tensor) -> None:  # noqa: D102
        batch = self.train.take(index)
        self.optimizer.zero_grad()
        loss, count = self.task.loss(self.model(batch)[0], batch)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.schedule.step()
        self.total += loss.item() * count


def examples(steps: int, count: int) -> SequenceExamples:
    torch.manual_seed(0)
    inputs = Ragged(torch.randn(count * steps, CHANNELS), torch.full((count,), steps))
    return SequenceExamples(inputs=inputs, targets=torch.randint(0, LABELS, (count,)))


def compare(size: int, hidden: int, steps: int, updates: int) -> tuple[float, float, float]:
    """Median seconds of an update by the trainer and by hand, and the median of their ratio, pair by pair."""
    train = examples(steps, updates * size)
    torch.manual_seed(1)
    mine, other = Classifier(hidden), Classifier(hidden)
    other.load_state_dict(mine.state_dict())
    hand = ByHand(other, train, size)
    training = TrainingSettings(epochs=1, batch_size=size, device="cpu")
    optimizer = OptimizerSettings(name="adam", learning_rate=1e-3, schedule="cosine", clip_norm=1.0)
    Trainer(mine, Labels(), train, examples(1, 0), training, optimizer, callbacks=[hand]).fit()  # type: ignore[arg-type]
    pairs = list(zip(hand.ours, hand.hand, strict=True))[WARM:]
    ratio = statistics.median(ours / theirs for ours, theirs in pairs)
    return statistics.median(ours for ours, _ in pairs), statistics.median(theirs for _, theirs in pairs), ratio


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--updates", type=int, default=100)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    processor = platform.processor() or platform.machine()
    print(f"python -m benchmarks.loop --updates {arguments.updates} --threads {arguments.threads}")
    print(f"{datetime.now(UTC):%Y-%m-%d}, {processor}, {platform.system()}, PyTorch {torch.__version__}\n")
    print("| batch | hidden | steps | by hand, ms | ostinato, ms | ratio |")
    print("| ----: | -----: | ----: | ----------: | -----------: | ----: |")
    for size, hidden, steps in SIZES:
        mine, hand, ratio = compare(size, hidden, steps, arguments.updates)
        print(f"| {size} | {hidden} | {steps} | {1e3 * hand:.3f} | {1e3 * mine:.3f} | {ratio:.3f} |", flush=True)


if __name__ == "__main__":
    main()
