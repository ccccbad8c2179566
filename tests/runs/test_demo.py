"""The tour, made small: every chapter, its page, and the data behind it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ostinato.errors import OstinatoError
from ostinato.runs import demo as tour
from ostinato.runs.demo_data import SUNSPOTS, write_adding, write_prose, write_sunspots


def test_the_adding_problem_adds_the_two_marked_numbers(tmp_path: Path) -> None:
    lines = write_adding(tmp_path / "a.jsonl", rows=30, steps=12, seed=3).read_text(encoding="utf-8").splitlines()
    assert len(lines) == 30
    for row in map(json.loads, lines):
        marked = [t for t, (_, mark) in enumerate(row["numbers"]) if mark]
        assert len(marked) == 2
        assert marked[0] < 6 <= marked[1]
        assert row["sum"] == pytest.approx(sum(row["numbers"][t][0] for t in marked), abs=2e-6)
    again = write_adding(tmp_path / "b.jsonl", rows=30, steps=12, seed=3)
    assert again.read_text(encoding="utf-8").splitlines() == lines


def test_sunspots_are_the_published_ones(tmp_path: Path) -> None:
    lines = write_sunspots(tmp_path / "s.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "year,sunspots"
    assert len(SUNSPOTS.split()) == len(lines) - 1 == 309
    table = dict(line.split(",") for line in lines[1:])
    # Years by which the series is known: the Maunder minimum's end, the highest cycle, the last minimum of the table.
    assert (table["1712"], table["1957"], table["2008"]) == ("0", "190.2", "2.9")


def test_monthly_sunspots_agree_with_the_yearly_ones(real_data: Path) -> None:
    months: dict[str, list[float]] = {}
    for line in (real_data / "small_series/monthly-sunspots.csv").read_text(encoding="utf-8").splitlines()[1:]:
        month, value = line.replace('"', "").split(",")
        months.setdefault(month[:4], []).append(float(value))
    yearly = {str(1700 + place): float(value) for place, value in enumerate(SUNSPOTS.split())}
    assert all(yearly[year] == pytest.approx(sum(values) / 12, abs=2.0) for year, values in months.items())


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Little data, little training: what is shown stays the same."""

    def little(path: Path, *, rows: int, steps: int, seed: int) -> Path:
        return write_adding(path, rows=rows // 60, steps=steps // 20, seed=seed)

    def short(path: Path) -> Path:
        write_prose(path)
        path.write_text(path.read_text(encoding="utf-8")[:6000], encoding="utf-8")
        return path

    real = tour.train

    def quick(data: Path, settings: dict[str, object], *rest: object, **more: object) -> object:
        less = {"training.epochs": 1, "model.hidden": 8, "training.epoch_size": 64}
        kept = {key: value for key, value in settings.items() if key != "training.minutes"}
        return real(data, kept | less, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(tour, "write_adding", little)
    monkeypatch.setattr(tour, "write_prose", short)
    monkeypatch.setattr(tour, "train", quick)


@pytest.mark.usefixtures("small")
def test_three_chapters_with_a_page_that_grows(tmp_path: Path) -> None:
    out = tmp_path / "tour"
    titles = []
    for chapter in tour.demo(out):
        titles.append(chapter.title)
        page = (out / "index.html").read_text(encoding="utf-8")
        assert [title in page for title in titles] == [True] * len(titles)
        assert all((run.path / "report.html").exists() for run in chapter.runs)
        assert all(f"{run.path.name}/report.html" in page for run in chapter.runs)
    assert titles == ["What memory is for", "A network that writes", "A forecast"]
    assert "<svg" in page
    assert "<pre>The " in page
    assert "<script" not in page
    assert "src=" not in page


def test_a_folder_that_exists_is_left_alone(tmp_path: Path) -> None:
    with pytest.raises(OstinatoError, match="exists"):
        next(tour.demo(tmp_path))


def test_runs_are_numbered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert [tour._new_folder("").as_posix() for _ in range(2)] == ["runs/demo-1", "runs/demo-2"]
