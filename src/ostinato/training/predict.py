"""predict: what a model says about any number of examples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ostinato.data.examples import Batch, Examples
from ostinato.decoding.decoders import decoder_of
from ostinato.tasks.base import Outputs, Task
from ostinato.training.bptt import why_not_carried
from ostinato.training.stream import Stream

MOST_NUMBERS = 1 << 26
"""About as many numbers a layer may hold at once (256 MiB): batches are smaller where sequences are long."""
WIDTH = 256
"""Numbers a step is taken to need, at least."""


def predict(
    model: nn.Module,
    task: Task,
    examples: Examples,
    *,
    window: int = 0,
    batch_size: int = 256,
    device: torch.device | str | None = None,
) -> Outputs:
    """The task's outputs for all examples, in their order; for an answer a step, all steps end to end.

    Sequences of like length share a batch, but no answer depends on its batch.

    Args:
        model: is moved to ``device`` and left there; its mode (train or eval) is kept.
        task: says what an output means.
        examples: with targets or without.
        window: sequences longer than this are run in windows of so many steps, the state carried over: the same
            answers, and memory for one window only. 0: as long as memory allows. Models that need the whole sequence
            at once (both directions, pooling over all steps, forecasts) get whole sequences always.
        batch_size: most sequences at once.
        device: None: where the model is.
    """
    return Assessment(model, task, examples, window=window, batch_size=batch_size, device=device).run(loss=False)[1]


def calibrated(model: nn.Module, task: Task, valid: Examples) -> Task:
    """The task that knows from the validation part how sure ``model`` may be; as it is where it does not ask."""
    return task.calibrated(predict(model, task, valid), valid) if task.calibrates and len(valid) else task


def evaluate_loss(
    model: nn.Module,
    task: Task,
    examples: Examples,
    *,
    window: int = 0,
    batch_size: int = 256,
    device: torch.device | str | None = None,
) -> float:
    """The mean loss over all answers of the examples, which must have targets; NaN if there is none. See `predict`."""
    return Assessment(model, task, examples, window=window, batch_size=batch_size, device=device).run(outputs=False)[0]


class Assessment:
    """One pass over examples without gradient, which gives their loss, their outputs, or both (see `predict`).

    ``greedy``: answers that are searched are searched without a beam, which is quicker.
    """

    def __init__(
        self,
        model: nn.Module,
        task: Task,
        examples: Examples,
        *,
        window: int = 0,
        batch_size: int = 256,
        device: torch.device | str | None = None,
        greedy: bool = False,
    ) -> None:
        if device is None:
            device = next((weight.device for weight in model.parameters()), torch.device("cpu"))
        self.model, self.task, self.examples = model, task, examples
        width = max(WIDTH, task.spec.output_size if task.spec.outputs == "step" else 0)
        self.most_steps = max(1, MOST_NUMBERS // width)
        self.window = 0 if why_not_carried(model, task) else min(window or self.most_steps, self.most_steps)
        self.batch_size, self.device = max(1, batch_size), torch.device(device)
        self.decode = decoder_of(task, greedy=greedy)
        self.answers, self.losses = 0, False

    def run(self, *, loss: bool = True, outputs: bool = True) -> tuple[float, Outputs]:
        """The mean loss (NaN unless asked for) and the outputs (empty unless asked for)."""
        collected = _Collector(self.task, self.examples.lengths)
        total, self.answers, self.losses = 0.0, 0, loss
        was_training = self.model.training
        self.model.to(self.device).eval()
        try:
            with torch.inference_mode():
                for output, batch, starts in self._pieces():
                    if outputs:
                        answer = output if self.decode is None else self.decode(self.model, batch, output)
                        assert answer is not None
                        collected.add(self.task.outputs(answer, batch), batch, starts)
                    if loss and output is not None:
                        mean, count = self.task.loss(output, batch)
                        if count:  # or the mean may be NaN
                            total, self.answers = total + float(mean) * count, self.answers + count
        finally:
            self.model.train(was_training)
        return total / self.answers if self.answers else float("nan"), collected.outputs() if outputs else {}

    def _pieces(self) -> Iterator[tuple[Tensor | None, Batch, Tensor]]:
        """Output (None where only a decoder might want it), batch, and where each of its sequences begins here."""
        for index in self._chunks():
            views = self.task.views(self.examples.take(index).to(self.device))
            for pieces in zip(*map(self._read, views), strict=True):
                output, batch, starts = pieces[0]
                if len(pieces) > 1:
                    output = _mean([piece[0] for piece in pieces])
                yield output, batch, starts

    def _read(self, batch: Batch) -> Iterator[tuple[Tensor | None, Batch, Tensor]]:
        begin = torch.zeros(len(batch), dtype=torch.int64)
        if self.decode is not None:
            yield (self.model(batch)[0] if self.losses else None), batch, begin
        elif not self.window or int(batch.inputs.lengths.max()) <= self.window:
            yield self.model(batch)[0], batch, begin
        elif self.task.spec.outputs == "step":
            yield from self._steps(batch)
        else:
            yield from self._ends(batch)

    def _chunks(self) -> Iterator[Tensor]:
        """Indices of like lengths, shortest first, so many at once as memory allows."""
        lengths = self.examples.lengths
        order = lengths.argsort(stable=True)
        spans = (lengths[order].clamp(max=self.window) if self.window else lengths[order]).tolist()
        start = 0
        for stop in range(1, len(order) + 1):
            full = stop - start == self.batch_size
            if stop == len(order) or full or (stop - start + 1) * spans[stop] > self.most_steps:
                yield order[start:stop]
                start = stop

    def _steps(self, batch: Batch) -> Iterator[tuple[Tensor, Batch, Tensor]]:
        begin = torch.zeros(len(batch), dtype=torch.int64)
        for window, output in Stream(self.model, batch, self.window):
            yield output, window.batch, begin[window.rows]
            begin[window.rows] += window.batch.inputs.lengths

    def _ends(self, batch: Batch) -> Iterator[tuple[Tensor, Batch, Tensor]]:
        """A sequence's answer is that of the window it ends in."""
        answers: Tensor | None = None
        for window, output in Stream(self.model, batch, self.window):
            if answers is None:
                answers = output.new_zeros(len(batch), *output.shape[1:])
            answers[window.rows.to(output.device)] = output
        assert answers is not None  # a batch has at least one window
        yield answers, batch, torch.zeros(len(batch), dtype=torch.int64)


