"""Batches of similar lengths, windows for truncated backpropagation through time, and lanes of a long document."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ostinato.data.examples import Batch, Examples, SequenceExamples
from ostinato.data.excerpt import excerpt
from ostinato.sequences import Ragged

JITTER = 0.15
"""Lengths are multiplied by a random factor in ``1 ± JITTER`` before sorting, so batches differ from epoch to epoch."""


def batches(examples: Examples, size: int, seed: int, epoch: int, shuffle: bool = True, count: int = 0) -> list[Tensor]:
    """Which examples stand together in each batch of an epoch; the same for the same ``(seed, epoch)``.

    Examples of similar lengths stand together; batches come in random order and are of equal size within one.

    Args:
        examples: what to draw from.
        size: largest number of examples in a batch.
        seed: of the run.
        epoch: counted from 0.
        shuffle: False gives every example once, from the shortest to the longest, always the same.
        count: examples an epoch draws; 0: all. Epochs go on where the last one stopped, so that after
            ``k * len(examples)`` draws every example came ``k`` times.

    Returns:
        Index tensors ``(B,)`` int64.
    """
    if size < 1 or count < 0:
        raise ValueError("a batch needs a size of at least 1, and count cannot be negative")
    if not len(examples):
        return []
    lengths = examples.lengths.numpy()
    if not shuffle:
        drawn = np.argsort(lengths, kind="stable")
        return [torch.from_numpy(part) for part in np.array_split(drawn, -(-len(drawn) // size))]
    drawn = _draw(len(examples), seed, epoch, count or len(examples))
    random = np.random.default_rng([seed, 1, epoch])
    keys = (lengths[drawn] + 1) * random.uniform(1 - JITTER, 1 + JITTER, len(drawn))
    parts = np.array_split(drawn[np.argsort(keys, kind="stable")], -(-len(drawn) // size))
    return [torch.from_numpy(parts[number]) for number in random.permutation(len(parts))]


def _draw(total: int, seed: int, epoch: int, count: int) -> np.ndarray:
    """Places ``epoch * count`` to ``(epoch + 1) * count`` of an endless row of permutations of ``total`` examples."""
    first, stop = epoch * count, (epoch + 1) * count
    rounds = range(first // total, -(-stop // total))
    row = np.concatenate([np.random.default_rng([seed, 0, number]).permutation(total) for number in rounds])
    return row[first - rounds.start * total : stop - rounds.start * total]


@dataclass(frozen=True)
class Window:
    """Some steps of the sequences of a batch.

    Args:
        batch: the steps; its sequences are the slots ``rows`` of the whole batch. Targets a step are cut along; targets
            a sequence are given where the sequence ends in this window and marked as missing (-1, or NaN) elsewhere.
        rows: ``(B',)``, slots of the whole batch, the longest sequence first; the next window's rows are the first of
            these, so its state is ``state[:, : len(next.rows)]``.
        first: whether sequences begin here (the state is the initial one).
        last: ``(B',)`` bool, which of ``rows`` end here.
    """

    batch: Batch
    rows: Tensor
    first: bool
    last: Tensor


def windows(batch: Batch, window: int) -> Iterator[Window]:
    """Cuts a batch into windows of ``window`` steps (0: one window of everything), longest sequence first.

    Every step comes once, and every sequence ends once; a sequence of no steps ends in the first window.
    """
    if window < 0:
        raise ValueError("a window cannot be negative")
    lengths = batch.inputs.lengths
    order = torch.argsort(lengths, descending=True, stable=True)
    longest = max(int(lengths.max()) if len(lengths) else 0, 1)
    for start in range(0, longest, window or longest):
        stop = start + (window or longest)
        rows = order[: len(order) if start == 0 else int((lengths > start).sum())]
        last = lengths[rows] <= stop
        yield Window(_cut(batch, rows, start, stop, last), rows, start == 0, last)


def _cut(batch: Batch, rows: Tensor, start: int, stop: int, last: Tensor) -> Batch:
    lengths = (batch.inputs.lengths[rows].clamp(max=stop) - start).clamp(min=0)
    piece = excerpt(batch, rows, torch.full_like(rows, start), lengths)
    if not isinstance(piece.targets, Tensor):
        return piece
    targets = piece.targets  # a copy already: an excerpt takes rows by index
    targets[~last.to(targets.device)] = float("nan") if targets.is_floating_point() else -1
    return replace(piece, targets=targets)


def lanes(examples: SequenceExamples, count: int) -> SequenceExamples:
    """Cuts long sequences into about ``count`` contiguous lanes of nearly equal lengths, to be read side by side.

    Every step stays, in order; a lane never spans two sequences. With ``count`` sequences or more nothing is cut.
    Each lane but a sequence's first begins without the state of the one before it.

    Raises:
        ValueError: examples have static inputs, parts or targets a sequence, which cannot be cut.
    """
    if examples.static is not None or examples.parts is not None or isinstance(examples.targets, Tensor):
        raise ValueError("only steps and targets a step can be cut into lanes")
    lengths = examples.lengths.numpy()
    if len(lengths) >= count or not lengths.sum():
        return examples
    size = -(-int(lengths.sum()) // count)
    while int(np.maximum(-(-lengths // size), 1).sum()) > count:
        size += 1
    pieces = [piece for length in lengths.tolist() for piece in _nearly_equal(length, max(-(-length // size), 1))]
    sizes = torch.tensor(pieces, dtype=torch.int64)
    targets = examples.targets
    return SequenceExamples(
        inputs=Ragged(examples.inputs.values, sizes),
        targets=Ragged(targets.values, sizes) if isinstance(targets, Ragged) else None,
    )


def _nearly_equal(total: int, count: int) -> list[int]:
    return [total // count + (number < total % count) for number in range(count)]
