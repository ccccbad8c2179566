"""Joined digits: no part shares a recording with another, and the words are those of the recordings."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from benchmarks import spoken_digits
from ostinato.data.media.sound import read_sound, write_sound


def recordings(data: Path) -> None:
    """Each recording is a constant that tells its digit, its speaker and its number."""
    folder = data / "fsdd" / "recordings"
    folder.mkdir(parents=True)
    for speaker in range(2):
        for digit in range(10):
            for number in (0, 4, 5, 29, 30, 34):
                level = (1 + digit * 100 + number + speaker * 1000) / 4096
                write_sound(folder / f"{digit}_s{speaker}_{number}.wav", np.full(100, level), spoken_digits.RATE)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recordings(tmp_path)
    monkeypatch.setattr(spoken_digits, "SIZES", {"train": 30, "valid": 6, "test": 10})
    made = spoken_digits.numbers(tmp_path, tmp_path)
    numbers = {"train": {5, 29}, "valid": {30, 34}, "test": {0, 4}}
    for part, known in numbers.items():
        found = rows(made / f"{part}.csv")
        assert len(found) == spoken_digits.SIZES[part]
        for row in found:
            levels = np.round(read_sound(made / row["audio"]).samples * 4096).astype(int)
            edges = np.flatnonzero(np.diff(levels, prepend=0) != 0)
            codes = [int(code) - 1 for code in levels[edges] if code]
            assert row["text"].split() == [spoken_digits.WORDS[code % 1000 // 100] for code in codes]
            assert 3 <= len(codes) <= 7
            assert {code % 100 for code in codes} <= known
            assert {f"s{code // 1000}" for code in codes} == {row["speaker"]}


def test_the_official_split(tmp_path: Path) -> None:
    recordings(tmp_path)
    made = spoken_digits.digits(tmp_path, tmp_path)
    assert len(rows(made / "rest.csv")) == 80
    parts = {part: {row["audio"] for row in rows(made / f"{part}.csv")} for part in ("train", "valid", "test")}
    assert [len(part) for part in parts.values()] == [40, 40, 40]
    assert len(set.union(*parts.values())) == len(rows(made / "all.csv")) == 120
    assert all(Path(name).stem.rsplit("_", 1)[1] in {"0", "4"} for name in parts["test"])
