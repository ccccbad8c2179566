"""What a model did on one sequence, step by step, as plain arrays with names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from ostinato.data.examples import Batch
from ostinato.errors import UsageError
from ostinato.models.head import SequenceHead
from ostinato.models.pool import AttentionPool
from ostinato.models.sequence import SequenceModel
from ostinato.models.stack import Stack, State
from ostinato.sequences import Ragged


@dataclass(frozen=True)
class LayerSteps:
    """One layer in one direction at every step.

    Args:
        layer: counted from 1, the one that reads the inputs.
        direction: ``forward`` or ``backward``.
        gates: by the cell's names (an LSTM's ``i f g o``), ``(T, H)`` each, after their activations.
        states: by the cell's names (``h``, an LSTM's ``c``), ``(T, H)`` each, after the step; a matrix memory is laid
            out in one row. Steps stand in the order of the sequence, in the backward direction too.
    """

    layer: int
    direction: str
    gates: Mapping[str, np.ndarray]
    states: Mapping[str, np.ndarray]

    def summary(self) -> dict[str, np.ndarray]:
        """One number a step, ``(T,)`` each: the mean of each gate, and the norm ``|s|`` of each state."""
        means = {name: values.mean(axis=1) for name, values in self.gates.items()}
        return means | {f"|{name}|": np.linalg.norm(values, axis=1) for name, values in self.states.items()}


@dataclass(frozen=True)
class Inspection:
    """What a model did on one sequence.

    Args:
        inputs: ``(T, I)``, what the first layer read: a step of the sequence each, of a forecast a segment each.
        output: the model's answer without its batch dimension: ``(K,)``, ``(T, K)`` or ``(horizon, Q)``.
        layers: from the first to the last, forward before backward.
        attention: ``(T,)``, the share of each step in the answer, where the model pools by attention.
    """

    inputs: np.ndarray
    output: np.ndarray
    layers: tuple[LayerSteps, ...]
    attention: np.ndarray | None = None


def inspect(model: nn.Module, batch: Batch) -> Inspection:
    """Runs one sequence and keeps what happened inside; the answer is the same as without looking.

    Args:
        model: of :func:`ostinato.models.build`.
        batch: of one sequence.

    Raises:
        ValueError: the batch does not hold exactly one sequence.
        UsageError: the model has no memory to look into.
    """
    if len(batch) != 1:
        raise ValueError(f"one sequence can be inspected at a time, not {len(batch)}")
    stack = getattr(model, "stack", None)
    if not isinstance(stack, Stack):
        raise UsageError(f"a {type(model).__name__} has no memory to look into: inspect a recurrent model")
    training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            output, (steps, state) = _answer(model, stack, batch)
            traced = stack.trace(steps, state)
            attention = _attention(model, traced[-1].output)
    finally:
        model.train(training)
    directions = ("forward", "backward")[: stack.directions]
    layers = tuple(
        LayerSteps(number, direction, _arrays(trace.gates), _arrays(trace.states))
        for number, layer in enumerate(traced, 1)
        for direction, trace in zip(directions, layer.traces, strict=True)
    )
    answer = _array(output if _per_step(model) else output[0])
    return Inspection(_array(steps.values), answer, layers, attention)


def _answer(model: nn.Module, stack: Stack, batch: Batch) -> tuple[torch.Tensor, tuple[Ragged, State | None]]:
    """The model's answer, and what its stack was given first (a forecaster uses its stack again for the future)."""
    given: list[tuple[Ragged, State | None]] = []

    def keep(_: nn.Module, arguments: tuple[Any, ...]) -> None:
        given.append((arguments[0], arguments[1] if len(arguments) > 1 else None))

    handle = stack.register_forward_pre_hook(keep)
    try:
        output, _ = model(batch)
    finally:
        handle.remove()
    return output, given[0]


def _per_step(model: nn.Module) -> bool:
    return isinstance(model, SequenceModel) and model.spec.outputs == "step"


def _attention(model: nn.Module, steps: Ragged) -> np.ndarray | None:
    head = model.head if isinstance(model, SequenceModel) else None
    if isinstance(head, SequenceHead) and isinstance(head.pool, AttentionPool):
        return _array(head.pool.weights(steps))
    return None


def _arrays(named: Any) -> dict[str, np.ndarray]:
    return {name: _array(part.values.flatten(1)) for name, part in named._asdict().items()}


def _array(values: torch.Tensor) -> np.ndarray:
    array: np.ndarray = values.float().cpu().numpy()
    return array
