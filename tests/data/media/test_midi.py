"""Files of notes against mido's own reading, and every kind of bad file."""

from __future__ import annotations

from pathlib import Path

import mido
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ostinato.data import read
from ostinato.data.features import Features
from ostinato.data.media.midi import KEYS, LOWEST, MOST_BYTES, NAMES, Tune, read_midi
from ostinato.data.media.rolls import Rolls
from ostinato.data.settings import DataSettings, MusicSettings
from ostinato.data.table import Kind
from ostinato.errors import DataError, UsageError

Event = tuple[str, int, int]
"""``on`` or ``off``, the MIDI number of the key, ticks since the event before."""


def write(
    path: Path, *tracks: list[Event], beat: int = 480, channel: int = 0, end: int = 0, velocity: int = 64, kind: int = 1
) -> Path:
    made = []
    for events in tracks:
        messages = [mido.Message(f"note_{e}", note=n, time=t, velocity=velocity, channel=channel) for e, n, t in events]
        made.append(mido.MidiTrack([*messages, mido.MetaMessage("end_of_track", time=end)]))
    mido.MidiFile(type=kind, ticks_per_beat=beat, tracks=made).save(str(path))
    return path


def sounding(tune: Tune) -> dict[str, list[int]]:
    """The steps at which each key sounds."""
    return {NAMES[key]: np.flatnonzero(tune.keys[:, key]).tolist() for key in np.flatnonzero(tune.keys.any(0))}


def test_names_of_keys() -> None:
    assert (len(NAMES), NAMES[0], NAMES[60 - LOWEST], NAMES[69 - LOWEST], NAMES[-1]) == (88, "A0", "C4", "A4", "C8")


def test_notes_on_the_grid(tmp_path: Path) -> None:
    """Sixteenths of 120 ticks: a quarter, then two at once; the track goes on for a beat after them."""
    events = [("on", 60, 0), ("off", 60, 480), ("on", 64, 0), ("on", 67, 0), ("off", 64, 240), ("off", 67, 240)]
    tune = read_midi(write(tmp_path / "a.mid", events, end=480))
    assert tune.keys.shape == (12, KEYS)
    assert sounding(tune) == {"C4": [0, 1, 2, 3], "E4": [4, 5], "G4": [4, 5, 6, 7]}
    assert (tune.steps_per_beat, tune.beats_per_minute, tune.left_out) == (4, 120.0, ())


def test_notes_go_to_the_nearest_step_and_sound_for_one_at_least(tmp_path: Path) -> None:
    events = [("on", 60, 61), ("off", 60, 10), ("on", 62, 288), ("off", 62, 181)]  # 61–71, 359–540 of 120 a step
    assert sounding(read_midi(write(tmp_path / "a.mid", events))) == {"C4": [1], "D4": [3, 4]}


