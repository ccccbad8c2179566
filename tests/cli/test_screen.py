"""What a person sees of a run, on a terminal and away from it."""

from __future__ import annotations

import io
import math
from pathlib import Path

import polars as pl
import pytest
import typer
from rich.console import Console

from ostinato.cli.ending import ending
from ostinato.cli.screen import Screen
from ostinato.cli.write import _readable
from ostinato.errors import DataError, UsageError
from ostinato.runs.reporter import Understood
from ostinato.training import History, Progress
from ostinato.training.words import number, seconds

STANDING = Progress(2, 5, 3, 10, 0.5, {"loss": 0.6, "accuracy": 0.75}, 40.0, 12_345.0, 75.0)
ROW = {"epoch": 2, "loss": 0.5, "metrics": {"loss": 0.6, "accuracy": 0.75}}


def screen(*, terminal: bool, quiet: bool = False) -> tuple[Screen, io.StringIO]:
    file = io.StringIO()
    made = Screen(quiet=quiet)
    made.console = Console(file=file, force_terminal=terminal, width=140, highlight=False, soft_wrap=True)
    return made, file


def play(made: Screen) -> None:
    made.on_seed(7, 2, 3)
    made.on_start(Progress(1, 5))
    made.on_step(STANDING)
    made.on_epoch(STANDING, ROW)
    made.on_end(History([ROW], 2, 12.0, "patience"))


def test_a_bar_on_a_terminal() -> None:
    made, file = screen(terminal=True)
    play(made)
    shown = file.getvalue()
    for part in ("seed 7 (2/3) epoch 2/5", "loss 0.5000", "accuracy 75.0 %", "12k steps/s", "1 min 15 s left", "━"):
        assert part in shown
    assert "stopped by patience after 12 s; the weights of epoch 2 are kept" in shown


def test_lines_away_from_a_terminal() -> None:
    made, file = screen(terminal=False)
    play(made)
    lines = file.getvalue().splitlines()
    assert lines[0] == "seed 7 (2/3) epoch 2/5  loss 0.5000  accuracy 75.0 %  12k steps/s  1 min 15 s left"
    assert len(lines) == 2
    assert "\x1b" not in file.getvalue()


def test_quiet_but_for_warnings(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    made, file = screen(terminal=True, quiet=True)
    play(made)
    made.on_stage("reading")
    made.on_understood(Understood("d", "r", "m", (1, 1, 1), ("mean",), ("n",), tmp_path))
    assert file.getvalue() == ""
    assert capsys.readouterr() == ("", "")
    made.on_warning("threads were [2] and are now 1")
    assert "warning: threads were [2] and are now 1" in file.getvalue()


def test_a_resumed_training_says_where_it_goes_on() -> None:
    made, file = screen(terminal=False)
    made.on_start(Progress(3, 5))
    assert file.getvalue() == "going on in epoch 3\n"


def test_the_bar_goes_away_after_an_error() -> None:
    made, _ = screen(terminal=True)
    made.on_start(Progress(1, 5))
    made.on_step(Progress(1, 5, 1, 10))
    made.close()
    made.close()
    made.on_step(STANDING)


def test_numbers_as_people_read_them() -> None:
    assert number("accuracy", 0.1234) == "12.3 %"
    assert number("mase", 1.23456) == "1.235"
    assert number("mase", None) == "–"
    assert number("mase", math.nan) == "–"
    assert seconds(7384) == "2 h 3 min"
    assert seconds(math.nan) == "?"


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (UsageError("a\nb"), 2, "ostinato: a b"),
        (DataError("x", path="f", row=3), 1, "ostinato: f, row 3: x"),
        (KeyboardInterrupt(), 130, "ostinato: stopped; everything so far is kept. Go on with: ostinato resume r"),
        (MemoryError(), 1, "training.batch_size"),
        (PermissionError(13, "Permission denied", "f"), 1, "ostinato: f: Permission denied"),
        (OSError(28, "No space left on device"), 1, "ostinato: No space left on device"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_end_is_one_line(capsys: pytest.CaptureFixture[str], error: BaseException, code: int, told: str) -> None:
    with pytest.raises(typer.Exit) as ended, ending(lambda: "r"):
        raise error
    assert ended.value.exit_code == code
    err = capsys.readouterr().err
    assert told in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("step", "shown"), [("1y", "2009"), ("1mo", "2009-01"), ("1d", "2009-01-01"), ("1h", "2009-01-01T00:00")]
)
def test_forecasts_are_shown_in_the_resolution_of_the_series(step: str, shown: str) -> None:
    times = pl.select(pl.datetime(2009, 1, 1).dt.offset_by(pl.Series(["0d", step]))).to_series()
    frame = _readable(pl.DataFrame({"time": times, "forecast": [12.3456789, 2.0]}))
    assert frame["time"][0] == shown
    assert frame["forecast"].to_list() == [12.3457, 2.0]


def test_nothing_to_resume(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit), ending():
        raise KeyboardInterrupt
    assert capsys.readouterr().err == "ostinato: stopped\n"


def test_a_mistake_of_ours_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError), ending():
        _ = 1 / 0
    with pytest.raises(BrokenPipeError), ending():
        raise BrokenPipeError
