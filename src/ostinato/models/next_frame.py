"""NextFrame: what a film shows next, and how it goes on."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ostinato.nn import ConvLSTM
from ostinato.sequences import Ragged

DARK = -2.0
"""The logit of a pixel to begin with: most pixels of a film with a black ground are dark."""


class NextFrame(nn.Module):
    """``p[t+1] = σ(W * h[t] + b)``, ``h = ConvLSTM(x)``: brightness from 0 to 1 of every pixel of the next frame.

    The loss is the cross entropy of every pixel, as in Shi et al. (2015, arXiv 1506.04214, section 3.2).

    Args:
        channels: ``C`` of a frame.
        hidden: channels of the state.
        layers: of the ConvLSTM.
        kernel: its side; what moves faster than ``layers * (kernel // 2)`` pixels a frame is out of sight.
    """

    def __init__(self, channels: int = 1, hidden: int = 16, layers: int = 1, kernel: int = 5) -> None:
        super().__init__()
        self.recurrent = ConvLSTM(channels, hidden, kernel, layers)
        self.head = nn.Conv2d(hidden, channels, 1)
        assert self.head.bias is not None
        nn.init.constant_(self.head.bias, DARK)

    def forward(
        self, films: Ragged, state: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Ragged, tuple[Tensor, Tensor]]:
        """Logits ``(N, C, height, width)`` of the frame after each frame ``(N, C, height, width)``, and the state."""
        steps, state = self.recurrent(films, state)
        return steps.map(self.head), state

    def loss(self, films: Ragged) -> Tensor:
        """Mean cross entropy a pixel, in nats, of every frame but the first, each from those before it.

        Raises:
            ValueError: no film has two frames.
        """
        told, truth = aligned(self(films)[0], films)
        if not len(truth):
            raise ValueError("there is no next frame to learn from: every film has less than two")
        return F.binary_cross_entropy_with_logits(told, truth)

    @torch.no_grad()
    def go_on(self, films: Ragged, count: int) -> Tensor:
        """The next ``count`` frames of each film, ``(B, count, C, height, width)``, each fed back to see the next.

        Raises:
            ValueError: a film has no frame to go on from.
        """
        if not bool((films.lengths > 0).all()):
            raise ValueError("a film without a frame cannot go on")
        logits, state = self(films)
        frame, found = logits.last(1).values.sigmoid(), []
        once = torch.ones(len(films), dtype=torch.int64)
        for _ in range(count):
            found.append(frame)
            logits, state = self(Ragged(frame, once), state)
            frame = logits.values.sigmoid()
        return torch.stack(found, dim=1)


def aligned(said: Ragged, films: Ragged) -> tuple[Tensor, Tensor]:
    """What was said of the next frame, and that frame, ``(N', …)`` each: of every frame but the first of a film."""
    first, last = torch.ones(2, len(films.values), dtype=torch.bool)
    some = films.lengths > 0
    first[films.offsets[:-1][some]] = False
    last[films.offsets[1:][some] - 1] = False
    device = films.values.device
    return said.values[last.to(device)], films.values[first.to(device)]