def test_tracks_and_channels_are_laid_on_each_other(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mid", [("on", 60, 0), ("off", 60, 240)], [("on", 60, 120), ("off", 60, 240)])
    assert sounding(read_midi(path)) == {"C4": [0, 1, 2]}


def test_a_note_on_without_velocity_is_an_off(tmp_path: Path) -> None:
    track = mido.MidiTrack(mido.Message("note_on", note=60, velocity=v, time=t) for v, t in ((64, 0), (0, 240)))
    mido.MidiFile(tracks=[track]).save(str(tmp_path / "a.mid"))
    assert sounding(read_midi(tmp_path / "a.mid")) == {"C4": [0, 1]}


@pytest.mark.parametrize(
    ("events", "steps"),
    [
        ([("on", 60, 0), ("on", 60, 240), ("off", 60, 240), ("off", 60, 240)], [0, 1, 2, 3]),
        ([("on", 60, 0), ("on", 60, 240), ("off", 60, 240)], [0, 1, 2, 3]),
        ([("off", 60, 120), ("on", 60, 120), ("off", 60, 120)], [2]),
        ([("on", 60, 0), ("off", 60, 0), ("on", 62, 480)], [0]),
    ],
    ids=["two ends", "one end", "an end before any begin", "begin and end at once"],
)
def test_overlapping_notes_of_one_key(tmp_path: Path, events: list[Event], steps: list[int]) -> None:
    assert sounding(read_midi(write(tmp_path / "a.mid", events, end=120)))["C4"] == steps


def test_a_note_that_never_ends_sounds_to_the_end_of_its_track(tmp_path: Path) -> None:
    assert sounding(read_midi(write(tmp_path / "a.mid", [("on", 60, 120)], end=360))) == {"C4": [1, 2, 3]}


def test_keys_no_piano_has_and_percussion_are_left_out_and_counted(tmp_path: Path) -> None:
    notes = [("on", n, 0) for n in (20, 21, 108, 109, 127)] + [("off", 21, 120), ("off", 108, 0)]
    tune = read_midi(write(tmp_path / "a.mid", notes))
    assert sounding(tune) == {"A0": [0], "C8": [0]}
    assert tune.left_out == (("notes below A0 or above C8", 3),)
    drums = mido.MidiFile(str(tmp_path / "a.mid"))
    drums.tracks.append(mido.MidiTrack([mido.Message("note_on", note=38, channel=9)] * 2))
    drums.save(str(tmp_path / "b.mid"))
    table = read(tmp_path, DataSettings())
    assert Rolls(4).notes(table["midi"]) == ("6 notes below A0 or above C8 left out", "2 notes of percussion left out")


@given(
    keys=arrays.arrays(bool, st.tuples(st.integers(1, 30), st.just(KEYS)), elements=st.booleans()).filter(np.any),
    steps_per_beat=st.sampled_from([1, 2, 3, 4, 7, 12, 24, 96]),
    tempo=st.floats(20, 300),
)
@settings(deadline=None, max_examples=15)
def test_a_roll_is_the_same_after_a_file(
    keys: np.ndarray, steps_per_beat: int, tempo: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("tunes") / "a.midi"
    Tune(keys, steps_per_beat, tempo).save(path)
    found = read_midi(path, steps_per_beat)
    np.testing.assert_array_equal(found.keys, keys)
    assert found.beats_per_minute == pytest.approx(tempo, rel=1e-4)
    bars = [message for message in mido.MidiFile(str(path)).tracks[0] if message.type == "note_on"]
    assert len(bars) == int((np.diff(keys.astype(int), axis=0, prepend=0) > 0).sum())  # a held key is one note


def test_a_csv_roll_is_read_as_a_series(tmp_path: Path) -> None:
    keys = np.random.default_rng(0).random((9, KEYS)) < 0.1
    Tune(keys).save(tmp_path / "a.csv")
    column = read(tmp_path / "a.csv", DataSettings())["values"]
    assert column.channels == NAMES
    np.testing.assert_array_equal(column.values[0], keys)


def damaged(path: Path) -> dict[str, tuple[bytes, str]]:
    good = write(path / "good.mid", [("on", 60, 0), ("off", 60, 480)]).read_bytes()
    frames = bytearray(good)
    frames[12:14] = bytes([0xE7, 0x28])  # 25 frames a second, 40 ticks each
    many = bytearray(good)
    many[9] = 2
    return {
        "empty": (b"", "is empty"),
        "no MIDI": (b"RIFF" + good[4:], "does not begin with MThd"),
        "a header alone": (good[:10], "damaged MIDI file \\(it ends too early\\)"),
        "cut off": (good[:-6], "damaged MIDI file"),
        "a byte that cannot be": (good.replace(bytes([0x3C]), bytes([0xBC])), "damaged MIDI file"),
        "frames": (bytes(frames), "in frames of film"),
        "type 2": (bytes(many), "do not run together"),
        "endless number": (good[:22] + b"\xff" * 70000, "no end"),
        "too large": (good + b"\0" * MOST_BYTES, f"at most {MOST_BYTES:,}"),
    }


def test_damaged_files_name_themselves(tmp_path: Path, subtests: pytest.Subtests) -> None:
    for which, (data, told) in damaged(tmp_path).items():
        with subtests.test(which):
            (tmp_path / "bad.mid").write_bytes(data)
            with pytest.raises(DataError, match=told) as caught:
                read_midi(tmp_path / "bad.mid")
            assert caught.value.path == tmp_path / "bad.mid"


@pytest.mark.parametrize(
    ("events", "channel", "told"),
    [
        ([], 0, "has no notes on the piano's keys"),
        ([("on", 120, 0), ("off", 120, 480)], 0, "1 notes below A0 or above C8 left out"),
        ([("on", 60, 0), ("off", 60, 480)], 9, "1 notes of percussion left out"),
    ],
)
def test_files_without_notes(tmp_path: Path, events: list[Event], channel: int, told: str) -> None:
    with pytest.raises(DataError, match=told):
        read_midi(write(tmp_path / "a.mid", events, channel=channel))


def test_a_tune_without_end_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mid", [("on", 60, 0), ("off", 60, 0x0FFFFFFF)], beat=1)
    with pytest.raises(DataError, match="1,073,741,820 steps long"):
        read_midi(path)


def test_a_file_that_is_not_there_and_a_grid_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_midi(tmp_path / "none.mid")
    for steps in (0, 97):
        with pytest.raises(UsageError, match="1 to 96"):
            read_midi(tmp_path / "none.mid", steps)


@given(data=st.data())
@settings(deadline=None, max_examples=80)
def test_hostile_bytes_end_in_an_error_that_names_the_file(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("hostile")
    good = write(folder / "a.mid", [("on", 60, 0), ("off", 60, 480), ("on", 64, 3), ("off", 64, 77)]).read_bytes()
    changed = bytearray(good)
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    (folder / "a.mid").write_bytes(changed[: data.draw(st.integers(1, len(good)))])
    try:
        assert read_midi(folder / "a.mid").keys.any()
    except DataError as error:
        named = error.path
    else:
        named = folder / "a.mid"
    assert named == folder / "a.mid"


def test_tunes_are_written_to_files_of_tunes(tmp_path: Path) -> None:
    tune = Tune(np.ones((2, KEYS), dtype=bool))
    with pytest.raises(UsageError, match=r"\.mid, \.midi or \.csv"):
        tune.save(tmp_path / "a.wav")
    with pytest.raises(UsageError, match="88 keys"):
        Tune(np.ones((2, 3), dtype=bool), names=("a", "b", "c")).save(tmp_path / "a.mid")


def test_a_folder_of_tunes_as_features(tmp_path: Path) -> None:
    write(tmp_path / "b.mid", [("on", 60, 0), ("off", 60, 480)])
    write(tmp_path / "a.midi", [("on", 21, 0), ("off", 21, 960)])
    table = read(tmp_path, DataSettings())
    assert table["midi"].kind is Kind.MIDI
    data = DataSettings(inputs=("midi",), music=MusicSettings(2))
    features = Features.from_config(Features.fit(table, data).to_config())
    examples = features.examples(table)
    assert examples.lengths.tolist() == [4, 2]
    assert examples.inputs.values.sum().item() == 6
    assert features.spec("sequence", 2).input_size == KEYS
    assert features.examples(table.take(np.empty(0, dtype=int))).inputs.values.shape == (0, KEYS)


def test_without_the_library_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "mido", None)
    with pytest.raises(UsageError, match=r'pip install "ostinato\[music\]"'):
        read_midi(tmp_path / "a.mid")
