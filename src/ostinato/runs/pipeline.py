"""train and resume: from a file to a run folder."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from ostinato.data.readers.parallel import together
from ostinato.errors import OstinatoError, UsageError
from ostinato.models import describe
from ostinato.runs.fingerprints import check_same, digests, named_files
from ostinato.runs.folder import RunFolder, occupied
from ostinato.runs.learn import learn, new_model
from ostinato.runs.prepare import Prepared, prepare
from ostinato.runs.recipe import GROUPS, Chosen, Recipe, find, load_settings
from ostinato.runs.record import record
from ostinato.runs.reporter import Reporter, Understood
from ostinato.runs.result import assess
from ostinato.training import Trainer
from ostinato.version import __version__

if TYPE_CHECKING:
    from ostinato.runs.loaded import LoadedModel


@dataclass(frozen=True)
class Run:
    """A finished run.

    Args:
        folder: where it lies.
        metrics: its ``metrics.json``.
        notes: what one should know of the data.
    """

    folder: RunFolder
    metrics: dict[str, Any]
    notes: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        """The run folder."""
        return self.folder.path

    @property
    def verdict(self) -> str:
        """In words."""
        return str(self.metrics.get("verdict", ""))

    def load(self) -> LoadedModel:
        """The trained model."""
        from ostinato.runs.loaded import load

        return load(self.path)


def train(
    data: str | Path | Sequence[str | Path],
    recipe: Recipe | Mapping[str, Any] | str | Path | None = None,
    out: str | Path | None = None,
    *,
    valid: str | Path | None = None,
    test: str | Path | None = None,
    reporter: Reporter | None = None,
) -> Run:
    """Reads, splits, fits on the training part, trains, tests once beside the baselines, and writes a run folder.

    Args:
        data: a file or folder of sequences, or two parallel files; see :func:`ostinato.data.read`.
        recipe: settings by their full names (``{"data.target": "language", "training.epochs": 5}``), under which lie
            the task's own defaults; the path of a YAML file of such; or a whole :class:`Recipe`, taken as it is.
        out: the run folder, which must not exist; None: ``runs/<data>-<n>``.
        valid: validation part, where it is a file of its own.
        test: test part, where it is a file of its own.
        reporter: is told what happens.

    Raises:
        UsageError: a setting is wrong, or ``out`` exists.
        DataError: the data are wrong; file, row and column are named.
        TrainingError: the loss is not finite; checkpoints are kept.
        KeyboardInterrupt: on Ctrl-C; :func:`resume` goes on.
    """
    start = perf_counter()
    reporter = reporter or Reporter()
    data = data if isinstance(data, str | Path) else together(data)
    chosen = _chosen(recipe)
    for name, path in (("data", data), ("valid", valid), ("test", test)):
        if path is not None:
            chosen[f"files.{name}"] = str(path)
    if out is not None and Path(out).exists():
        raise UsageError(occupied(Path(out)))
    reporter.on_stage(f"reading {data}")
    prepared = prepare(chosen)
    described = _tried_out(prepared)
    folder = RunFolder.create(out, data)
    try:
        folder.write_json(folder.begun, _begun(prepared))
        prepared.recipe.save(folder.recipe)
    except (OSError, OstinatoError) as error:
        _take_away(folder)
        raise UsageError(f"{error}; use another --out") from error
    return _run(prepared, described, folder, reporter, start)


def resume(out: str | Path, *, reporter: Reporter | None = None) -> Run:
    """Goes on with a run that was stopped, at whatever stage; a finished run is returned as it is.

    Trained to the end, it is the same to the bit as one that was never stopped (on the same machine; with a budget of
    ``minutes`` the clock has a say).

    Raises:
        ModelFolderError: ``out`` is no run, or its checkpoints are damaged.
        DataError: the data of the run are gone, or are not what they were.
    """
    start = perf_counter()
    reporter = reporter or Reporter()
    folder = RunFolder.open(out)
    if folder.finished:
        return Run(folder, folder.read_json(folder.metrics))
    recipe = Recipe.load(folder.recipe)
    reporter.on_stage(f"reading {recipe.files.data}")
    check_same(folder.read_json(folder.begun), recipe)
    prepared = prepare(flat(recipe))
    return _run(prepared, _tried_out(prepared), folder, reporter, start)


def _run(prepared: Prepared, described: str, folder: RunFolder, reporter: Reporter, start: float) -> Run:
    reporter.on_understood(
        Understood(
            description=prepared.task.describe(prepared.division.train),
            reason=prepared.reason,
            model=described,
            parts=prepared.sizes,
            baselines=prepared.task.baselines,
            notes=prepared.notes,
            folder=folder.path,
        )
    )
    learned = learn(prepared, folder, reporter)
    found = assess(prepared, learned, folder, reporter)
    reporter.on_stage("writing the report")
    metrics = record(prepared, learned, found, folder, perf_counter() - start)
    return Run(folder, folder.read_json(folder.metrics) if metrics else {}, prepared.notes)


def _begun(prepared: Prepared) -> dict[str, Any]:
    """What a resumed run must find again."""
    recipe, division = prepared.recipe, prepared.division
    named = named_files(recipe, (division.train, division.valid, division.test))
    return {"ostinato": __version__, "data": digests(recipe), **({"named": named} if named else {})}


def _tried_out(prepared: Prepared) -> str:
    """The model in one line; settings that model or trainer refuse show here, before there is a folder."""
    recipe = prepared.recipe
    model = new_model(prepared, recipe.training.seed)
    Trainer(model, prepared.task, prepared.train, prepared.valid, recipe.training, recipe.optimizer)
    return describe(model)


def _chosen(recipe: Recipe | Mapping[str, Any] | str | Path | None) -> Chosen:
    """Settings by their full names."""
    if isinstance(recipe, Recipe):
        return flat(recipe)
    if isinstance(recipe, str | Path):
        return load_settings(recipe)
    for key in recipe or {}:
        find(key)
    return dict(recipe or {})


def flat(recipe: Recipe) -> Chosen:
    """Every setting of a recipe by its full name."""
    return {f"{group}.{key}": value for group in GROUPS for key, value in recipe.settings(group).items()}


def _take_away(folder: RunFolder) -> None:
    """Removes a folder in which nothing could be written."""
    with contextlib.suppress(OSError):
        for path in sorted(folder.path.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        folder.path.rmdir()
