"""Forecast: the next values of series, from what came before them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl
from torch import Tensor

from ostinato.data.examples import Batch, Examples
from ostinato.data.layouts import Layout as DataLayout
from ostinato.data.settings import DataSettings
from ostinato.data.spec import Spec
from ostinato.data.split import Division
from ostinato.data.static import Static
from ostinato.data.table import Table
from ostinato.errors import DataError, intact
from ostinato.tasks.base import Outputs, Task
from ostinato.tasks.dependence import Dependence
from ostinato.tasks.forecast_bands import Shifts, conformal_shifts, moved
from ostinato.tasks.forecast_checks import check_counts, check_settings, lengths_of, seasons_of
from ostinato.tasks.forecast_choices import choose_look_back, choose_segment
from ostinato.tasks.forecast_covariates import Covariates
from ostinato.tasks.forecast_frame import forecast_frame
from ostinato.tasks.forecast_heads import HEADS, Head, Scaling, quantile_at
from ostinato.tasks.forecast_metrics import forecast_metrics, window_mase
from ostinato.tasks.forecast_money import Transform, check_prices, price_notes, with_price
from ostinato.tasks.forecast_parts import cut
from ostinato.tasks.forecast_season import infer_season, spoken, steps_apart
from ostinato.tasks.forecast_series import Layout, Series, series_of, static_column
from ostinato.tasks.forecast_trading import trading_metrics
from ostinato.tasks.forecast_windows import Panel, WindowBatch, WindowExamples, dependence_of, windows_of
from ostinato.tasks.settings import TaskSettings

_MEANING = {
    "none": "",
    "returns": "; prices as logarithms, so that 0.01 is a return of 1 %",
    "volatility": "; volatility of a step as a logarithm",
}
ONE_HOT = 64
"""Most channels told apart by a one-hot vector; of more, the model learns what they have in common."""


@dataclass(frozen=True)
class Forecast(Task):
    """The next ``horizon`` values of each channel of each series, as a point and as quantiles.

    Every channel is an example of its own with shared weights. The model sees ``z = (x - level) / scale``: the level is
    the last value before the forecast, the scale how far the series moves within a horizon
    (:func:`~ostinato.tasks.forecast_windows.spread`), from the steps before the forecast's part alone. So a constant
    added to a series is added to its forecast, a factor multiplies it, and a series never seen in training has both.

    Outputs, per example: ``forecast`` ``(W, horizon)`` and ``quantiles`` ``(W, horizon, Q)``, in the units of the
    series; ``forecast`` is the quantile 0.5. Quantiles are sorted, so they never cross.

    A table as it comes from a reader is a history: its forecast is what follows it. A table of
    :func:`~ostinato.tasks.forecast_parts.cut` is a part of a split.
    """

    name: ClassVar[str] = "forecast"
    watch: ClassVar[str] = "mase"
    higher_is_better: ClassVar[bool] = False
    reads: ClassVar[DataLayout] = "series"
    defaults: ClassVar[dict[str, Any]] = {
        "model.cell": "gru",
        "model.hidden": 128,
        "training.batch_size": 128,
        "training.epochs": 40,
        "training.epoch_size": 4000,
        "training.patience": 15,
        "training.watch": "loss",  # judges point and bands together: MASE alone kept epochs with bands far too narrow
        "optimizer.learning_rate": 3e-3,
    }

    layout: Layout
    covariates: Covariates
    horizon: int
    look_back: int
    segment: int
    season: int
    season_reason: str
    quantiles: tuple[float, ...]
    mask: bool
    static: int
    missing: str
    decode: str = "direct"
    head: str = "quantiles"
    conformal: bool = False
    shifts: Shifts = ()
    transform: Transform = field(default_factory=Transform)
    costs: float = 0.0
    statics: Static = field(default_factory=Static)
    seasons: tuple[int, ...] = ()
    id: str = ""
    time: str = ""

    @property
    def mapping(self) -> str:
        """Values are read and values are written, each the next ones after those before."""
        return "many-to-many, fed back"

    @property
    def spec(self) -> Spec:
        """``input_size`` is the value, its mask where values are missing, and the channels that help."""
        return Spec(
            inputs="values",
            input_size=1 + self.mask + len(self.layout.seen) + self.transform.extra,
            outputs="horizon",
            output_size=self.answers.size,
            static_size=self.static + self.statics.size,
            horizon=self.horizon,
            look_back=self.look_back,
            segment=self.segment,
            season=self.season if 1 < self.season <= self.look_back else 0,
            seasons=tuple(s for s in self.seasons if 1 < self.season <= self.look_back and 1 < s <= self.look_back),
            known_size=self.covariates.size,
            causal=True,
        )

    @property
    def baselines(self) -> tuple[str, ...]:
        """Last value, last season if there is one, random walk, a volatility's average, a network without memory."""
        seasonal = ("seasonal_naive",) if self.season > 1 else ()
        faded = ("ewma",) if self.transform.kind == "volatility" else ()
        return ("repeat_last", *seasonal, "random_walk", *faded, "feed_forward")

    @classmethod
    def fit(cls, table: Table, data: DataSettings, settings: TaskSettings) -> Self:
        """Chooses season, look-back and segment, and scales the covariates, all on the training part.

        Raises:
            DataError: no channel to forecast; a series shorter than ``horizon + 1``.
            UsageError: quantiles without 0.5 or outside (0, 1), or a horizon below 1.
        """
        levels = check_settings(data, settings)
        reading = replace(data, id=data.id if data.id in table.columns else "")  # a part names its series itself
        reading = with_price(table, reading, settings.transform)
        layout = Layout.of(table, reading, settings.known)
        series = series_of(table, reading, layout)
        lengths = lengths_of(series, settings.horizon, table)
        transform = Transform.fit(settings.transform, series, layout)
        if settings.transform != "none":
            check_prices(series, layout, table.path)
            series = [transform.of(one) for one in series]
        season, chosen = infer_season(series), seasons_of(settings)
        steps, reason = (chosen[0], "as set") if chosen else (season.steps, season.reason)
        segment = settings.segment or choose_segment(settings.horizon, steps)
        look_back = settings.look_back or choose_look_back(settings.horizon, (steps, *chosen[1:]), segment, lengths)
        missing = any(np.isnan(s.values).any() for s in series)
        if settings.head == "negative_binomial":
            check_counts(series, layout, table)
        return cls(
            layout=layout,
            covariates=Covariates.fit(series, layout.known, look_back, calendar=settings.calendar),
            horizon=settings.horizon,
            look_back=look_back,
            segment=min(segment, look_back),
            season=steps,
            season_reason=reason,
            seasons=chosen[1:],
            quantiles=levels,
            mask=missing and data.missing == "mask",
            static=len(layout.targets) if 1 < len(layout.targets) <= ONE_HOT else 0,
            missing=data.missing,
            decode=settings.decode,
            head=settings.head,
            conformal=settings.conformal,
            transform=transform,
            costs=settings.costs,
            statics=Static.fit(_whole(series, layout), layout.static),
            id=data.id,
            time=data.time,
        )

    @classmethod
    def divide(
        cls,
        table: Table,
        data: DataSettings,
        settings: TaskSettings,
        seed: int,
        valid: Table | None = None,
        test: Table | None = None,
    ) -> Division:
        """By time, each series for itself (:func:`~ostinato.tasks.forecast_parts.cut`)."""
        del seed
        data = with_price(table, data, settings.transform)
        parts = cut(table, data, settings, valid, test)
        notes = parts.notes
        if settings.transform != "none":
            layout = Layout.of(table, data, settings.known)
            whole = series_of(table, data, layout)  # the parts no longer know the rows of the files
            check_prices(whole, layout, table.path)
            for one in filter(None, (valid, test)):
                check_prices(series_of(one, data, layout), layout, one.path)
            notes += price_notes(whole, layout)
        return Division(parts.train, parts.valid, parts.test, notes)

    def series(self, table: Table) -> list[Series]:
        """The series of a table, as this task was taught to read it."""
        data = DataSettings(id=self.id if self.id in table.columns else "", time=self.time, missing=self.missing)  # type: ignore[arg-type]
        series = series_of(table, data, self.layout)
        if self.transform.kind != "none":
            check_prices(series, self.layout, table.path)
        return series

    def examples(self, table: Table) -> WindowExamples:
        """The windows of a table, series by series, channel by channel, by time; see the class on what a table means.

        Raises:
            DataError: a series holds no value.
        """
        return self.windows(self.series(table), table)

    def windows(self, series: Sequence[Series], table: Table | None = None) -> WindowExamples:
        """:meth:`examples` of series."""
        path = table.path if table else None
        for one in series:
            if not one.ends:
                raise DataError(f"series '{one.name}' holds no value, so there is nothing to go on from", path=path)
        series = [self.transform.of(one) for one in series]
        known = [self.covariates.of(one, self.horizon) for one in series]
        width = len(self.layout.targets)
        whole = self.statics.encode(_whole(series, self.layout))
        panel = Panel.of(series, known, self.layout.targets, self.static, self.horizon, whole)
        least = min(self.look_back, max(self.season, self.segment))
        number, channel, origin = windows_of(series, width, self.horizon, least)
        return WindowExamples(panel, number, channel, origin, self.look_back, self.horizon, self.mask)

    def notes(self, table: Table) -> tuple[str, ...]:
        """Labels of whole series that training never saw."""
        found = []
        for place, column in enumerate(self.statics.columns):
            labels = {str(one.static[place]) for one in self.series(table)} - {"", *column.labels}
            if column.labels and labels:
                said = ", ".join(f"'{label}'" for label in sorted(labels)[:5])
                found.append(f"{column.name}: training never saw {said}, so the model takes them as unknown")
        return tuple(found)

    def size(self, table: Table, examples: Examples) -> str:
        """``8 series (5,592 windows)``."""
        return f"{len(table):,} series ({len(examples):,} windows)"

    @property
    def answers(self) -> Head:
        """What the numbers of the model mean."""
        return HEADS[self.head](self.quantiles)

    def loss(self, output: Tensor, batch: Batch) -> tuple[Tensor, int]:
        """See the heads: the pinball loss, or the negative log-likelihood."""
        assert isinstance(batch.targets, Tensor)
        return self.answers.loss(output, batch.targets, _scaling(batch))

    def outputs(self, output: Tensor, batch: Batch) -> Outputs:
        """``forecast`` and ``quantiles`` in the units of the series (of prices, as logarithms: see :meth:`told`)."""
        scaling, middle = _scaling(batch), self.quantiles.index(0.5)
        said = self.answers.quantiles(output, scaling, self.quantiles)
        quantiles = moved(said, scaling.scale.numpy(), self.shifts, middle)
        return {"forecast": quantiles[..., middle].copy(), "quantiles": quantiles}

    def drawn(self, output: Tensor, batch: Batch, levels: np.ndarray) -> np.ndarray:
        """``(B, horizon)``: the quantile of level ``levels`` ``(B,)`` of each forecast, in the units of the series."""
        if self.shifts:
            return quantile_at(self.outputs(output, batch)["quantiles"], self.quantiles, levels)
        return self.answers.at(output, _scaling(batch), levels)

    @property
    def calibrates(self) -> bool:
        """With ``task.conformal``."""
        return self.conformal

    def calibrated(self, outputs: Outputs, examples: Examples) -> Self:
        """With the shifts of :func:`~ostinato.tasks.forecast_bands.conformal_shifts`."""
        assert isinstance(examples, WindowExamples)
        return replace(self, shifts=conformal_shifts(outputs["quantiles"], examples, self.quantiles))

    def metrics(self, outputs: Outputs, examples: Examples) -> dict[str, float]:
        """See :func:`~ostinato.tasks.forecast_metrics.forecast_metrics`.

        Of prices those of their logarithms, whose shares mean nothing (no ``smape``, no ``wql``), and of returns those
        of trading, see :func:`~ostinato.tasks.forecast_trading.trading_metrics`.
        """
        assert isinstance(examples, WindowExamples)
        forecast = outputs["forecast"]
        found = forecast_metrics(forecast, outputs["quantiles"], examples, self.quantiles, self.season)
        if self.transform.kind == "none":
            return found
        found = {key: value for key, value in found.items() if key not in {"smape", "wql"}}
        return found | (trading_metrics(forecast, examples, self.costs) if self.transform.kind == "returns" else {})

    def scores(self, outputs: Outputs, examples: Examples) -> np.ndarray:
        """The MASE of each window; 0 where it is not defined, for every forecast alike."""
        assert isinstance(examples, WindowExamples)
        scores: np.ndarray = np.nan_to_num(window_mase(outputs["forecast"], examples, self.season))
        return scores

    def dependence(self, examples: Examples) -> tuple[Dependence, ...]:
        """See :func:`~ostinato.tasks.forecast_windows.dependence_of`."""
        assert isinstance(examples, WindowExamples)
        return dependence_of(examples)

    def frame(self, outputs: Outputs, table: Table) -> pl.DataFrame:
        """See :func:`~ostinato.tasks.forecast_frame.forecast_frame`."""
        return forecast_frame(self.told(outputs), self.examples(table), self.quantiles, self.transform.told)

    def told(self, outputs: Outputs) -> Outputs:
        """Outputs as a person reads them: prices, where the task forecasts their logarithms."""
        return {key: self.transform.told(values) for key, values in outputs.items()}

    def describe(self, table: Table) -> str:
        """``414 series of 700 to 960 steps; forecast of the next 48 from the last 336; season of 24 steps (…)``."""
        series = self.series(table)
        short, long = min(map(len, series)), max(map(len, series))
        steps = f"{short:,}" if short == long else f"{short:,} to {long:,}"
        width = len(self.layout.targets)
        channels = f" with {width} channels" if width > 1 else ""
        every = steps_apart(series)
        rhythm = f", one every {spoken(every)}" if every is not None else ""
        season = f"season of {self.season} steps" if self.season > 1 else "no season"
        if self.seasons:
            season = f"seasons of {', '.join(map(str, (self.season, *self.seasons)))} steps"
        helped = f"; helped by {', '.join(self.layout.seen)}" if self.layout.seen else ""
        ahead = self.covariates.names
        known = f"; known ahead: {', '.join(ahead)}" if ahead else ""
        whole = f"; of a whole series: {', '.join(self.layout.static)}" if self.layout.static else ""
        return (
            f"{len(series):,} series{channels} of {steps} steps{rhythm}; forecast of the next {self.horizon} from the "
            f"last {self.look_back}, read in segments of {self.segment}; {season} ({self.season_reason}){helped}"
            f"{known}{whole}{_MEANING[self.transform.kind]}"
        )

    def to_config(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self) | {"statics": self.statics.to_config()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The inverse of :meth:`to_config`."""
        with intact("the forecast task of this folder is damaged"):
            read = {
                "layout": Layout(**{key: tuple(names) for key, names in config["layout"].items()}),
                "covariates": Covariates.from_config(config["covariates"]),
                "quantiles": tuple(config["quantiles"]),
                "seasons": tuple(config.get("seasons", ())),
                "shifts": tuple(tuple(row) for row in config.get("shifts", ())),
                "transform": Transform.from_config(config.get("transform", {})),
                "statics": Static.from_config(config.get("statics", [])),
            }
            return cls(**config | read)


def _scaling(batch: Batch) -> Scaling:
    assert isinstance(batch, WindowBatch)
    assert batch.level is not None
    assert batch.scale is not None
    return Scaling(batch.level, batch.scale)


def _whole(series: Sequence[Series], layout: Layout) -> Table:
    """What does not change over each series, a row a series."""
    columns = [static_column(name, [s.static[place] for s in series]) for place, name in enumerate(layout.static)]
    return Table({column.name: column for column in columns})
