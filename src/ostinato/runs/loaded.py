"""LoadedModel: a trained model, ready to answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
import torch

from ostinato.data.examples import Batch, Examples
from ostinato.data.media.midi import NAMES, Tune, read_midi
from ostinato.data.table import MEDIA_KINDS, Kind, Table
from ostinato.decoding import Live, Sampling, continuation, samples
from ostinato.decoding.listen import Listener
from ostinato.decoding.tunes import music
from ostinato.decoding.written import best
from ostinato.errors import DataError, UsageError, nearest
from ostinato.evaluation.memory import MemoryProfile, memory_profile
from ostinato.models.inspect import Inspection, inspect
from ostinato.runs import model_folder
from ostinato.runs.folder import RunFolder
from ostinato.runs.model_folder import Stored
from ostinato.runs.reading import Source, beside, named_as, read_like
from ostinato.runs.recipe import Recipe
from ostinato.runs.watch import Watcher
from ostinato.tasks import Detect, Forecast, Language, Task
from ostinato.training import predict
from ostinato.training.device import choose_device


@dataclass(frozen=True)
class Inspected:
    """What a model did on one row.

    Args:
        steps: a name for every step: the symbols of a text, or numbers.
        inside: gates and states of every layer at every step, and the answer.
        memory: how far back the answer looked.
        answer: the model's answer, as in a prediction.
    """

    steps: tuple[str, ...]
    inside: Inspection
    memory: MemoryProfile
    answer: pl.DataFrame


class LoadedModel:
    """A trained model, ready to answer; made by :func:`load`.

    Every ``source`` is a path, or what :func:`ostinato.data.from_rows` takes: a list of sequences, an array, a data
    frame. Its columns may come in another order, and the target may be absent.

    Args:
        stored: what the model folder holds.
        files: where the data of the run lie; empty: unknown.
        device: where the model computes.
    """

    def __init__(self, stored: Stored, files: Mapping[str, str], device: str = "auto") -> None:
        self.stored, self.files = stored, files
        self.device = choose_device(device)
        self.model = stored.model.to(self.device)

    @property
    def task(self) -> Task:
        """Fitted."""
        return self.stored.task

    @property
    def recipe(self) -> Recipe:
        """The settings the model was made with."""
        return self.stored.recipe

    def read(self, source: Source) -> Table:
        """New rows, their columns read as those the model learned from.

        Raises:
            DataError: a column is missing, or holds what the model cannot read.
        """
        if isinstance(source, list) and self._reads_tokens():
            source = [row.split() if isinstance(row, str) else row for row in source]
        table = read_like(source, self.recipe.data, self.stored.kinds, self.stored.layout)
        return named_as(table, self.stored.kinds, self.recipe.data.target)

    def _reads_tokens(self) -> bool:
        features = getattr(self.task, "features", None)
        return features is not None and features.kind == Kind.TOKENS

    def predict(self, source: Source) -> pl.DataFrame:
        """The answers of every row, as :meth:`Task.frame <ostinato.tasks.Task.frame>` gives them.

        A row's name or text stands before its answer, and the truth beside it where the file has it. A forecaster
        gives what follows each series.
        """
        if isinstance(self.task, Forecast):
            return self.forecast(source)
        table = self.read(source)
        frame = self.task.frame(predict(self.model, self.task, self.task.examples(table)), table)
        return beside(table, frame, self.recipe.data.target)

    def listen(self) -> Listener:
        """An ear for one live sound, which gives text as it is spoken.

        Raises:
            UsageError: the model is no transcriber of sound, or reads backwards too.
        """
        return Listener(self.model, self.task)

    def best(self, source: Source, count: int) -> pl.DataFrame:
        """The ``count`` best translations of every row: ``row`` from 1, ``rank``, ``prediction`` and ``score``.

        Raises:
            UsageError: the model writes no translations.
        """
        table = self.read(source)
        answers = best(self.model, self.task, self.task.examples(table), count)
        rows = [(row, rank, *pair) for row, found in enumerate(answers, 1) for rank, pair in enumerate(found, 1)]
        return pl.DataFrame(rows, schema=["row", "rank", "prediction", "score"], orient="row")

    def track(self, source: Source, window: int = 0, step: int = 0) -> pl.DataFrame:
        """Scores along sequences of DNA: see :func:`ostinato.runs.track.track`."""
        from ostinato.runs.track import track

        return track(self.model, self.task, self.read(source), window, step)

    def evaluate(self, source: Source) -> dict[str, float]:
        """The metrics on rows whose target is known; a forecast: over the last ``data.test`` of each series.

        Raises:
            DataError: the target is missing.
        """
        table, task = self.read(source), self.task
        target = self.recipe.data.target
        if isinstance(task, Forecast):
            data = replace(self.recipe.data, valid=0.0, fold="")
            table = task.divide(table, data, replace(self.recipe.task, horizon=task.horizon), 0).test
        elif isinstance(task, Detect):
            pass  # it has metrics without labels too
        elif target and target not in table.columns and not any(target in column.channels for column in table):
            hint = nearest(target, list(table.columns))
            raise DataError(f"there is no column '{target}' to compare the answers with.{hint}", path=table.path)
        elif target in table.columns and len(table[target].missing) == len(table):
            raise DataError("there is nothing to compare the answers with: no row has a value", column=target)
        examples = task.examples(table)
        return task.metrics(predict(self.model, task, examples), examples)

    def watch(self, past: Source = None) -> Watcher:
        """The detector on a live series, value by value; see :class:`~ostinato.runs.watch.Watcher`.

        Args:
            past: a series that what comes next goes on from; None: nothing was before.

        Raises:
            UsageError: the model is no detector, or the past is more than one series.
        """
        watcher = Watcher(self.model, self.task)
        if past is not None:
            watcher.follow(self.read(past))
        return watcher

    def notes(self, source: Source) -> tuple[str, ...]:
        """What one should know of new rows: labels never seen in training, unknown symbols."""
        return self.task.notes(self.read(source))

    def generate(
        self,
        prompt: str = "",
        *,
        length: int = 500,
        sampling: Sampling | None = None,
        seed: int = 0,
        condition: str | Mapping[str, str | float] | None = None,
        count: int = 1,
    ) -> list[str]:
        """New texts; see :func:`ostinato.decoding.generate`.

        Args:
            prompt: what each begins with.
            length: most symbols after it.
            sampling: temperature, top-k and top-p.
            seed: the same seed gives the same texts.
            condition: what they are written from: a value for each column, or one value where there is one column.
            count: how many.

        Raises:
            UsageError: the model is no language model, or a value is out of range.
            DataError: the condition is missing or unknown.
        """
        return samples(
            self.model,
            self.task,
            prompt=prompt,
            length=length,
            sampling=sampling,
            seed=seed,
            condition=self._condition(condition),
            count=count,
        )

    def play(self, prompt: Source, *, length: int = 64, sampling: Sampling | None = None, seed: int = 0) -> Tune:
        """The tune of ``prompt`` and how the model goes on with it; see :func:`ostinato.decoding.continuation`.

        Args:
            prompt: a file of notes, or a piano roll as the model learned from.
            length: steps after it.
            sampling: temperature and top-k.
            seed: the same seed plays the same.

        Raises:
            UsageError: the model is no model of music, its keys are not a piano's, or a value is out of range.
            DataError: the prompt cannot be read.
        """
        task = music(self.task)
        table = self.read(prompt)
        if len(table) != 1:
            raise UsageError(f"a prompt is one tune, but there are {len(table)}: name one of them")
        given = task.tunes(table).values
        played = continuation(self.model, task, given, length=length, sampling=sampling, seed=seed)
        keys = np.concatenate([given.numpy() > 0, played])
        if task.rolls is None:
            return Tune(keys, names=NAMES if len(task.keys) == len(NAMES) else task.keys)
        start = read_midi(table[task.column].values[0], task.rolls.steps_per_beat)
        return replace(start, keys=keys)

    def live(self) -> Live:
        """The model as something that goes along with a signal while it comes in; see :class:`ostinato.decoding.Live`.

        Raises:
            UsageError: it is no model of signals.
        """
        return Live(self.model, self.task)

    def _condition(self, given: str | Mapping[str, str | float] | None) -> Mapping[str, str | float]:
        if given is None or isinstance(given, Mapping):
            return given or {}
        columns = self.task.condition.columns if isinstance(self.task, Language) else ()
        if not columns:
            raise UsageError("this model writes from no condition: leave --condition out")
        pairs = [part.partition("=") for part in given.split(",")]
        if all(sign for _, sign, _ in pairs):
            return {name.strip(): value.strip() for name, _, value in pairs}
        if len(columns) > 1:
            names = ", ".join(column.name for column in columns)
            raise UsageError(f"this model writes from several columns ({names}): give NAME=VALUE,NAME=VALUE")
        return {columns[0].name: given}

    def forecast(self, history: Source = None, horizon: int = 0, *, seed: int = 0) -> pl.DataFrame:
        """What follows each series: time (or step), forecast and quantiles.

        Args:
            history: the series; None: those the run was trained on.
            horizon: steps; 0: the horizon of the training. Beyond it, forecasts are fed back.
            seed: of the paths that are drawn beyond the horizon of the training.

        Raises:
            UsageError: the model is no forecaster, or its training data are unknown.
            DataError: the series cannot be read.
        """
        from ostinato.decoding.roll_out import roll_out
        from ostinato.tasks.forecast_frame import forecast_frame

        if not isinstance(self.task, Forecast):
            raise UsageError(f"only a forecaster forecasts; this model was trained for the task '{self.task.name}'")
        if horizon < 0:
            raise UsageError(f"a horizon is at least 1 step, not {horizon}")
        table = self._history(self.task) if history is None else self.read(history)
        outputs = roll_out(self.model, self.task, table, horizon, seed=seed)
        whole = [replace(one, start=None) for one in self.task.series(table)]
        return forecast_frame(outputs, self.task.windows(whole, table), self.task.quantiles)

    def _history(self, task: Forecast) -> Table:
        """The series of the run, up to their ends: those of the test file go on where those of the training ended."""
        if not self.files.get("data"):
            raise UsageError("this model folder does not know its training data: name the history to go on from")
        table = self.read(self.files["data"])
        valid, test = (self.read(path) if path else None for path in (self.files["valid"], self.files["test"]))
        if valid is None and test is None:
            return table
        settings = replace(self.recipe.task, horizon=task.horizon)
        return task.divide(table, replace(self.recipe.data, fold=""), settings, 0, valid, test).test

    def inspect(self, source: Source, row: int = 0) -> Inspected:
        """What the gates did on one row, and how far back its answer looked.

        Raises:
            UsageError: there is no such row, or the row has no steps.
        """
        table, task = self.read(source), self.task
        examples = task.examples(table)
        if not 0 <= row < len(examples):
            raise UsageError(f"there is no row {row}: rows are 0 to {len(examples) - 1}")
        batch = examples.take(torch.tensor([row]))
        if not int(batch.inputs.lengths[0]):
            raise UsageError(f"row {row} is empty: there is nothing to look into")
        inside = inspect(self.model, batch.to(self.device))
        one = _One(examples, row)
        answer = pl.DataFrame() if isinstance(task, Forecast) else self._answer(table, row)
        steps = _step_names(task, table, row, len(inside.inputs))
        return Inspected(steps, inside, memory_profile(self.model, task, one), answer)

    def _answer(self, table: Table, row: int) -> pl.DataFrame:
        one = table.take(np.array([row]))
        return self.task.frame(predict(self.model, self.task, self.task.examples(one)), one)


class _One:
    """A single example, as examples."""

    def __init__(self, examples: Examples, row: int) -> None:
        self.examples, self.rows = examples, torch.tensor([row])

    @property
    def lengths(self) -> torch.Tensor:
        """``(1,)``."""
        lengths: torch.Tensor = self.examples.lengths[self.rows]
        return lengths

    def __len__(self) -> int:
        return 1

    def take(self, index: torch.Tensor) -> Batch:
        """The example, as often as it is asked for."""
        return self.examples.take(self.rows[index])


def load(folder: str | Path, *, device: str = "auto") -> LoadedModel:
    """The model of a run folder, or of a model folder.

    Args:
        folder: of a run, or the ``model`` folder in it (or a copy of it).
        device: where it computes: ``auto``, ``cpu``, ``cuda``, ``mps``.

    Raises:
        ModelFolderError: it is missing, truncated, altered, of a newer format, or a pickle.
    """
    run = RunFolder(folder)
    inner = run.model if (run.model / model_folder.CONFIG).is_file() or run.recipe.is_file() else run.path
    files = vars(Recipe.load(run.recipe).files) if run.recipe.is_file() else {}
    return LoadedModel(model_folder.read(inner), files, device)


def _step_names(task: Task, table: Table, row: int, count: int) -> tuple[str, ...]:
    """The symbols of a text or of tokens; numbers from 1 otherwise (a mark of the begin has none)."""
    features = getattr(task, "features", None)
    column = getattr(features, "column", None) or getattr(task, "column", None)
    if column in table.columns:
        value = table[column].values[row]
        vocabulary = getattr(features, "vocabulary", None) or getattr(task, "vocabulary", None)
        if table[column].kind in MEDIA_KINDS:
            value, vocabulary = range(1, count + 1), None
        pieces = list(vocabulary.pieces(value)) if vocabulary is not None else list(value)
        if all(isinstance(piece, str) for piece in pieces):
            names = [*[""] * (count - len(pieces)), *pieces][:count]
            return tuple(names)
    return tuple(str(number) for number in range(1, count + 1))
