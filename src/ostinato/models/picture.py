"""Pictures: a small convolutional network that turns every frame into a vector."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

WIDTH = 64
"""Size of a frame's vector where the recipe names none."""
CHANNELS = (16, 32, 64, 64)
"""Of the convolutions, from the first; the last one again where there are more."""
SMALLEST = 8
"""A side up to which pictures are not halved any more."""
MOST_NUMBERS = 1 << 25
"""Numbers of the largest layer that are held at once (128 MiB); more frames are read part by part."""


class Pictures(nn.Module):
    """``v = W flatten(pool(relu(conv(… x))))``: 3 x 3 convolutions, each followed by a halving, then a linear layer.

    There are as many as it takes to bring both sides to :data:`SMALLEST` or below, at least one. Every frame is read by
    itself: what moves is for the recurrent stack to see, and where things are is kept by the flat order.

    Many frames are read part by part, and in training each part is computed anew on the way back (Chen et al. 2016,
    arXiv 1604.06174), so memory does not grow with the length of a film.

    Args:
        frame: ``(C, height, width)`` of a picture.
        scale: mean and standard deviation of its bytes.
        width: size of a vector.
    """

    def __init__(self, frame: tuple[int, ...], scale: tuple[float, ...], width: int) -> None:
        super().__init__()
        channels, height, sideways = frame
        self.frame, self.scale, self.size = frame, scale, width
        layers: list[nn.Module] = []
        largest = 0
        while not layers or max(height, sideways) > SMALLEST:
            wide = CHANNELS[min(len(layers) // 3, len(CHANNELS) - 1)]
            largest = max(largest, wide * height * sideways)
            layers += [nn.Conv2d(channels, wide, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2, ceil_mode=True)]
            channels, height, sideways = wide, -(-height // 2), -(-sideways // 2)
        self.convolutions = nn.Sequential(*layers)
        self.linear = nn.Linear(channels * height * sideways, width)
        self.most = max(1, MOST_NUMBERS // largest)

    def forward(self, steps: Tensor) -> Tensor:
        """``(N, C * height * width)`` bytes in, ``(N, width)`` out."""
        parts = torch.split(steps, self.most) if len(steps) else (steps,)
        if len(parts) == 1:
            return self._read(steps)
        again = torch.is_grad_enabled()
        return torch.cat(
            [
                cast(Tensor, checkpoint(self._read, part, use_reentrant=False)) if again else self._read(part)
                for part in parts
            ]
        )

    def _read(self, steps: Tensor) -> Tensor:
        pictures = scaled(steps, self.scale).view(-1, *self.frame)
        found: Tensor = self.linear(self.convolutions(pictures).flatten(1))
        return found

    def extra_repr(self) -> str:
        """For ``print(model)``."""
        return f"frame={self.frame}, width={self.size}"


def scaled(steps: Tensor, scale: tuple[float, ...]) -> Tensor:
    """Bytes as numbers of mean 0 and standard deviation 1: ``(x - mean) / std``."""
    mean, std = scale
    return (steps - mean) / std
