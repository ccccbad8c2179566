"""Films against the frames they were written from, in every container; and every kind of damage."""

from __future__ import annotations

import builtins
from contextlib import suppress
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from films import damage, flat, square, write_film, write_frames
from ostinato.data import read
from ostinato.data.features import Features
from ostinato.data.media import decode, film
from ostinato.data.media.film import Films, by_number, frames
from ostinato.data.settings import DataSettings, VisionSettings
from ostinato.data.table import Column, Kind, Table
from ostinato.errors import DataError, UsageError

PLAIN = VisionSettings()
LEVELS = [10, 200, 60, 250, 120, 30, 90, 180, 0, 140, 70, 220]
CODECS = {"mp4": ("libx264", "yuv420p"), "webm": ("libvpx", "yuv420p"), "avi": ("mpeg4", "yuv420p")}


def table_of(*paths: Path) -> Table:
    return Table({"video": Column("video", Kind.VIDEO, list(paths))})


def fitted(table: Table, **vision: object) -> Films:
    return Films.fit(table["video"], table, DataSettings(vision=VisionSettings(**vision)))  # type: ignore[arg-type]


def levels(path: Path, vision: VisionSettings = PLAIN) -> list[float]:
    return [float(frame.mean()) for frame in frames(path, vision)]


@pytest.mark.parametrize("suffix", CODECS)
def test_every_frame_of_every_container(tmp_path: Path, suffix: str) -> None:
    path = write_film(tmp_path / f"a.{suffix}", [flat(level) for level in LEVELS], 25, *CODECS[suffix])
    assert np.allclose(levels(path), LEVELS, atol=6)
    table = table_of(path, path)
    media = fitted(table, size=8)
    found = media.encode(table["video"], table)
    assert found.lengths.tolist() == [len(LEVELS)] * 2
    assert (found.values.shape, found.values.dtype) == ((2 * len(LEVELS), 64), torch.uint8)
    assert media.frame == (1, 8, 8)


def test_places_and_colours_are_kept(tmp_path: Path) -> None:
    """Without loss: a lossless codec gives the very pixels, colour by colour, row after row."""
    random = np.random.default_rng(0)
    shown = [random.integers(0, 256, (6, 10, 3), dtype=np.uint8) for _ in range(3)]
    path = write_film(tmp_path / "a.avi", shown, 25, "ffv1", "bgr0")
    table = table_of(path)
    found = fitted(table, colour=True).encode(table["video"], table)
    assert np.array_equal(found.values.numpy().reshape(3, 3, 6, 10), np.stack(shown).transpose(0, 3, 1, 2))


@pytest.mark.parametrize("size", [(17, 31), (1, 1), (3, 90), (64, 64), (65, 5)])
@pytest.mark.parametrize("side", [0, 7])
def test_odd_sizes(tmp_path: Path, size: tuple[int, int], side: int) -> None:
    """Also of one pixel; where nothing is said a side has up to 64."""
    path = write_film(tmp_path / "a.avi", [flat(level, *size) for level in (50, 100)], 25, "ffv1", "gray")
    table = table_of(path)
    media = fitted(table, size=side)
    wanted = (side, side) if side else (64, 64) if max(size) > 64 else size
    assert media.shape == (1, *wanted)
    values = media.encode(table["video"], table).values.numpy()
    assert np.abs(values.astype(int) - np.array([[50], [100]])).max() <= 1


