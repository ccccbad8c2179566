"""A run that goes on wants the files its tables name as they were, too."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ostinato.data import read
from ostinato.errors import DataError
from ostinato.runs import Recipe, Reporter, resume, train
from ostinato.runs.fingerprints import check_same, digests, named_files
from ostinato.training import Progress
from ostinato.training.history import Row

SMALL = {"model.hidden": 4, "training.epochs": 2, "training.batch_size": 16, "data.target": "label"}


def pictures(folder: Path, count: int = 40) -> Path:
    """A table that names images, some in a folder of their own and one by its whole path."""
    (folder / "scans").mkdir(parents=True)
    random = np.random.default_rng(0)
    lines = ["picture,label"]
    for number in range(count):
        body = random.integers(100 * (number % 2), 100 * (number % 2) + 100, 16, dtype=np.uint8).tobytes()
        path = folder / "scans" / f"{number}.pgm"
        path.write_bytes(b"P5 4 4 255\n" + body)
        name = path.absolute() if number == 0 else path.relative_to(folder)
        lines.append(f"{name},{'bright' if number % 2 else 'dark'}")
    table = folder / "pictures.csv"
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return table


class Stop(Reporter):
    """Stops after the first epoch."""

    def on_epoch(self, progress: Progress, row: Row) -> None:
        raise KeyboardInterrupt


def stopped(table: Path, out: Path) -> Path:
    with pytest.raises(KeyboardInterrupt):
        train(table, SMALL, out, reporter=Stop())
    return out


def shorter(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def other(path: Path) -> None:
    """Of the same size."""
    path.write_bytes(path.read_bytes()[:-1] + bytes([path.read_bytes()[-1] ^ 1]))


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (Path.unlink, r"7\.pgm: is gone, and .*pictures\.csv names it: put it back to resume the run"),
        (shorter, r"7\.pgm: has changed since the run began, and .*pictures\.csv names it: restore it, or train anew"),
        (other, r"7\.pgm: has changed since the run began"),
    ],
)
def test_a_named_file_that_changed_stops_a_resume(harm: Callable[[Path], None], told: str, tmp_path: Path) -> None:
    table = pictures(tmp_path / "data")
    out = stopped(table, tmp_path / "run")
    picture = table.parent / "scans" / "7.pgm"
    kept = picture.read_bytes()
    harm(picture)
    with pytest.raises(DataError, match=told) as caught:
        resume(out)
    assert Path(str(caught.value.path)).resolve() == picture.resolve()
    picture.write_bytes(kept)
    assert resume(out).folder.finished


def test_data_and_run_can_be_moved_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    table = pictures(Path("here/data"))
    text = table.read_text(encoding="utf-8").splitlines()
    table.write_text("\n".join([text[0], *text[2:]]) + "\n", encoding="utf-8")  # without the whole path
    stopped(table, Path("here/run"))
    shutil.move("here", "there")
    assert resume("there/run").folder.finished


def test_what_is_kept(tmp_path: Path) -> None:
    """One row a file that is named, none for what the digest of a folder covers already."""
    table = pictures(tmp_path / "data", 3)
    recipe = Recipe.of({"files.data": str(table)})
    found = named_files(recipe, (read(table, recipe.data), read(table, recipe.data)))
    assert set(found) == {"data"}
    assert set(found["data"]) == {"scans/0.pgm", "scans/1.pgm", "scans/2.pgm"}
    assert {row["bytes"] for row in found["data"].values()} == {27}
    assert len({row["sha256"] for row in found["data"].values()}) == 3
    scans = Recipe.of({"files.data": str(table.parent / "scans")})
    assert named_files(scans, (read(table.parent / "scans", scans.data),)) == {}
    begun = json.loads(json.dumps({"data": digests(recipe), "named": found}))
    check_same(begun, recipe)
    check_same({"data": digests(recipe)}, recipe)  # begun before named files were kept
    shutil.rmtree(table.parent / "scans")
    with pytest.raises(DataError, match="is gone"):
        check_same(begun, recipe)
