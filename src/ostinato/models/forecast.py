"""Forecast models: segments in, segments out, and the rival without memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from ostinato.data.examples import Batch
from ostinato.data.spec import Spec
from ostinato.errors import UsageError
from ostinato.models.check import check
from ostinato.models.settings import ModelSettings
from ostinato.models.stack import Stack, State
from ostinato.sequences import Ragged
from ostinato.sequences.ragged import steps_of

TRUST = 2.0
"""Bias of the trust in the last season at first: ``sigmoid(2) = 0.88``, where the seasonal naive forecast begins."""


class DecodeSettings(Protocol):
    """What a forecast model reads of the ``task`` group (models and tasks stand side by side, so no import)."""

    @property
    def head(self) -> str:
        """``quantiles``, or a distribution, whose place is its first number."""
        ...

    @property
    def decode(self) -> str:
        """``direct`` or ``rollout``."""
        ...

    @property
    def quantiles(self) -> Sequence[float]:
        """Of the forecast."""
        ...


class ForecastModel(nn.Module):
    """Reads the past in segments of ``w`` steps, writes the future in segments (after SegRNN, Lin et al. 2023).

    A plain recurrent forecaster has to carry what matters over hundreds of steps, one by one, and does little better
    than the last value. Read ``w`` steps at once, the same past is a few dozen steps of memory::

        e[k] = relu(W [x[kw], …, x[kw+w-1]] + b)              segment k, with its covariates
        h[k] = cell(e[k], h[k-1])
        u[j] = p[j] + V static + U known[j]                   what is asked of the future: its place, and what is known
        v[j] = cell(u[j], h[last])
        y[j] = D v[j] + d + sigmoid(G v[j] + g) * s[j]        segment j of the horizon, all quantiles

    ``s`` is the last season, again and again: the forecast of the seasonal naive method. How far to trust it is asked
    of the memory, step by step; the rest is what differs from it. Where nothing repeats itself, that term is absent.
    Of several seasons ``s`` is a mean with weights ``softmax(M v[j] + m)``, step by step; one that a sequence does not
    show is taken for the first. Of a distribution only the place is moved by it, not the width.

    ``direct``: all ``j`` at once, each from the same memory. ``rollout``: one after the other; the middle quantile of
    ``y[j]`` is read as the next segment of the past, and ``p`` is the same for all.

    A sequence that is no whole number of segments is filled up at its beginning with its first step; a shorter sequence
    has fewer segments. Nothing else is padded, so an answer never depends on the batch around it.

    Args:
        spec: sizes; ``horizon``, ``look_back`` and ``segment`` are set.
        settings: the ``model`` group of the recipe.
        task: the ``task`` group; ``decode``, ``head`` and ``quantiles`` are read.

    Raises:
        UsageError: settings that do not fit a forecast.
    """

    def __init__(self, spec: Spec, settings: ModelSettings, task: DecodeSettings) -> None:
        super().__init__()
        check(spec, settings)
        self.spec, self.settings = spec, settings
        self.feeds_back = task.decode == "rollout"
        free = task.head == "quantiles"
        self.middle = sorted(set(task.quantiles)).index(0.5) if free else 0
        self.moved = spec.output_size if free else 1
        self.segment = spec.segment
        self.block = min(spec.segment, spec.horizon)
        self.count = -(-spec.horizon // self.block)
        hidden = settings.hidden
        self.read = nn.Linear(self.segment * (spec.input_size + spec.known_size), hidden)
        self.stack = Stack(hidden, settings)
        self.place = nn.Parameter(torch.randn(1 if self.feeds_back else self.count, hidden) * 0.1)
        self.static = nn.Linear(spec.static_size, hidden, bias=False) if spec.static_size else None
        self.ahead = nn.Linear(self.block * spec.known_size, hidden, bias=False) if spec.known_size else None
        self.dropout = nn.Dropout(settings.dropout)
        self.write = nn.Linear(self.stack.size, self.block * spec.output_size)
        self.trust = nn.Linear(self.stack.size, self.block) if spec.season else None
        if self.trust is not None:
            nn.init.constant_(self.trust.bias, TRUST)
        several = 1 + len(spec.seasons)
        self.mix = nn.Linear(self.stack.size, self.block * several) if several > 1 else None

    def embed(self, batch: Batch) -> Ragged:
        """The steps as they are: ``(N, I)`` floats (segments are formed in :meth:`forward`)."""
        return batch.inputs

    def forward(self, batch: Batch, state: State | None = None, embedded: Ragged | None = None) -> tuple[Tensor, State]:
        """``(B, horizon, Q)`` in scaled units, and the state after the last segment of the past."""
        steps = self.embed(batch) if embedded is None else embedded
        known = self._known(batch)
        _, past = self.stack(self._segments(steps, known), state)
        season = self._season(steps)
        if self.feeds_back:
            answer = self._fed_back(batch, known, season, past)
        else:
            answer = self._direct(batch, known, season, past)
        return answer[:, : self.spec.horizon], past

    def _segments(self, steps: Ragged, known: Tensor | None) -> Ragged:
        """``(S, hidden)``: one vector a segment; each sequence filled up at its beginning."""
        w, device = self.segment, steps.values.device
        counts = -(-steps.lengths // w)
        inside = steps_of(steps.lengths - counts * w, counts * w)
        rows = torch.arange(len(steps)).repeat_interleave(counts * w)
        values = steps.values[(steps.offsets[:-1][rows] + inside.clamp(min=0)).to(device)]
        if known is not None:
            back = (inside - steps.lengths[rows] + self.spec.look_back).clamp(min=0)
            values = torch.cat([values, known[rows.to(device), back.to(device)]], dim=-1)
        vectors = self.dropout(torch.relu(self.read(values.reshape(int(counts.sum()), w * values.shape[-1]))))
        return Ragged(vectors, counts)

    def _direct(self, batch: Batch, known: Tensor | None, season: Tensor, past: State) -> Tensor:
        size = len(batch)
        asked = self.place.expand(size, -1, -1) + self._asked(batch, known)
        repeated = tuple(part.repeat_interleave(self.count, dim=1) for part in past)
        once = torch.ones(size * self.count, dtype=torch.int64)
        seen, _ = self.stack(Ragged(asked.flatten(0, 1), once), repeated)
        return self._written(seen.values, season.flatten(0, 1)).reshape(
            size, self.count * self.block, self.spec.output_size
        )

    def _fed_back(self, batch: Batch, known: Tensor | None, season: Tensor, past: State) -> Tensor:
        asked = self.place + self._asked(batch, known)
        once = torch.ones(len(batch), dtype=torch.int64)
        blocks: list[Tensor] = []
        for number in range(self.count):
            if blocks:
                now_past = None if known is None else known[:, number * self.block :]
                _, past = self.stack(self._segments(self._as_past(blocks[-1]), now_past), past)
            seen, _ = self.stack(Ragged(asked[:, number if asked.shape[1] > 1 else 0], once), past)
            blocks.append(self._written(seen.values, season[:, number]))
        return torch.cat(blocks, dim=1)

    def _as_past(self, block: Tensor) -> Ragged:
        """A forecast segment as a model reads it: not missing, the helping channels as they last were (zeros)."""
        size, w = block.shape[:2]
        extra = block.new_zeros(size, w, self.spec.input_size - 1)
        steps = torch.cat([block[..., self.middle : self.middle + 1], extra], dim=-1)
        return Ragged(steps.flatten(0, 1), torch.full((size,), w, dtype=torch.int64))

    def _asked(self, batch: Batch, known: Tensor | None) -> Tensor:
        """``(B, 1 or count, hidden)``: what is known of the future beside its place."""
        total = self.place.new_zeros(len(batch), 1, self.place.shape[1])
        if self.static is not None:
            assert batch.static is not None
            total = total + self.static(batch.static)[:, None]
        if self.ahead is not None:
            assert known is not None
            total = total + self.ahead(
                known[:, self.spec.look_back :].reshape(len(batch), self.count, self.block * known.shape[-1])
            )
        return total

    def _known(self, batch: Batch) -> Tensor | None:
        """``(B, look_back + count * block, K)``: as given, its last step repeated to whole segments."""
        if self.ahead is None:
            return None
        if batch.known is None:
            raise ValueError(f"this model needs covariates known ahead, {self.spec.known_size} a step; found none")
        missing = self.spec.look_back + self.count * self.block - batch.known.shape[1]
        return torch.cat([batch.known, batch.known[:, -1:].expand(-1, missing, -1)], dim=1)

    def _season(self, steps: Ragged) -> Tensor:
        """``(B, count, block, S)``: each season over and over; zeros (the last value) where the first is not seen."""
        if not self.spec.season:
            return steps.values.new_zeros(len(steps), self.count, self.block, 1)
        first = self._repeated(steps, self.spec.season, None)
        others = [self._repeated(steps, season, first) for season in self.spec.seasons]
        return torch.stack([first, *others], dim=-1).reshape(len(steps), self.count, self.block, -1)

    def _repeated(self, steps: Ragged, season: int, instead: Tensor | None) -> Tensor:
        """``(B, count * block)``: the last ``season`` steps again and again, or ``instead`` (zeros) if not seen."""
        back = season - torch.arange(self.count * self.block) % season
        places = (steps.offsets[1:, None] - back).clamp(min=0)
        values = steps.values[places.to(steps.values.device), 0]
        there = (steps.lengths >= season)[:, None].to(values.device)
        return torch.where(there, values, torch.zeros_like(values) if instead is None else instead)

    def _written(self, seen: Tensor, season: Tensor) -> Tensor:
        """``(B', block, P)`` from ``(B', H)`` and the last seasons ``(B', block, S)``."""
        seen = self.dropout(seen)
        written: Tensor = self.write(seen).unflatten(-1, (self.block, self.spec.output_size))
        if self.trust is None:
            return written
        if self.mix is None:
            again = season[..., 0]
        else:
            weights = torch.softmax(self.mix(seen).unflatten(-1, (self.block, season.shape[-1])), dim=-1)
            again = (weights * season).sum(dim=-1)
        moved = written[..., : self.moved] + (torch.sigmoid(self.trust(seen)) * again)[..., None]
        return torch.cat([moved, written[..., self.moved :]], dim=-1)


class FeedForwardForecast(nn.Module):
    """``y = W3 relu(W2 relu(W1 [x; static; known] + b1) + b2) + b3`` over the last ``k`` steps.

    It sees what a :class:`ForecastModel` sees and has no memory. A shorter sequence is filled up at its beginning with
    its first step.

    Args:
        spec: sizes.
        look_back: ``k``, at most ``spec.look_back``.
        hidden: units of each hidden layer.
        settings: only ``dropout`` is read; None: none.
    """

    def __init__(
        self, spec: Spec, look_back: int = 0, hidden: int = 128, settings: ModelSettings | None = None
    ) -> None:
        super().__init__()
        look_back = look_back or spec.look_back
        if hidden < 1 or not 1 <= look_back <= spec.look_back:
            raise UsageError(
                f"a feed-forward forecast needs units and a look-back of 1 to {spec.look_back}: {hidden}, {look_back}"
            )
        self.spec, self.look_back = spec, look_back
        self.settings = settings or ModelSettings()
        width = look_back * spec.input_size + (look_back + spec.horizon) * spec.known_size + spec.static_size
        self.layers = nn.Sequential(
            nn.Linear(width, hidden),
            nn.ReLU(),
            nn.Dropout(self.settings.dropout),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Dropout(self.settings.dropout),
            nn.Linear(hidden, spec.horizon * spec.output_size),
        )

    def embed(self, batch: Batch) -> Ragged:
        """The steps as they are: ``(N, I)`` floats."""
        return batch.inputs

    def forward(
        self, batch: Batch, _state: State | None = None, embedded: Ragged | None = None
    ) -> tuple[Tensor, State]:
        """``(B, horizon, Q)`` in scaled units; it carries no state."""
        steps = (self.embed(batch) if embedded is None else embedded).last(self.look_back)
        size, k = len(steps), self.look_back
        inside = (torch.arange(k) - (k - steps.lengths)[:, None]).clamp(min=0) + steps.offsets[:-1, None]
        features = [steps.values[inside.to(steps.values.device)].flatten(1)]
        if batch.static is not None:
            features.append(batch.static)
        if batch.known is not None:
            features.append(batch.known[:, self.spec.look_back - k :].flatten(1))
        answer: Tensor = self.layers(torch.cat(features, dim=-1))
        return answer.reshape(size, self.spec.horizon, self.spec.output_size), ()
