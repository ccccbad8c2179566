"""Bptt: the losses of a batch, one for each update, with backpropagation through the whole time or a window of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from ostinato.data.examples import Batch
from ostinato.data.excerpt import excerpt, step_rows
from ostinato.errors import UsageError
from ostinato.tasks.base import Task
from ostinato.training.device import Precision
from ostinato.training.settings import TrainingSettings
from ostinato.training.stream import State, Stream


class Bptt:
    """What is run, and which of it carries a gradient.

    - ``window`` 0: whole sequences, one update a batch.
    - ``window`` W, an answer a step: windows of W steps, one update each. The state is carried from one to the next,
      detached: a gradient reaches at most W steps back (Williams and Peng 1990, BPTT(W; W)). The first ``burn_in``
      steps of each window take part in the gradient but have no loss of their own, so that every loss reaches at
      least ``burn_in`` steps back.
    - ``window`` W, an answer a sequence: one update a batch. All but the last W steps are run without gradient, in
      windows; their state is carried into the last W, which are.

    A text or a series that is longer than any window comes as few long sequences (lanes), which is the second case.

    Raises:
        UsageError: these settings do not fit the task or the model.
    """

    def __init__(self, model: nn.Module, task: Task, settings: TrainingSettings, precision: Precision) -> None:
        self.model, self.task, self.precision = model, task, precision
        self.window, self.burn_in = settings.window, settings.burn_in
        self.per_step = task.spec.outputs == "step"
        self.state: State | None = None
        self._check()

    def _check(self) -> None:
        if self.burn_in and not self.per_step:
            raise UsageError("training.burn_in needs a task with an answer a step; set it to 0")
        if self.burn_in and self.task.spec.chain:
            raise UsageError("a CRF weighs the labels of a whole sequence: set training.burn_in=0 or task.crf=false")
        if self.window and self.burn_in >= self.window:
            raise UsageError(
                f"training.burn_in ({self.burn_in}) leaves no step of a window of {self.window} to learn from; "
                "make it smaller than training.window"
            )
        obstacle = why_not_carried(self.model, self.task) if self.window else ""
        if obstacle:
            raise UsageError(f"training.window={self.window} cannot be used: {obstacle}; or set training.window=0")

    def updates(self, longest: int) -> int:
        """Updates that a batch gives whose longest sequence has so many steps."""
        return -(-longest // self.window) if self.window and self.per_step else 1

    def steps(self, lengths: Tensor, order: Sequence[Tensor]) -> int:
        """Updates of an epoch over the batches ``order`` of sequences with ``lengths``."""
        if not (self.window and self.per_step):
            return len(order)
        return sum(self.updates(int(lengths[index].max())) for index in order)

    def losses(self, batch: Batch, first: int = 0) -> Iterator[tuple[Tensor, int, int]]:
        """For each update, from ``first`` on: the mean loss, how many answers it is over, and over how many steps.

        Weights may change between two of them. :attr:`state` is what the next one starts from (None: nothing is
        carried); to go on in the middle of a batch, set it before.
        """
        if first >= self.updates(int(batch.inputs.lengths.max())):
            self.state = None
            return
        if not self.window:
            yield *self._loss(self._forward(batch, None)[0], batch), len(batch.inputs.values)
        elif not self.per_step:
            yield *self._loss(self._ends(batch), batch), len(batch.inputs.values)
        else:
            stream = Stream(self._forward, batch, self.window, state=self.state, first=first)
            for window, output in stream:
                self.state = stream.state
                yield *self._loss(output, window.batch), len(window.batch.inputs.values)
            self.state = None

    def _forward(self, batch: Batch, state: State | None) -> tuple[Tensor, State]:
        with self.precision.autocast():
            output, state = self.model(batch, state)
        return output, state

    def _loss(self, output: Tensor, batch: Batch) -> tuple[Tensor, int]:
        if self.burn_in:
            lengths = (batch.inputs.lengths - self.burn_in).clamp(min=0)
            rows = lengths.nonzero()[:, 0]
            starts, lengths = torch.full_like(rows, self.burn_in), lengths[rows]
            if not len(rows):
                return output.sum() * 0.0, 0
            output = output[step_rows(batch.inputs, rows, starts, lengths).to(output.device)]
            batch = excerpt(batch, rows, starts, lengths)
        with self.precision.autocast():
            return self.task.loss(output, batch)

    def _ends(self, batch: Batch) -> Tensor:
        """The answers of whole sequences, of which only the last steps carry a gradient."""
        lengths = batch.inputs.lengths
        short, long = (lengths <= self.window).nonzero()[:, 0], (lengths > self.window).nonzero()[:, 0]
        if not len(long):
            return self._forward(batch, None)[0]
        long = long[lengths[long].argsort(descending=True, stable=True)]  # the order in which a stream gives its state
        heads = lengths[long] - self.window
        tails = excerpt(batch, long, heads, torch.full_like(long, self.window))
        state = self._state_after(excerpt(batch, long, torch.zeros_like(long), heads))
        output = self._forward(tails, state)[0]
        if len(short):
            whole = self._forward(excerpt(batch, short, torch.zeros_like(short), lengths[short]), None)[0]
            order = torch.cat([short, long]).argsort().to(output.device)
            output = torch.cat([whole, output])[order]
        return output

    def _state_after(self, batch: Batch) -> State:
        """The state at the end of every sequence, without gradient."""
        parts: State = ()
        stream = Stream(self._forward, batch, self.window)
        with torch.no_grad():
            for window, _ in stream:
                assert stream.state is not None
                if window.first:
                    parts = tuple(part.clone() for part in stream.state)
                for whole, part in zip(parts, stream.state, strict=True):
                    whole[:, : part.shape[1]] = part
        return parts


def why_not_carried(model: nn.Module, task: Task) -> str:
    """Why a sequence cannot be run window by window with its state carried over; empty where it can."""
    settings, spec = getattr(model, "settings", None), task.spec
    if spec.outputs == "horizon":
        return "a forecast reads its look-back as a whole"
    pooled = spec.outputs == "sequence" and getattr(settings, "pool", "last") != "last"
    obstacles = (
        (bool(task.decoder), "an answer is searched for in the whole sequence"),
        (spec.chain, "a CRF weighs the labels of a whole sequence; set task.crf=false"),
        (
            getattr(settings, "bidirectional", False),
            "the model also reads backwards, from the end; set model.bidirectional=false",
        ),
        (
            getattr(settings, "segment", 1) > 1,
            "a window need not end where a segment of steps ends; set model.segment=1",
        ),
        (pooled, "the model pools over all steps; set model.pool=last"),
    )
    return next((why for there, why in obstacles if there), "")
