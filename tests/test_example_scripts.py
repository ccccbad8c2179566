"""Every script in examples/ runs and shows what its docstring promises."""

from __future__ import annotations

import re
import runpy
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
SLOW = {"write_text"}


def numbers(pattern: str, text: str) -> list[float]:
    found = [float(number) for number in re.findall(pattern, text, re.MULTILINE)]
    assert found, f"nothing like {pattern!r} in:\n{text}"
    return found


def drop_in(text: str) -> None:
    assert numbers(r"largest difference: (\S+)", text)[0] < 1e-6
    assert "without any padding: 19 steps instead of 36\nthe same final state: True" in text


def streaming(text: str) -> None:
    errors = numbers(r": +(\d\S*)$", text)
    assert len(errors) == 4
    assert max(errors) < 1e-6
    assert numbers(r"8 bits against the whole (\S+)", text)[0] < 0.02
    assert "32 numbers" in text


def classify_names(text: str) -> None:
    assert numbers(r"(\d+)% right", text)[0] >= 70
    assert "Vivaldi" in text


def tag_words(text: str) -> None:
    assert numbers(r"(\d+)%", text)[0] >= 98
    assert "we/PRON  can/AUX  fish/VERB\nthe/DET  can/NOUN  fell/VERB" in text


def dna(text: str) -> None:
    assert numbers(r"(\d+)%", text)[0] >= 90
    assert min(numbers(r"site at \d+: (\S+)", text)) > 0.9
    assert numbers(r"in the mean: (\S+)", text)[0] < 0.3
    assert 'track type=bedGraph name="p(bound)"\nchr0\t' in text


def adding_problem(text: str) -> None:
    feed_forward, rnn, lstm = numbers(r"mean squared error (\S+)", text)
    assert lstm < 0.02 < min(feed_forward, rnn)


def sunspots(text: str) -> None:
    model, last, cycle = (numbers(rf"{name} +(\S+)", text)[-1] for name in ("error", "value", "last cycle"))
    assert model < min(last, cycle)


def money(text: str) -> None:
    assert "beats every baseline" not in text
    assert "so no skill is shown" in text
    assert numbers(r"^random_walk +error (\S+)", text)[0] <= 1.05 * numbers(r"^model +error (\S+)", text)[0]


def shop_sales(text: str) -> None:
    loud, quiet = numbers(r"promotion (\S+),", text)[-1], numbers(r"without (\S+)", text)[-1]
    assert loud > 1.3 * quiet


def look_inside(text: str) -> None:
    assert numbers(r"(\d+)% right", text)[0] >= 95


def speak_digits(text: str) -> None:
    assert numbers(r"(\d+)%", text)[0] >= 90
    heard = re.findall(r"^ +[\d ]+\d  (\d[\d ]*)$", text, re.MULTILINE)[0]
    assert re.findall(r"^(\d) was heard from", text, re.MULTILINE) == heard.split()
    live = re.findall(r"dialled: (.*)", text)[0]
    assert live.replace("·", "").split() == heard.split()


def translate_dates(text: str) -> None:
    assert numbers(r"(\d+)%", text)[0] >= 90


def continue_tune(text: str) -> None:
    assert numbers(r"played, (\d+)%", text)[0] >= 80


def distort(text: str) -> None:
    assert numbers(r"ratio (\S+) against", text)[0] < numbers(r"against (\S+) \(", text)[0]
    assert numbers(r"error-to-signal ratio (\S+)$", text)[0] < 0.03
    assert numbers(r"^(\d+) times", text)[0] >= 1


def read_digits(text: str) -> None:
    shares = numbers(r"^after \d rows? +(\d+)%", text)
    assert len(shares) == 8
    assert shares[-1] >= 85
    assert shares[3] < shares[-1] - 20


def films(text: str) -> None:
    assert numbers(r"new films: (\d+)%", text)[0] >= 90
    assert "without memory" in text


def next_frame(text: str) -> None:
    model, copy = (numbers(rf"{name} (\d\.\d+)", text)[0] for name in ("the model", "the last frame"))
    assert model < copy / 2
    assert "it beats the copy" in text


def write_text(text: str) -> None:
    learned, blind = numbers(r"(\d\.\d\d) (?:nats|for)", text)
    assert learned < 2.2 < blind
    assert text.count("The statement ") >= 2


def find_anomalies(text: str) -> None:
    assert max(numbers(r"place (\d+) of", text)) <= 25
    assert text.count("after it began") >= 2
    assert numbers(r"nothing is wrong: (\d+)", text)[0] <= 8


CHECKS = [
    drop_in,
    streaming,
    classify_names,
    tag_words,
    find_anomalies,
    dna,
    adding_problem,
    sunspots,
    money,
    shop_sales,
    look_inside,
    speak_digits,
    translate_dates,
    continue_tune,
    distort,
    read_digits,
    films,
    next_frame,
    write_text,
]


def test_every_example_is_checked() -> None:
    assert {check.__name__ for check in CHECKS} == {path.stem for path in EXAMPLES.glob("*.py")}


@pytest.mark.parametrize(
    "check",
    [pytest.param(c, id=c.__name__, marks=[pytest.mark.slow] if c.__name__ in SLOW else []) for c in CHECKS],
)
def test_example(
    check: Callable[[str], None], capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs as from a shell, with the name of a picture where the script draws one."""
    script, picture = EXAMPLES / f"{check.__name__}.py", tmp_path / "picture.svg"
    draws = "plots.save(" in script.read_text(encoding="utf-8")
    monkeypatch.setattr("sys.argv", [str(script), *([str(picture)] if draws else [])])
    runpy.run_path(str(script), run_name="__main__")
    check(capsys.readouterr().out)
    assert picture.exists() == draws
    if draws:
        svg = picture.read_text(encoding="utf-8")
        assert ElementTree.fromstring(svg).get("role") == "img"
        assert len(svg) < 60_000