@given(
    gaps=st.lists(st.integers(20, 400), min_size=1, max_size=8),
    rate=st.sampled_from([0.7, 2.0, 5.0, 12.5, 40.0]),
)
def test_frames_at_a_rate(gaps: list[int], rate: float, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Of any intervals: at every ``k / rate`` the frame that is shown then."""
    times = [0, *np.cumsum(gaps).tolist()]
    shown = [(37 * number) % 250 for number in range(len(times))]
    path = tmp_path_factory.mktemp("film") / "a.mkv"
    write_film(path, [flat(level, 16, 16) for level in shown], 25, "ffv1", "gray", times)
    wanted, k = [], 0
    while 1000 * k / rate <= times[-1] + 1e-3:
        wanted.append(shown[max(n for n, time in enumerate(times) if time <= 1000 * k / rate + 1e-3)])
        k += 1
    assert levels(path, VisionSettings(rate=rate)) == wanted


def test_unequal_intervals(tmp_path: Path) -> None:
    times = [0, 40, 80, 300, 340, 380]
    path = write_film(tmp_path / "a.mkv", [flat(9, 16, 16)] * 6, 25, "ffv1", "gray", times)
    with pytest.raises(DataError, match=r"a\.mkv: frame 4 comes 0\.220 s after .*0\.040 s: set vision\.rate"):
        levels(path)
    assert len(levels(path, VisionSettings(rate=25))) == 10


def test_a_broken_frame(tmp_path: Path) -> None:
    """Its number and its time, and the row of the table that names the film."""
    whole = write_film(tmp_path / "whole.mp4", [square(4 * n, 4) for n in range(12)], 10)
    with av.open(str(whole)) as container:
        times = [float(packet.pts * packet.time_base) for packet in container.demux() if packet.size]
    assert times != sorted(times)  # decoded in another order than shown
    path = damage(whole, 7, tmp_path / "clips/broken.mp4")
    with pytest.raises(DataError, match=rf"broken\.mp4: the frame at {times[7]:.2f} s cannot be decoded"):
        levels(path)
    (tmp_path / "list.csv").write_text("clip,what\nwhole.mp4,a\nclips/broken.mp4,b\nwhole.mp4,b\n")
    table = read(tmp_path / "list.csv", DataSettings(target="what"))
    with pytest.raises(DataError, match=r"list\.csv, row 3, column 'clip': .*broken\.mp4: the frame at"):
        Features.fit(table, DataSettings(), "what").examples(table)


@pytest.mark.parametrize("suffix", CODECS)
@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.6, 0.9])
def test_a_film_cut_off(tmp_path: Path, suffix: str, share: float) -> None:
    random = np.random.default_rng(0)
    shown = [random.integers(0, 256, (48, 64), dtype=np.uint8) for _ in range(40)]
    path = write_film(tmp_path / f"a.{suffix}", shown, 10, *CODECS[suffix])
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(
        DataError, match=rf"a\.{suffix}: (is no film|ends after|frame \d+|the frame at|holds no frames|cannot be)"
    ):
        levels(path)


def test_nonsense_raises_nothing_else(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.mp4", [square(n, n) for n in range(6)])
    whole = path.read_bytes()
    random = np.random.default_rng(0)
    for _ in range(60):
        damaged = bytearray(whole)
        for place in random.integers(0, len(whole), 8):
            damaged[place] = int(random.integers(256))
        path.write_bytes(damaged)
        with suppress(DataError):
            levels(path)


def test_a_file_without_film(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), format="fltp", layout="mono")
        sound.rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode())
    with pytest.raises(DataError, match=r"a\.mp4: holds no frames"):
        levels(path)
    path.write_text("once upon a time")
    with pytest.raises(DataError, match=r"a\.mp4: is no film that can be read"):
        levels(path)
    with pytest.raises(DataError, match=r"gone\.mp4: cannot be read"):
        levels(tmp_path / "gone.mp4")


def test_a_playlist_is_not_followed(tmp_path: Path) -> None:
    """A file that names others (as HLS does) opens nothing but itself."""
    write_film(tmp_path / "secret.ts", [flat(9)] * 5, 25, "mpeg2video")
    lists = {
        "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nsecret.ts\n#EXT-X-ENDLIST\n",
        "concat": "ffconcat version 1.0\nfile secret.ts\n",
    }
    for name, text in lists.items():
        path = tmp_path / f"{name}.mp4"
        path.write_text(text)
        with pytest.raises(DataError, match="is no film that can be read"):
            levels(path)


@pytest.mark.parametrize(
    ("module", "limit", "value", "told"),
    [
        (film, "MOST_FRAMES", 3, "more than 3 frames of 64 bytes: cut it into shorter films, or set vision.rate"),
        (film, "MOST_BYTES", 200, "more than 3 frames"),
        (decode, "MOST_PIXELS", 48 * 64 - 1, "frame 1|is no film that can be read"),
        (decode, "MOST_SECONDS", -1.0, "takes more than .* to read"),
    ],
)
def test_limits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: object, limit: str, value: float, told: str
) -> None:
    path = write_film(tmp_path / "a.mp4", [flat(level) for level in LEVELS])
    table = table_of(path)
    media = fitted(table, size=8)
    monkeypatch.setattr(module, limit, value)
    with pytest.raises(DataError, match=told) as caught:
        media.encode(table["video"], table)
    assert caught.value.path == path


def test_one_frame_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A film is decoded as its frames are asked for, never ahead."""
    path = write_film(tmp_path / "a.avi", [flat(level) for level in LEVELS], 25, "mpeg4")
    seen = []
    real = decode._checked
    monkeypatch.setattr(decode, "_checked", lambda frame, clock: seen.append(frame.pts) or real(frame, clock))
    shown = frames(path, PLAIN)
    for number in range(1, 5):
        next(shown)
        assert len(seen) == number


def test_a_folder_of_frames(tmp_path: Path) -> None:
    """As a person counts: 2 before 10; other files are no frames."""
    folder = write_frames(tmp_path / "clip", [flat(10 * n, 5, 6) for n in range(12)])
    (folder / "notes.txt").write_text("x")
    assert levels(folder) == [10.0 * n for n in range(12)]
    names = ["frame10.png", "frame9.png", "frame09.png", "a.png", "1.png"]
    assert sorted(map(Path, names), key=by_number) == [
        Path(name) for name in ("1.png", "a.png", "frame09.png", "frame9.png", "frame10.png")
    ]
    with pytest.raises(DataError, match=r"clip: is a folder of frames, which have no times: set vision\.rate=0"):
        levels(folder, VisionSettings(rate=2))
    (folder / "7.png").write_bytes(b"nonsense")
    with pytest.raises(DataError, match=r"7\.png: is damaged or no image"):
        levels(folder)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty: holds no frames"):
        levels(tmp_path / "empty")


def test_a_frame_of_another_size(tmp_path: Path) -> None:
    folder = write_frames(tmp_path / "clip", [flat(1, 5, 6), flat(1, 5, 6), flat(1, 5, 7)])
    table = table_of(folder)
    with pytest.raises(DataError, match=r"clip: frame 3: 7 x 5 pixels, but the first one has 6 x 5 pixels"):
        fitted(table).encode(table["video"], table)
    assert fitted(table, size=4).encode(table["video"], table).lengths.tolist() == [3]


def test_folders_of_frames_as_a_data_set(tmp_path: Path) -> None:
    """A film lies in the folder of its class; elsewhere ``data.kinds`` says that it is one."""
    for label in ("up", "down"):
        for clip in ("a", "b"):
            write_frames(tmp_path / label / clip, [flat(5, 4, 4)] * 3)
    table = read(tmp_path, DataSettings())
    assert table["video"].values == [tmp_path / f"{label}/{clip}" for label in ("down", "up") for clip in "ab"]
    assert table["label"].values == ["down", "down", "up", "up"]
    assert table["name"].values == ["down/a", "down/b", "up/a", "up/b"]
    assert read(tmp_path / "up", DataSettings())["image"].kind is Kind.IMAGE
    films = DataSettings(kinds={"video": "video"})
    assert read(tmp_path / "up", films)["video"].values == [tmp_path / "up/a", tmp_path / "up/b"]
    one = read(tmp_path / "up/a", films)
    assert (one["video"].values, one["name"].values) == ([tmp_path / "up/a"], ["a"])


def test_training_sees_films_moved() -> None:
    """All frames of a film alike, each film by a pair of its own."""
    media = Films(VisionSettings(shift=2), (1, 6, 6))
    torch.manual_seed(0)
    steps = film.Ragged.from_list([torch.randint(0, 256, (length, 36), dtype=torch.uint8) for length in (3, 1, 5, 4)])
    moves = set()
    for before, after in zip(steps, media.vary(steps), strict=True):
        fits = [
            (down, right)
            for down in range(-2, 3)
            for right in range(-2, 3)
            if film.moved(before.view(-1, 1, 6, 6), down, right).flatten(1).equal(after)
        ]
        assert len(fits) == 1
        moves.update(fits)
    assert len(moves) > 1


def test_without_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def absent(name: str, *rest: object) -> object:
        if name == "av":
            raise ImportError(name)
        return real(name, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(UsageError, match=r'library PyAV: pip install "ostinato\[video\]"'):
        levels(tmp_path / "a.mp4")
