"""MIDI: a file of notes as a tune on a grid of steps, and back (the extra ``music``)."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import polars as pl

from ostinato.errors import DataError, UsageError

if TYPE_CHECKING:
    from mido import MidiFile

LOWEST, KEYS = 21, 88
"""The piano's keys: A0, which MIDI numbers 21, to C8, number 108."""
_TONES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
NAMES = tuple(f"{_TONES[note % 12]}{note // 12 - 1}" for note in range(LOWEST, LOWEST + KEYS))
"""Of the keys: ``A0``, ``A#0``, …, ``C8``; middle C is ``C4``."""
PERCUSSION = 9
"""The channel (counted from 0) whose notes are drums, not keys."""
MOST_BYTES, MOST_STEPS = 1 << 22, 1 << 18
"""Larger files, and longer tunes, are no tunes: they are refused before they fill the memory."""
_ENDLESS = re.compile(rb"[\x80-\xff]{65536}")
"""A number of MIDI goes on while its bytes are above 127; no real file has one (or a text) as long as this."""


@dataclass(frozen=True)
class Tune:
    """A piano roll: which of the 88 keys sound at each step.

    Args:
        keys: ``(T, 88)`` bool; column 0 is A0 (MIDI number 21). A key held over several steps is one note.
        steps_per_beat: the grid; a beat is a quarter note.
        beats_per_minute: the tempo, which only :meth:`save` needs.
        left_out: notes of a file that are not in ``keys``, and why: ``(("notes below A0 or above C8", 3),)``.
        names: of the columns, where they are not the piano's.
    """

    keys: np.ndarray
    steps_per_beat: int = 4
    beats_per_minute: float = 120.0
    left_out: tuple[tuple[str, int], ...] = ()
    names: tuple[str, ...] = NAMES

    def save(self, path: str | Path) -> None:
        """Writes a MIDI file of one track that any player plays; read again on the same grid it is this tune.

        A name that ends in ``.csv`` gets the piano roll as a table: a row a step, with its number and a column a key.

        Raises:
            UsageError: the suffix is neither, the keys of MIDI are not a piano's, or mido is not installed.
        """
        path = Path(path)
        if path.suffix == ".csv":
            table = pl.DataFrame(self.keys.astype(np.int8), schema=list(self.names), orient="row")
            table.with_row_index("step", 1).write_csv(path)
            return
        if path.suffix not in {".mid", ".midi"}:
            raise UsageError(f"{path}: a tune is written to a file that ends in .mid, .midi or .csv")
        if self.names != NAMES:
            raise UsageError(f"{path}: MIDI is written of the piano's {KEYS} keys; write these to a .csv file")
        mido = _library()
        step = -(-480 // self.steps_per_beat)
        track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(self.beats_per_minute))])
        now = 0
        for at, key, on in self._changes():
            kind, velocity = ("note_on", 80) if on else ("note_off", 0)
            track.append(mido.Message(kind, note=LOWEST + key, velocity=velocity, time=(at - now) * step))
            now = at
        track.append(mido.MetaMessage("end_of_track", time=(len(self.keys) - now) * step))
        mido.MidiFile(type=0, ticks_per_beat=step * self.steps_per_beat, tracks=[track]).save(str(path))

    def _changes(self) -> Iterator[tuple[int, int, bool]]:
        """Step, key, and whether it goes down there; what goes up at a step comes before what goes down."""
        edges = np.diff(np.pad(self.keys.astype(np.int8), ((1, 1), (0, 0))), axis=0)
        at, key = np.nonzero(edges)
        down = edges[at, key] > 0
        for row in np.lexsort((key, down, at)).tolist():
            yield int(at[row]), int(key[row]), bool(down[row])


