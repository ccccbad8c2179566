"""Media: files of sound, film, images and notes, by their names; one row a format.

What turns the files of a column into the steps of sequences is a :class:`Media`, one for each kind.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from ostinato.data.table import Kind

SUFFIXES: Final[dict[str, Kind]] = {
    **dict.fromkeys((".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au"), Kind.AUDIO),
    **dict.fromkeys((".mp4", ".m4v", ".webm", ".avi", ".mkv", ".mov"), Kind.VIDEO),
    **dict.fromkeys((".mid", ".midi"), Kind.MIDI),
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".bmp", ".pgm", ".ppm", ".gif", ".tif", ".tiff"), Kind.IMAGE),
}
"""What a file holds, by its suffix."""


def kind_of(path: str | Path) -> Kind | None:
    """What a file holds by its name; None: no sound, film, image or notes."""
    return SUFFIXES.get(Path(path).suffix.lower())


def of_names(names: Iterable[str]) -> Kind | None:
    """The kind of a column of file names; None where it is none, or the names are of several kinds."""
    kinds = {kind_of(name) for name in names}
    return kinds.pop() if len(kinds) == 1 else None
