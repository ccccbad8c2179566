"""Strands: DNA is read from both ends; the other strand of a sequence is its reverse complement."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ostinato.data.examples import Batch
from ostinato.sequences import Ragged, reverse


def other_strand(inputs: Ragged, complements: Tensor | None = None) -> Ragged:
    """Every sequence from its end, each base by its complement.

    Args:
        inputs: shares of the bases A, C, G, T ``(N, 4)``, or ids ``(N,)``.
        complements: ``(V,)``, of ids: the id of the reverse complement of each symbol.
    """
    turned = reverse(inputs)
    if complements is None:
        return turned.map(lambda values: values.flip(1))  # A C G T by T G C A
    return turned.map(lambda ids: complements.to(ids.device)[ids])


def either_strand(batch: Batch, other: Batch) -> Batch:
    """Each sequence at random as it stands in ``batch`` or in ``other``, whose sequences have the same lengths."""
    hit = torch.rand(len(batch)) < 0.5
    rows = hit.repeat_interleave(batch.inputs.lengths).to(batch.inputs.values.device)
    inputs = _chosen(rows, batch.inputs, other.inputs)
    if isinstance(batch.targets, Ragged) and isinstance(other.targets, Ragged):
        return replace(batch, inputs=inputs, targets=_chosen(rows, batch.targets, other.targets))
    return replace(batch, inputs=inputs)


def _chosen(rows: Tensor, one: Ragged, other: Ragged) -> Ragged:
    mask = rows.reshape(-1, *[1] * (one.values.dim() - 1))
    return Ragged(torch.where(mask, other.values, one.values), one.lengths)