def read_midi(path: str | Path, steps_per_beat: int = 4) -> Tune:
    """The notes of all tracks and channels but percussion on a grid of ``steps_per_beat`` steps a quarter note.

    Notes begin and end at the nearest step and sound for at least one. A key struck while it is held (notes that
    overlap) goes on sounding and ends with the next note-off; one that is never let go sounds to the end of its track.
    Notes outside the piano's 88 keys are left out and counted in :attr:`Tune.left_out`.

    Raises:
        DataError: no file, not MIDI, damaged, too large, its time is not counted in beats, or without any such note.
        UsageError: ``steps_per_beat`` is not between 1 and 96, or mido is not installed.
    """
    path = Path(path)
    if not 1 <= steps_per_beat <= 96:
        raise UsageError(f"music.steps_per_beat is a number from 1 to 96, not {steps_per_beat}")
    file = _parsed(path)
    if file.ticks_per_beat <= 0:
        raise DataError("counts time in frames of film, not in beats: save it with ticks a quarter note", path=path)
    if file.type == 2:
        raise DataError("holds tunes that do not run together (type 2): save each as a file of its own", path=path)
    notes, ends, left_out = _notes(file)
    if not notes:
        told = "".join(f"; {count:,} {why} left out" for why, count in left_out)
        raise DataError(f"has no notes on the piano's keys (21 to 108){told}: take it away", path=path)
    if (steps := max(ends) * steps_per_beat // file.ticks_per_beat) > MOST_STEPS:
        raise DataError(f"is {steps:,} steps long, but a tune has at most {MOST_STEPS:,}: cut it", path=path)
    grid = np.array([*((start, stop) for start, stop, _ in notes), (0, max(ends))], dtype=np.int64)
    grid = (grid * 2 * steps_per_beat + file.ticks_per_beat) // (2 * file.ticks_per_beat)
    starts, stops = grid[:, 0], np.maximum(grid[:, 1], grid[:, 0] + 1)
    steps = int(stops.max())
    keys = np.zeros((steps, KEYS), dtype=bool)
    for start, stop, (_, _, key) in zip(starts.tolist(), stops.tolist(), notes, strict=False):
        keys[start:stop, key] = True
    tempo = next((m.tempo for track in file.tracks for m in track if m.type == "set_tempo" and m.tempo), 500_000)
    return Tune(keys, steps_per_beat, 60_000_000 / tempo, left_out)


Note = tuple[int, int, int]
"""First tick, last tick, key (0 is A0)."""


def _notes(file: MidiFile) -> tuple[list[Note], list[int], tuple[tuple[str, int], ...]]:
    """The notes, the last tick of every track, and how many notes were left out and why."""
    notes: list[Note] = []
    ends = [0]
    drums = outside = 0
    for track in file.tracks:
        now, held = 0, dict[tuple[int, int], int]()
        for message in track:
            now += message.time
            if message.type not in {"note_on", "note_off"}:
                continue
            on, place = message.type == "note_on" and message.velocity > 0, (message.channel, message.note)
            if message.channel == PERCUSSION:
                drums += on
            elif not LOWEST <= message.note < LOWEST + KEYS:
                outside += on
            elif on:
                held.setdefault(place, now)
            elif place in held:
                notes.append((held.pop(place), now, message.note - LOWEST))
        notes += [(start, now, note - LOWEST) for (_, note), start in held.items()]
        ends.append(now)
    counts = (("notes below A0 or above C8", outside), ("notes of percussion", drums))
    return notes, ends, tuple((why, count) for why, count in counts if count)


def _parsed(path: Path) -> MidiFile:
    mido = _library()
    try:
        data = path.read_bytes() if path.stat().st_size <= MOST_BYTES else b""
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror or error}): check the name", path=path) from None
    if not data:
        size = path.stat().st_size
        told = f"has {size:,} bytes, but a tune has at most {MOST_BYTES:,}" if size else "is empty"
        raise DataError(f"{told}: save it again, or take it away", path=path)
    if data[:4] != b"MThd":
        raise DataError("is no MIDI file (it does not begin with MThd): save it again as one", path=path)
    try:
        if _ENDLESS.search(data):
            _endless()
        return mido.MidiFile(file=io.BytesIO(data))
    except (ArithmeticError, EOFError, LookupError, OSError, TypeError, ValueError, mido.KeySignatureError) as error:
        told = str(error) or "it ends too early"
        raise DataError(f"is a damaged MIDI file ({told}): save it again, or take it away", path=path) from None


def _endless() -> NoReturn:
    raise ValueError("a number in it has no end")


def _library() -> Any:
    """mido, or a message that says how to get it."""
    try:
        import mido
    except ImportError:
        raise UsageError('music needs the library mido: pip install "ostinato[music]"') from None
    return mido
