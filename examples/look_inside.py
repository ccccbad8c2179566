"""What the gates do: an LSTM learns to keep the one marked letter of many, and we look at it step by step."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

from ostinato import nn

LETTERS, STEPS, UPDATES = "abcd", 10, 500


def letters(count: int) -> tuple[Tensor, Tensor]:
    """``x`` ``(B, T, 5)``: a letter a step, and a mark at one of them; ``y`` ``(B,)``: the marked letter."""
    symbols, rows = torch.randint(0, len(LETTERS), (count, STEPS)), torch.arange(count)
    marked = torch.randint(0, STEPS - 2, (count,))
    marks = torch.zeros(count, STEPS, 1)
    marks[rows, marked] = 1
    return torch.cat([one_hot(symbols, len(LETTERS)), marks], 2), symbols[rows, marked]


def bar(value: Tensor) -> str:
    """A mean between 0 and 1 as a bar of ten characters."""
    return ("█" * round(10 * float(value.mean()))).ljust(10, "·")


def main() -> None:
    torch.manual_seed(0)
    layer = nn.LSTM(len(LETTERS) + 1, 16, batch_first=True, forget_bias=1.0)
    head = torch.nn.Linear(16, len(LETTERS))
    optimizer = torch.optim.Adam([*layer.parameters(), *head.parameters()], lr=0.01)
    for _ in range(UPDATES):
        x, y = letters(64)
        loss = cross_entropy(head(layer(x)[0][:, -1]), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    with torch.no_grad():
        x, y = letters(1000)
        right = (head(layer(x)[0][:, -1]).argmax(1) == y).float().mean()
        traced = layer.trace(x[:1])
    gates = traced.traces[0].gates  # i, f, g, o, each (B, T, H)
    written = (gates.i * gates.g).abs()

    print(f"{right:.0%} right on new sequences; one of them, means over the units:\n")
    print("letter  written i*g   kept f      answer so far")
    for t in range(STEPS):
        letter = LETTERS[int(x[0, t, :-1].argmax())] + ("*" if x[0, t, -1] else " ")
        answer = LETTERS[int(head(traced.output[0, t]).argmax())]
        print(f"  {letter}    {bar(written[0, t])}    {bar(gates.f[0, t])}  {answer}")


if __name__ == "__main__":
    main()
