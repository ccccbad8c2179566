"""Live: a model that goes along with a signal while it comes in, block by block or step by step."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from ostinato.errors import UsageError
from ostinato.models import SequenceModel
from ostinato.models.head import StepHead
from ostinato.tasks.base import Task
from ostinato.tasks.signal import Signal

if TYPE_CHECKING:
    from ostinato.nn.layer import Hidden


class Live:
    """Blocks of a signal in, as many steps of the answer out; the state is kept from one call to the next.

    Blocks of any sizes, and single steps between them, give the same answers as the whole signal at once. It has its
    own copy of the weights, runs on the CPU and serves one signal; more than one need a ``Live`` each.

    Args:
        model: of :func:`ostinato.models.build`, trained for this task.
        task: signal.

    Raises:
        UsageError: the task is no signal's.
    """

    def __init__(self, model: nn.Module, task: Task) -> None:
        self.task = signal(task)
        if not isinstance(model, SequenceModel):
            raise UsageError(f"a {type(model).__name__} does not go along with a signal")
        own = copy.deepcopy(model).cpu().eval()
        self._front, self._layers, self._head, self._skip = own.front.embedding, own.stack.layers, own.head, own.skip
        self._linear = tuple(_linear(part) for part in (self._front, self._head, self._skip))
        self._streams = [layer.stream(1) for layer in own.stack.layers]  # type: ignore[operator]
        self._in, self._out = _affine(self.task.scale_in.mean, self.task.scale_in.std), self.task.scale_out
        self._states: list[Hidden] | None = None  # None: the streams hold them

    def reset(self) -> None:
        """A new signal begins."""
        for stream in self._streams:
            stream.reset()
        self._states = None

    def block(self, steps: np.ndarray) -> np.ndarray:
        """The answers ``(T, K)`` to ``steps`` ``(T, C)``, or ``(T,)`` to ``(T,)`` where each is one channel; float32.

        Raises:
            ValueError: they are of another shape.
        """
        channels, flat = len(self.task.inputs), np.ndim(steps) == 1
        values = np.asarray(steps, dtype=np.float32).reshape(-1, 1) if flat else np.asarray(steps, dtype=np.float32)
        if values.ndim != 2 or values.shape[1] != channels:
            raise ValueError(f"a block is (T, {channels}), not {np.shape(steps)}")
        answers = np.zeros((0, len(self.task.targets)), dtype=np.float32)
        if len(values):
            mean, scale = self._in
            with torch.inference_mode():
                output = self._run(torch.from_numpy((values - mean) * scale)[:, None])
            answers = self._out.decode(output[:, 0].numpy()).astype(np.float32)
        return answers[:, 0] if flat and answers.shape[1] == 1 else answers

    def _run(self, given: Tensor) -> Tensor:
        """``(T, 1, C)`` to ``(T, 1, K)``, both scaled."""
        states = self._states or [stream.state for stream in self._streams]
        hidden: Tensor = given if self._front is None else self._front(given)
        for number, layer in enumerate(self._layers):
            hidden, states[number] = layer(hidden, states[number])
        self._states = states
        assert isinstance(self._head, StepHead)
        answer: Tensor = self._head.linear(hidden)
        return answer if self._skip is None else answer + self._skip(given)

    def step(self, values: np.ndarray | float) -> np.ndarray:
        """The answer ``(K,)`` float32 to one step ``(C,)``: a short way for single steps, without PyTorch."""
        if self._states is not None:
            for stream, state in zip(self._streams, self._states, strict=True):
                stream.load(state)
            self._states = None
        mean, scale = self._in
        front, head, skip = self._linear
        given = (np.atleast_1d(np.asarray(values, dtype=np.float32)) - mean) * scale
        hidden = _applied(front, given)
        for stream in self._streams:
            hidden = stream.step(hidden)
        answer = _applied(head, hidden)
        if self._skip is not None:
            answer = answer + _applied(skip, given)
        decoded: np.ndarray = self._out.decode(answer).astype(np.float32)
        return decoded


def signal(task: Task) -> Signal:
    """The task, if it is a signal's; raises ``UsageError`` otherwise."""
    if not isinstance(task, Signal):
        raise UsageError(f"only a model of signals goes along with one; this one was trained for '{task.name}'")
    return task


def _affine(mean: tuple[float, ...], std: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    return np.array(mean, dtype=np.float32), (1.0 / np.array(std)).astype(np.float32)


def _linear(part: nn.Module | None) -> tuple[np.ndarray, np.ndarray] | None:
    """Weight and bias of a linear layer, or of the one a head holds; None where there is none."""
    layer = getattr(part, "linear", part)
    if not isinstance(layer, nn.Linear):
        return None
    bias: Tensor = layer.weight.new_zeros(len(layer.weight)) if layer.bias is None else layer.bias
    return layer.weight.detach().cpu().numpy(), bias.detach().cpu().numpy()


def _applied(linear: tuple[np.ndarray, np.ndarray] | None, values: np.ndarray) -> np.ndarray:
    """Without a layer the values as they are."""
    return values if linear is None else linear[0] @ values + linear[1]
