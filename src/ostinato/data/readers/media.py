"""Media: a file of sound, film or image, or a folder of them, perhaps a folder for each class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ostinato.data.cells import plural
from ostinato.data.media import kind_of
from ostinato.data.table import Column, Kind, Table
from ostinato.errors import DataError

LABEL, NAME = "label", "name"
SOURCE, TARGET = "source", "target"


def media_files(folder: Path, *, films: bool = False) -> dict[str, list[Path]]:
    """The files of sound, film and image of a folder by class: its sub-folders' names, or "" for its own files.

    A folder of images is a film where it lies in the folder of a class, or wherever ``films`` says so.
    """
    if films and _frames(folder):
        return {"": [folder]}
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not (films and _frames(path)):
            inside = [one for one in sorted(path.iterdir()) if _kind(one)]
            if inside:
                found[path.name] = inside
        elif _kind(path):
            found.setdefault("", []).append(path)
    return found


def _kind(path: Path) -> Kind | None:
    return kind_of(path) if path.is_file() else Kind.VIDEO if path.is_dir() and _frames(path) else None


def _frames(folder: Path) -> bool:
    """Whether a folder holds images."""
    return any(path.is_file() and kind_of(path) is Kind.IMAGE for path in folder.iterdir())


def read_media(path: Path, *, films: bool = False) -> Table:
    """A file, or the files of a folder, as a table with a row each.

    Its columns: ``audio``, ``video`` or ``image``; ``name`` (ID), the file's own; and ``label`` where each sub-folder
    holds the files of a class.

    Args:
        path: the file or folder.
        films: whether folders of images are films wherever they lie.

    Raises:
        DataError: it does not exist; files of several kinds; files both beside and in folders of classes.
    """
    if not path.exists():
        raise DataError("does not exist: check the name and the folder", path=path)
    found = media_files(path, films=films) if path.is_dir() else {"": [path]}
    if "" in found and len(found) > 1:
        raise DataError(
            f"holds {plural(len(found['']), 'file')} beside folders of others ({', '.join(sorted(found)[1:4])}): "
            "put every file into the folder of its class",
            path=path,
        )
    files = [file for inside in found.values() for file in inside]
    kinds = {kind for file in files if (kind := kind_of(file) if file.is_file() else Kind.VIDEO)}
    if len(kinds) != 1:
        told = ", ".join(sorted(kind.value for kind in kinds)) or "no sound, film or image"
        raise DataError(f"holds {told}: a folder holds files of one kind", path=path)
    kind = kinds.pop()
    columns = {
        kind.value: Column(kind.value, kind, files),
        NAME: Column(
            NAME, Kind.ID, [file.name if file == path else file.relative_to(path).as_posix() for file in files]
        ),
    }
    notes = [f"{plural(len(files), 'file')} of {kind.value}"]
    if "" not in found:
        columns[LABEL] = Column(LABEL, Kind.CATEGORY, [name for name, inside in found.items() for _ in inside])
        counts = ", ".join(f"{name} {len(inside):,}" for name, inside in found.items())
        notes.append(f"{plural(len(found), 'folder')}, each a class: {counts}")
    return Table(columns, path, notes=tuple(notes))


def read_pairs(paths: Sequence[Path]) -> Table:
    """Two folders of files with the same names (suffixes aside), or two files: ``source``, ``target`` and ``name``.

    Raises:
        DataError: they hold classes, or a file of one has no partner in the other.
    """
    sides = []
    for path in paths:
        table = read_media(path)
        if LABEL in table.columns:
            raise DataError(
                "holds folders of files: of two parallel folders each holds the files themselves", path=path
            )
        sides.append(next(column for column in table if column.name != NAME))
    stems = [[file.stem for file in side.values] for side in sides]
    if all(path.is_file() for path in paths):
        stems = [stems[0], stems[0]]
    for mine, theirs, other in ((stems[0], stems[1], paths[1]), (stems[1], stems[0], paths[0])):
        alone = sorted(set(mine) - set(theirs))
        if alone or len(set(mine)) < len(mine):
            twice = [] if alone else [stem for stem in mine if mine.count(stem) > 1]
            told = f"has no partner of '{alone[0]}'" if alone else f"'{twice[0]}' has two partners"
            raise DataError(f"{told}: parallel folders hold files of the same names", path=other)
    columns = {
        name: Column(name, side.kind, list(side.values)) for name, side in zip((SOURCE, TARGET), sides, strict=True)
    }
    columns[NAME] = Column(NAME, Kind.ID, stems[0])
    note = f"{plural(len(stems[0]), 'pair')} of files: {paths[0].name} and, to be made of it, {paths[1].name}"
    return Table(columns, paths[0].parent, notes=(note,))
