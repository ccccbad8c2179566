"""Fingerprints: whether the files of a run, and those that its tables name, are still what they were."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ostinato.data.readers.parallel import apart
from ostinato.data.table import MEDIA_KINDS, Table
from ostinato.errors import DataError
from ostinato.runs.recipe import Recipe


def digests(recipe: Recipe) -> dict[str, str]:
    """SHA-256 of each file of the run; of a folder, of all that lies in it."""
    return {name: _digest(apart(path)) for name, path in vars(recipe.files).items() if path}


def named_files(recipe: Recipe, parts: Sequence[Table]) -> dict[str, dict[str, dict[str, Any]]]:
    """Bytes and SHA-256 of the sounds, films, images and tunes that the tables of ``parts`` name.

    By file of the run, then by name: as seen from the folder of that file, so that both can be moved together.
    """
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for name, path in vars(recipe.files).items():
        own = apart(path) if path else []
        for part in parts:
            if not own or part.path is None or Path(part.path) not in own or Path(part.path).is_dir():
                continue
            base = Path(part.path).parent
            for file in _media(part):
                if file not in own and file.exists():
                    seen = file.relative_to(base) if file.is_relative_to(base) else file.absolute()
                    found.setdefault(name, {}).setdefault(seen.as_posix(), {})
        for short in found.get(name, {}):
            found[name][short] = _fingerprint(own[0].parent / short)
    return found


def check_same(begun: dict[str, Any], recipe: Recipe) -> None:
    """Whether every file is what it was when the run began, as its ``begun`` document tells.

    Raises:
        DataError: one is gone, or has changed; it is named.
    """
    try:
        now = digests(recipe)
    except FileNotFoundError as error:
        raise DataError("is gone: put it back to resume the run", path=error.filename) from error
    for name, path in vars(recipe.files).items():
        if path and begun.get("data", {}).get(name) != now.get(name):
            raise DataError("has changed since the run began: restore it, or train anew", path=path)
        for known, was in begun.get("named", {}).get(name, {}).items():  # an older run has none
            _check_named(apart(path)[0], known, was)


def _check_named(table: Path, known: str, was: dict[str, Any]) -> None:
    file = table.parent / known
    if not file.exists():
        raise DataError(f"is gone, and {table} names it: put it back to resume the run", path=file)
    if _size(file) != was.get("bytes") or _digest([file]) != was.get("sha256"):
        told = f"has changed since the run began, and {table} names it: restore it, or train anew"
        raise DataError(told, path=file)


def _media(table: Table) -> Iterable[Path]:
    for column in table:
        if column.kind in MEDIA_KINDS:
            for row, value in enumerate(column.values):
                if isinstance(value, Path) and row not in column.missing:
                    yield value


def _fingerprint(file: Path) -> dict[str, Any]:
    return {"bytes": _size(file), "sha256": _digest([file])}


def _size(file: Path) -> int:
    return sum(one.stat().st_size for one in _inside(file))


def _digest(paths: Iterable[Path]) -> str:
    total = hashlib.sha256()
    for path in paths:
        for file in _inside(path):
            total.update(str(file.relative_to(path)).encode())
            with file.open("rb") as stream:
                total.update(hashlib.file_digest(stream, "sha256").digest())
    return total.hexdigest()


def _inside(path: Path) -> list[Path]:
    return sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
