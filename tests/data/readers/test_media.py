"""Files of sound, film and images: folders, folders of classes, and tables that name them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ostinato.data import read
from ostinato.data.settings import DataSettings
from ostinato.data.table import Kind
from ostinato.errors import DataError


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


def test_a_folder_for_each_class(tmp_path: Path) -> None:
    table = read(touch(tmp_path, "no/b.wav", "no/a.WAV", "yes/c.flac", "yes/readme.md"), DataSettings())
    assert table["audio"].kind is Kind.AUDIO
    assert table["audio"].values == [tmp_path / "no/a.WAV", tmp_path / "no/b.wav", tmp_path / "yes/c.flac"]
    assert table["label"].values == ["no", "no", "yes"]
    assert table["name"].values == ["no/a.WAV", "no/b.wav", "yes/c.flac"]
    assert "2 folders, each a class: no 2, yes 1" in table.notes


def test_a_folder_without_classes_and_a_single_file(tmp_path: Path) -> None:
    touch(tmp_path, "b.png", "a.jpg", "notes.txt")
    assert list(read(tmp_path, DataSettings()).columns) == ["image", "name"]
    one = read(tmp_path / "b.png", DataSettings())
    assert (one["image"].values, one["name"].values) == ([tmp_path / "b.png"], ["b.png"])


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("a.wav", "b.mp4"), "holds audio, video"),
        (("a.wav", "yes/b.wav"), "1 file beside folders of others \\(yes\\)"),
    ],
)
def test_a_folder_that_says_nothing_clear(tmp_path: Path, names: tuple[str, ...], told: str) -> None:
    with pytest.raises(DataError, match=told):
        read(touch(tmp_path, *names), DataSettings())


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        read(tmp_path / "talk.wav", DataSettings())


def test_a_table_names_files_from_its_own_folder(tmp_path: Path) -> None:
    touch(tmp_path, "clips/a.mp4", "clips/b.mp4")
    (tmp_path / "list.csv").write_text(f"clip,what\nclips/a.mp4,up\n{tmp_path / 'clips/b.mp4'},down\n")
    table = read(tmp_path / "list.csv", DataSettings(target="what"))
    assert table["clip"].kind is Kind.VIDEO
    assert table["clip"].values == [tmp_path / "clips/a.mp4", tmp_path / "clips/b.mp4"]
    assert table["what"].kind is Kind.CATEGORY


def test_a_table_that_names_no_file(tmp_path: Path) -> None:
    touch(tmp_path, "a.wav")
    (tmp_path / "list.csv").write_text("sound,what\na.wav,up\nb.wav,down\n")
    with pytest.raises(DataError, match=r"b\.wav.*seen from the folder of this table") as caught:
        read(tmp_path / "list.csv", DataSettings(target="what"))
    assert "row 3" in str(caught.value)
