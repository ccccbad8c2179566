"""RunFolder: the folder that holds everything that came of a run, and describes itself."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from ostinato.errors import ModelFolderError, UsageError
from ostinato.training.atomic import write_atomically

Json = Any
"""What JSON can hold."""


class RunFolder:
    """The paths of a run; each file is written whole or not at all.

    ``recipe.yaml`` (resolved), ``model/``, ``metrics.json`` (written last: where it is, the run is finished),
    ``predictions.parquet``, ``report.html``, ``log.jsonl``, ``checkpoints/``; of several seeds each has a folder
    ``seeds/<seed>`` with its own log and checkpoints.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.recipe = self.path / "recipe.yaml"
        self.model = self.path / "model"
        self.metrics = self.path / "metrics.json"
        self.predictions = self.path / "predictions.parquet"
        self.report = self.path / "report.html"
        self.log = self.path / "log.jsonl"
        self.checkpoints = self.path / "checkpoints"
        self.stages = self.checkpoints / "stages"  # apart from what the trainer keeps and clears away
        self.begun = self.stages / "begun.json"

    @classmethod
    def create(cls, path: str | Path | None, data: str | Path = "data") -> Self:
        """A new folder: ``path``, or the first of ``runs/<data>-1``, ``-2``, … that does not exist.

        Raises:
            UsageError: the folder exists already, or cannot be made.
        """
        for wanted in [Path(path)] if path else _numbered(data):
            try:
                wanted.mkdir(parents=True)
            except FileExistsError:
                if path:
                    raise UsageError(occupied(wanted)) from None
                continue
            except OSError as error:
                mend = "choose another --out"
                raise UsageError(
                    f"{wanted}: the run folder cannot be made ({error.strerror or error}); {mend}"
                ) from error
            return cls(wanted)
        raise AssertionError("unreachable: names are endless")

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """A folder that holds a run.

        Raises:
            ModelFolderError: it does not exist, or is no run.
        """
        folder = cls(path)
        if not folder.path.is_dir():
            raise ModelFolderError(f"{path}: there is no such folder; a run is what `ostinato train DATA` writes")
        if not folder.recipe.is_file():
            raise ModelFolderError(f"{path}: this is no run, for it holds no recipe.yaml; name the folder of a run")
        return folder

    def seed(self, seed: int, count: int) -> Path:
        """Where the training from one of ``count`` seeds keeps its log and checkpoints."""
        return self.path if count == 1 else self.path / "seeds" / str(seed)

    @property
    def finished(self) -> bool:
        """Whether everything is there."""
        return self.metrics.is_file()

    def write(self, path: Path, content: str | bytes) -> None:
        """Puts a file in place.

        Raises:
            ModelFolderError: the disk is full, the folder read-only, …; what was there before stays.
        """
        with telling(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, content.encode() if isinstance(content, str) else content)

    def write_json(self, path: Path, document: dict[str, Any]) -> None:
        """A document as JSON, which has no NaN: such a number is null."""
        self.write(path, json.dumps(without_nan(document), indent=2, ensure_ascii=False, allow_nan=False) + "\n")

    def read_json(self, path: Path) -> dict[str, Any]:
        """One of the run's documents.

        Raises:
            ModelFolderError: it is missing or damaged.
        """
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ModelFolderError(
                f"{path}: is not there; the run is not finished: ostinato resume {self.path}"
            ) from None
        except (OSError, ValueError) as error:
            raise ModelFolderError(f"{path}: is damaged ({error}); restore it from a copy, or train anew") from error
        if not isinstance(document, dict):
            raise ModelFolderError(f"{path}: is damaged (no JSON object); restore it from a copy, or train anew")
        return document


def occupied(path: Path) -> str:
    """Why a folder that exists cannot be trained into."""
    if RunFolder(path).recipe.is_file():
        return f"{path} exists already: go on with `ostinato resume {path}`, or use another --out"
    return f"{path} exists already and is no run: use another --out"


@contextmanager
def telling(path: Path) -> Iterator[None]:
    """Turns what the system says of a file that cannot be written into what a person can do about it.

    Raises:
        ModelFolderError: instead of an ``OSError``.
    """
    try:
        yield
    except OSError as error:
        raise ModelFolderError(
            f"{path}: cannot be written ({error.strerror or error}); what was there before is kept. "
            "Free some space or make the folder writable, then resume the run"
        ) from error


def without_nan(value: Json) -> Json:
    """JSON without NaN and infinities, which it does not know."""
    if isinstance(value, dict):
        return {str(key): without_nan(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(one) for one in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def _numbered(data: str | Path) -> Iterator[Path]:
    stem = Path(data).name.removesuffix(".gz").split(".", 1)[0] or "data"
    number = 1
    while True:
        yield Path("runs") / f"{stem}-{number}"
        number += 1
