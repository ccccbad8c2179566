"""FeedForward: the same last steps, but no memory; the rival that a recurrent model must beat."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from ostinato.data.examples import Batch
from ostinato.data.spec import Spec
from ostinato.errors import UsageError
from ostinato.models.check import check
from ostinato.models.dropout import rows_of
from ostinato.models.front import Front
from ostinato.models.settings import ModelSettings
from ostinato.models.stack import State
from ostinato.sequences import Ragged
from ostinato.sequences.ragged import steps_of


class FeedForward(nn.Module):
    """``y = W3 relu(W2 relu(W1 [x[t-k+1]; …; x[t]; static] + b1) + b2) + b3``: two hidden layers over ``k`` steps.

    What it sees: for an answer a sequence, the last ``k`` steps; for a causal answer a step (language), steps ``t-k+1``
    to ``t``; for a tag a step, the ``k`` steps around ``t`` (``k // 2`` before it). Steps that do not exist are zeros,
    and a flag beside each step says whether it exists. It shares the front with the recurrent models, so both see the
    same inputs.

    Its state is what it saw last (the steps themselves, ``(k', B, I + 1)``, so that windows of a long sequence give the
    same answers as the whole), never anything it computed from them.

    Args:
        spec: sizes of the examples.
        look_back: ``k``.
        hidden: units of each hidden layer.
        settings: the front's part of it, and ``dropout``, are read; None: the defaults.

    Raises:
        UsageError: ``look_back`` or ``hidden`` is not positive, or the settings do not fit the task.
    """

    def __init__(self, spec: Spec, look_back: int, hidden: int = 128, settings: ModelSettings | None = None) -> None:
        super().__init__()
        settings = settings or ModelSettings()
        check(spec, settings)
        if look_back < 1 or hidden < 1:
            raise UsageError(f"a feed-forward network needs a look-back and units of at least 1: {look_back}, {hidden}")
        if spec.outputs == "horizon":
            raise UsageError("a forecast has rivals of its own: repeat_last, seasonal_naive, random_walk")
        self.spec, self.look_back, self.hidden = spec, look_back, hidden
        self.before, self.after = _span(spec, look_back)
        # What is true of this network: it pools nothing, and reads what comes after a step only in a centred window.
        self.settings = replace(settings, bidirectional=self.after > 0, pool="last", tied=False)
        self.front = Front(spec, self.settings, static=False)
        width = look_back * (self.front.size + 1) + spec.static_size
        self.layers = nn.Sequential(
            nn.Linear(width, hidden),
            nn.ReLU(),
            nn.Dropout(settings.dropout),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Dropout(settings.dropout),
            nn.Linear(hidden, spec.output_size),
        )

    def embed(self, batch: Batch) -> Ragged:
        """The float inputs ``(N, I)``, without the static ones."""
        inputs: Ragged = self.front(batch)
        return inputs

    def forward(self, batch: Batch, state: State | None = None, embedded: Ragged | None = None) -> tuple[Tensor, State]:
        """Answers ``(B, K)`` or ``(N, K)``, and the steps the next window must still see.

        Args:
            batch: ``B`` examples.
            state: from the window before, one tensor ``(k', B, I + 1)``; None: nothing was before.
            embedded: ``(N, I)`` from :meth:`embed`; None: computed here.

        Raises:
            UsageError: a state is given, but the answers need steps of the next window too.
        """
        if state is not None and self.after:
            raise UsageError("this network sees steps after the one it answers for: set training.window=0")
        steps = self.embed(batch) if embedded is None else embedded
        flagged = steps.map(lambda values: torch.cat([values, torch.ones_like(values[:, :1])], dim=-1))
        padded = _surround(flagged, state[0] if state else None, self.before, self.after)
        seen = self._windows(padded)
        if self.spec.static_size:
            seen = torch.cat([seen, self._static(batch, steps)], dim=-1)
        kept = padded.last(self.before).values.reshape(len(steps), self.before, self.front.size + 1).transpose(0, 1)
        answers: Tensor = self.layers(seen)
        return answers, () if self.after else (kept,)

    def _windows(self, padded: Ragged) -> Tensor:
        """The ``k`` steps each answer sees, side by side: ``(B or N, k * (I + 1))``."""
        if self.spec.outputs == "sequence":
            return padded.last(self.look_back).values.reshape(len(padded), self.look_back * (self.front.size + 1))
        starts = steps_of(padded.offsets[:-1], padded.lengths - (self.look_back - 1))
        numbers = starts[:, None] + torch.arange(self.look_back)
        return padded.values[numbers.to(padded.values.device)].flatten(1)

    def _static(self, batch: Batch, steps: Ragged) -> Tensor:
        if batch.static is None:
            raise ValueError(f"static inputs must be ({len(steps)}, {self.spec.static_size}), found none")
        static = batch.static.to(steps.values.dtype)
        return static if self.spec.outputs == "sequence" else static.index_select(0, rows_of(steps))


def _span(spec: Spec, look_back: int) -> tuple[int, int]:
    """How many steps stand before the first step and after the last one."""
    if spec.outputs == "sequence":
        return look_back, 0
    if spec.causal:
        return look_back - 1, 0
    return look_back // 2, look_back - 1 - look_back // 2


def _surround(steps: Ragged, before: Tensor | None, count: int, after: int) -> Ragged:
    """Every sequence with ``count`` steps before it (``before`` ``(count, B, I)``, or zeros) and ``after`` zeros."""
    size, width = len(steps), steps.values.shape[1]
    device = steps.values.device
    lengths = steps.lengths + count + after
    starts = lengths.cumsum(0) - lengths
    values = steps.values.new_zeros(int(lengths.sum()), width)
    if before is not None and count:
        places = steps_of(starts, torch.full_like(lengths, count)).to(device)
        values = values.index_copy(0, places, before.transpose(0, 1).reshape(size * count, width))
    places = steps_of(starts + count, steps.lengths).to(device)
    return Ragged(values.index_copy(0, places, steps.values), lengths)
