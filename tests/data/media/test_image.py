"""Images by row and by pixel: against numpy and Pillow, and every kind of damage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ostinato.data import read
from ostinato.data.features import Features
from ostinato.data.media import picture as room
from ostinato.data.media.image import Images
from ostinato.data.media.picture import moved, picture
from ostinato.data.settings import DataSettings, VisionSettings
from ostinato.data.table import Column, Kind, Table
from ostinato.errors import DataError, ModelFolderError, UsageError


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def save(path: Path, pixels: np.ndarray) -> Path:
    Image.fromarray(pixels).save(path)
    return path


def table_of(*values: object) -> Table:
    return Table({"image": Column("image", Kind.IMAGE, list(values))})


def fitted(table: Table, **vision: object) -> Images:
    return Images.fit(table["image"], table, DataSettings(vision=VisionSettings(**vision)))  # type: ignore[arg-type]


@given(height=st.integers(1, 9), width=st.integers(1, 9), count=st.integers(1, 4), seed=st.integers(0, 99))
def test_steps_are_rows_or_pixels(height: int, width: int, count: int, seed: int) -> None:
    pixels = noise(count, height, width, seed=seed)
    table = table_of(*pixels)
    rows = fitted(table).encode(table["image"], table)
    assert rows.lengths.tolist() == [height] * count
    assert np.array_equal(rows.values.numpy(), pixels.reshape(-1, width))
    single = fitted(table, steps="pixel").encode(table["image"], table)
    assert single.lengths.tolist() == [height * width] * count
    assert np.array_equal(single.values.numpy(), pixels.reshape(-1, 1))
    assert single.values.dtype == torch.uint8


def test_colours_stand_side_by_side(tmp_path: Path) -> None:
    pixels = noise(5, 3, 3)
    table = table_of(save(tmp_path / "a.png", pixels))
    rows = fitted(table, colour=True)
    assert (rows.size, rows.shape, rows.frame) == (9, (3, 5, 3), ())
    assert np.array_equal(rows.encode(table["image"], table).values.numpy(), pixels.reshape(5, 9))
    single = fitted(table, colour=True, steps="pixel")
    assert np.array_equal(single.encode(table["image"], table).values.numpy(), pixels.reshape(15, 3))
    grey = fitted(table).encode(table["image"], table).values.numpy()
    assert np.abs(grey - pixels @ [0.299, 0.587, 0.114]).max() <= 1  # ITU-R 601


def test_scaled_to_one_size(tmp_path: Path) -> None:
    """A picture of one brightness stays one, whatever its size; halving is the mean of four where they are alike."""
    files = [save(tmp_path / f"{n}.png", np.full(shape, 77, np.uint8)) for n, shape in enumerate([(7, 3), (16, 16)])]
    table = table_of(*files)
    found = fitted(table, size=5).encode(table["image"], table)
    assert found.lengths.tolist() == [5, 5]
    assert found.values.eq(77).all()
    blocks = np.kron(noise(4, 4), np.ones((8, 8), np.uint8))
    small = picture(blocks, VisionSettings(size=4))[0]
    assert np.corrcoef(small.ravel(), blocks[::8, ::8].ravel())[0, 1] > 0.95


def test_modes_of_image_files(tmp_path: Path) -> None:
    """16 bits keep their upper half; what is transparent is white; a palette is resolved; a camera held upright."""
    deep = (np.arange(12, dtype=np.uint16) * 5000).reshape(3, 4)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    assert np.array_equal(picture(tmp_path / "deep.png", VisionSettings())[0], deep >> 8)
    glass = np.zeros((2, 2, 4), np.uint8)
    glass[0, :, 3] = 255
    save(tmp_path / "glass.png", glass)
    assert picture(tmp_path / "glass.png", VisionSettings())[0].tolist() == [[0, 0], [255, 255]]
    Image.fromarray(noise(4, 4, 3)).quantize(8).save(tmp_path / "few.png")
    wanted = np.asarray(Image.open(tmp_path / "few.png").convert("RGB")).transpose(2, 0, 1)
    assert np.array_equal(picture(tmp_path / "few.png", VisionSettings(colour=True)), wanted)
    upright = Image.fromarray(noise(2, 6))
    exif = upright.getexif()
    exif[0x0112] = 6  # turn it by a quarter
    upright.save(tmp_path / "turned.png", exif=exif)
    assert picture(tmp_path / "turned.png", VisionSettings()).shape == (1, 6, 2)


@pytest.mark.parametrize("cut", [0, 5, 40, 200])
@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "gif", "tif"])
def test_a_damaged_image(tmp_path: Path, suffix: str, cut: int) -> None:
    path = save(tmp_path / f"a.{suffix}", noise(40, 40))
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DataError, match=rf"a\.{suffix}: is damaged") as caught:
        picture(path, VisionSettings())
    assert caught.value.path == path


def test_bytes_that_are_no_image_raise_nothing_else(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", noise(20, 20))
    whole = path.read_bytes()
    random = np.random.default_rng(0)
    refused = 0
    for _ in range(150):
        damaged = bytearray(whole)
        for place in random.integers(8, len(whole), 6):
            damaged[place] = int(random.integers(256))
        path.write_bytes(damaged)
        try:
            assert picture(path, VisionSettings()).shape[0] == 1
        except DataError:
            refused += 1
    assert refused > 100


def test_the_place_of_a_damaged_image(tmp_path: Path) -> None:
    """The row of a table that names it, or the file itself where it lies in a folder."""
    for number in range(3):
        save(tmp_path / f"{number}.png", noise(4, 4))
    (tmp_path / "1.png").write_bytes(b"no image")
    (tmp_path / "list.csv").write_text("picture,what\n0.png,a\n1.png,b\n2.png,a\n")
    table = read(tmp_path / "list.csv", DataSettings(target="what"))
    with pytest.raises(DataError, match=r"list\.csv, row 3, column 'picture': .*1\.png: is damaged or no image"):
        Features.fit(table, DataSettings(), "what").examples(table)
    (tmp_path / "list.csv").unlink()
    folder = read(tmp_path, DataSettings())
    with pytest.raises(DataError, match=r"^\S+1\.png: is damaged or no image"):
        Features.fit(folder, DataSettings()).examples(folder)


def test_an_image_of_another_size(tmp_path: Path) -> None:
    files = [save(tmp_path / "a.png", noise(4, 6)), save(tmp_path / "b.png", noise(4, 7))]
    table = table_of(*files)
    with pytest.raises(DataError, match=r"b\.png: 7 x 4 pixels, but the first one has 6 x 4 pixels: set vision\.size"):
        fitted(table).encode(table["image"], table)


def test_no_file_is_named(tmp_path: Path) -> None:
    save(tmp_path / "a.png", noise(4, 4))
    (tmp_path / "list.csv").write_text("picture,what\na.png,x\n,x\na.png,y\na.png,y\n")
    table = read(tmp_path / "list.csv", DataSettings(target="what"))
    with pytest.raises(DataError, match="row 3, column 'picture': no file is named"):
        Features.fit(table, DataSettings(), "what").examples(table)


def test_several_images_in_one_file(tmp_path: Path) -> None:
    images = [Image.fromarray(noise(4, 4, seed=n)) for n in range(3)]
    images[0].save(tmp_path / "a.gif", save_all=True, append_images=images[1:])
    with pytest.raises(DataError, match=r"a\.gif: holds 3 images: read it as a film"):
        picture(tmp_path / "a.gif", VisionSettings())


def test_an_image_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "a.png", noise(40, 50))
    monkeypatch.setattr(room, "MOST_PIXELS", 1999)
    with pytest.raises(DataError, match="has 50 x 40 pixels, more than 1,999"):
        picture(path, VisionSettings())


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    Image.new("1", (30_000, 30_000)).save(tmp_path / "bomb.png")  # some hundred kB of file
    with pytest.raises(DataError, match=r"bomb\.png: .*(pixels|limit)"):
        picture(tmp_path / "bomb.png", VisionSettings())


@pytest.mark.parametrize(
    ("vision", "told"),
    [({"size": -1}, "vision.size is -1"), ({"rate": -2.0}, "vision.rate"), ({"steps": "columns"}, "vision.steps")],
)
def test_settings_that_cannot_be(vision: dict[str, object], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        fitted(table_of(noise(4, 4)), **vision)


def test_moved_repeats_the_edge() -> None:
    pixels = torch.arange(12).view(1, 3, 4)
    assert moved(pixels, 0, 0).equal(pixels)
    assert moved(pixels, 1, 0)[0].tolist() == [[0, 1, 2, 3], [0, 1, 2, 3], [4, 5, 6, 7]]
    assert moved(pixels, 0, -1)[0].tolist() == [[1, 2, 3, 3], [5, 6, 7, 7], [9, 10, 11, 11]]
    assert moved(pixels, 0, 9)[0, :, 0].tolist() == [0, 4, 8]


@pytest.mark.parametrize("steps", ["row", "pixel"])
@pytest.mark.parametrize("colour", [True, False])
def test_training_sees_images_moved(steps: str, colour: bool) -> None:
    """Each by a pair of its own, and each of them is one of the moves there are."""
    pixels = noise(6, 5, 4, 3) if colour else noise(6, 5, 4)
    table = table_of(*pixels)
    media = fitted(table, shift=1, steps=steps, colour=colour)
    plain = media.encode(table["image"], table)
    torch.manual_seed(0)
    varied = media.vary(plain)
    assert varied.lengths.equal(plain.lengths)
    seen = set()
    for image, told in zip(pixels, varied, strict=True):
        original = torch.from_numpy(image).view(5, 4, -1).permute(2, 0, 1)
        found = told.view(5, 4, -1).permute(2, 0, 1)
        pairs = [(d, r) for d in (-1, 0, 1) for r in (-1, 0, 1) if moved(original, d, r).equal(found)]
        assert pairs
        seen.update(pairs)
    assert len(seen) > 2
    torch.manual_seed(0)
    assert media.vary(plain).values.equal(varied.values)


def test_the_levels_are_that_of_the_training_part() -> None:
    pixels = noise(40, 5, 4)
    assert fitted(table_of(*pixels)).levels == pytest.approx((pixels.mean(), pixels.std()))
    assert fitted(table_of(np.full((3, 3), 7, np.uint8))).levels == (7.0, 1.0)
    many = noise(500, 4, 4)
    many[250:] //= 5  # both halves are seen
    assert fitted(table_of(*many)).levels == pytest.approx((many.mean(), many.std()), rel=0.1)


def test_what_is_stored_comes_back() -> None:
    media = fitted(table_of(noise(5, 4)), steps="pixel", shift=2)
    again = Images.from_config(media.to_config())
    assert (again.vision, again.shape, again.levels) == (media.vision, media.shape, media.levels)
    for damage in (
        {"levels": [1.0, 0.0]},
        {"levels": [float("nan"), 1.0]},
        {"shape": [1, 2]},
        {"shape": [0, 2, 2]},
        {"vision": {"sizes": 3}},
        {"vision": {"steps": "x"}},
    ):
        with pytest.raises(ModelFolderError, match="damaged"):
            Images.from_config(media.to_config() | damage)


def test_without_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    import builtins

    real = builtins.__import__

    def absent(name: str, *rest: object) -> object:
        if name.startswith("PIL"):
            raise ImportError(name)
        return real(name, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(UsageError, match=r'needs? the library Pillow: pip install "ostinato\[video\]"'):
        picture(noise(2, 2), VisionSettings())