def _mean(outputs: Sequence[Tensor | None]) -> Tensor | None:
    """Over the views of a batch; None where a decoder wants no output."""
    there = [output for output in outputs if output is not None]
    return torch.stack(there).mean(0) if there else None


class _Collector:
    """Puts the outputs of batches where their examples belong."""

    def __init__(self, task: Task, lengths: Tensor) -> None:
        self.per_step = task.spec.outputs == "step"
        self.lengths = lengths.numpy()
        self.offsets = np.concatenate([[0], np.cumsum(self.lengths)])
        self.arrays: dict[str, np.ndarray] = {}
        self.kinds: dict[str, bool] = {}

    def add(self, outputs: Outputs, batch: Batch, starts: Tensor) -> None:
        index, lengths = batch.index.numpy(), batch.inputs.lengths.numpy()
        for key, values in outputs.items():
            by_step = self.per_step and values.shape[0] == lengths.sum()
            places = self._steps(index, starts.numpy(), lengths) if by_step else index
            if len(places) != values.shape[0]:
                raise ValueError(
                    f"output '{key}' has {values.shape[0]} rows for {len(index)} examples of {lengths.sum()} steps"
                )
            self._place(key, places, values, by_step)

    def _steps(self, index: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        first = self.offsets[index] + starts
        ends = np.cumsum(lengths)
        rows: np.ndarray = np.arange(lengths.sum()) + np.repeat(first - (ends - lengths), lengths)
        return rows

    def _place(self, key: str, places: np.ndarray, values: np.ndarray, by_step: bool) -> None:
        if key not in self.arrays:
            total = self.offsets[-1] if by_step else len(self.lengths)
            self.arrays[key] = np.empty((total, *values.shape[1:]), values.dtype)
        self.arrays[key][places] = values

    def outputs(self) -> Outputs:
        return self.arrays
