"""What memory is for: add two marked numbers of a long sequence (Hochreiter & Schmidhuber, 1997).

Each step is a random number and a mark. Exactly two steps are marked; the answer is the sum of their numbers. Always
answering 1 has a mean squared error of 1/6, and without memory nothing does much better.
"""

import torch
from torch import Tensor

from ostinato import nn

STEPS, BATCH, UPDATES, LOOK_BACK = 30, 64, 700, 10


class Recurrent(torch.nn.Module):
    """A recurrent layer, and a sum read from its last state."""

    def __init__(self, layer: nn.Layer) -> None:
        super().__init__()
        self.layer, self.head = layer, torch.nn.Linear(layer.hidden_size, 1)

    def forward(self, x: Tensor) -> Tensor:
        """``x`` ``(B, T, 2)``; gives ``(B,)``."""
        output, _ = self.layer(x)
        return self.head(output[:, -1]).squeeze(1)


class FeedForward(torch.nn.Module):
    """The same task without memory: a network that sees the last steps at once."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(2 * LOOK_BACK, 64), torch.nn.Tanh(), torch.nn.Linear(64, 64), torch.nn.Tanh()
        )
        self.head = torch.nn.Linear(64, 1)

    def forward(self, x: Tensor) -> Tensor:
        """``x`` ``(B, T, 2)``; gives ``(B,)``."""
        return self.head(self.layers(x[:, -LOOK_BACK:].flatten(1))).squeeze(1)


def adding(count: int) -> tuple[Tensor, Tensor]:
    """Sequences ``(count, STEPS, 2)`` with one mark in each half, and their sums ``(count,)``."""
    numbers, marks, rows = torch.rand(count, STEPS), torch.zeros(count, STEPS), torch.arange(count)
    marks[rows, torch.randint(0, STEPS // 2, (count,))] = 1
    marks[rows, torch.randint(STEPS // 2, STEPS, (count,))] = 1
    return torch.stack([numbers, marks], 2), (numbers * marks).sum(1)


def error_after_training(model: torch.nn.Module) -> float:
    """The mean squared error on new sequences."""
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(UPDATES):
        x, y = adding(BATCH)
        optimizer.zero_grad()
        (model(x) - y).square().mean().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    with torch.no_grad():
        x, y = adding(1000)
        return float((model(x) - y).square().mean())


def main() -> None:
    torch.manual_seed(0)
    models = {
        f"feed-forward, last {LOOK_BACK} steps": FeedForward(),
        "RNN": Recurrent(nn.RNN(2, 32, batch_first=True)),
        "LSTM": Recurrent(nn.LSTM(2, 32, batch_first=True, forget_bias=1.0)),
    }
    print(f"adding two of {STEPS} numbers; always answering 1 has an error of {1 / 6:.3f}")
    for name, model in models.items():
        print(f"{name:28} mean squared error {error_after_training(model):.4f}")


if __name__ == "__main__":
    main()
