"""Pictures: well-formed, the same twice, safe with hostile text, and with what they must show in them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest

from ostinato import plots
from ostinato.plots.style import plain, short

HOSTILE = ["<script>alert(1)</script>", "$\\frac{1}{$", '日本 & "quotes"', "line\nbreak\x00\ud800", "", "a" * 200]

PICTURES: dict[str, Callable[[], str]] = {
    "curves": lambda: plots.learning_curves([1.0, 0.5, 0.2], [1.1, 0.7, 0.6], best=2, metric=[0.5, 0.6, 0.7]),
    "one epoch": lambda: plots.learning_curves([0.5], best=1),
    "no epoch": lambda: plots.learning_curves([]),
    "diverged": lambda: plots.learning_curves([1.0, float("nan"), float("inf")], [0.5, 0.4, 0.3]),
    "losses": lambda: plots.losses({HOSTILE[0]: [1.0, 0.001], HOSTILE[1]: [1.0, 0.9]}, level=0.2, note=HOSTILE[2]),
    "matrix": lambda: plots.confusion(np.diag([5, 0, 2, 3, 1, 12_345]) + 1, HOSTILE),
    "pairs": lambda: plots.confusion(np.eye(30, dtype=int) + np.eye(30, k=1, dtype=int), (HOSTILE * 5)),
    "perfect": lambda: plots.confusion(np.eye(30, dtype=int), [str(n) for n in range(30)]),
    "fan": lambda: plots.forecast_fan(
        [1.0, np.nan, 2.0], np.array([[1.0, 2.0, 3.0]] * 4), [0.1, 0.5, 0.9], [2.0] * 4, name=HOSTILE[0],
        rivals={HOSTILE[1]: [2.0] * 4},
    ),
    "one step": lambda: plots.forecast_fan([], np.array([[1.0]]), [0.5], [1.5]),
    "memory": lambda: plots.memory(range(50), 0.9 ** np.arange(50), half=6, reach=28),
    "both ways": lambda: plots.memory(range(-3, 4), np.ones(7) / 7, half=1, reach=3),
    "no memory": lambda: plots.memory([0], [0.0]),
    "bars": lambda: plots.baselines(
        {"LSTM": (0.9, 0.88, 0.92)}, {HOSTILE[0]: (0.5, np.nan, np.nan), "b": (np.nan, 0, 0)}, label="accuracy",
        higher_is_better=True,
    ),
    "close": lambda: plots.baselines(
        {"GRU": (1.02, 1, 1.04)}, {"a": (1.01, 1, 1.02)}, label="MASE", higher_is_better=False
    ),
    "anomalies": lambda: plots.anomalies(
        [1.0, np.nan, 2.0], [1.0, 1.0, 1.0], [0.1, np.nan, 5.0], [2], [(1, 2)], name=HOSTILE[0]
    ),
    "many steps": lambda: plots.anomalies(np.sin(np.arange(9001)), np.zeros(9001), np.full(9001, np.nan), []),
    "no steps": lambda: plots.anomalies([], [], [], []),
    "gates": lambda: plots.gates(
        {"input": np.random.default_rng(0).random((6, 9)), HOSTILE[1]: -np.ones((6, 3))}, HOSTILE
    ),
    "gates without symbols": lambda: plots.gates({"f": np.zeros((200, 100))}),
    "tune": lambda: plots.piano_roll(np.eye(20, 84) + np.eye(20, 84, k=30), HOSTILE * 14, given=8),
    "silent tune": lambda: plots.piano_roll(np.zeros((5, 3)), "abc"),
    "no tune": lambda: plots.piano_roll(np.zeros((0, 3)), "abc"),
    "waves": lambda: plots.waves([0.1, np.nan, 0.3], {HOSTILE[0]: np.zeros(3), "b": np.ones(3)}, start=7),
    "waves of a sound": lambda: plots.waves(
        [0.1, 0.2, 0.3], {HOSTILE[0]: np.zeros(3)}, source=[0.0, np.nan, 1.0], rate=8000, title=HOSTILE[2]
    ),
    "years": lambda: plots.forecast_fan(
        [5.0, 6.0], np.array([[1.0, 2.0, 3.0]] * 4), [0.1, 0.5, 0.9], [2.0] * 4, first=2001, unit="year",
        rivals={"last": [1.0] * 4},
    ),
    "nothing expected": lambda: plots.anomalies([1.0, 2.0], [], [0.1, 5.0], [1]),
    "attention": lambda: plots.attention(np.full((3, 6), 1 / 6), HOSTILE, HOSTILE[:3]),
    "track": lambda: plots.track([5, 15, 25], [0.1, np.nan, 1.0], [(12, 19), (21, 22)], site="here", name=HOSTILE[0]),
    "empty track": lambda: plots.track([], []),
    "speech": lambda: plots.speech(
        np.random.default_rng(0).random((9, 4)), 0.01, [(HOSTILE[0], 0.0, 0.04), ("b", 0.05, 0.05)],
        hertz=[100.0, 400.0, 1000.0, 2500.0], name=HOSTILE[1],
    ),
    "nothing heard": lambda: plots.speech(np.zeros((1, 2)), 0.01, [], hertz=[100.0, 900.0]),
    "rows": lambda: plots.rows_read(
        [np.eye(3), np.zeros((3, 3)), np.ones((3, 3))], [np.full((3, 6), 1 / 6)] * 3, HOSTILE, names=HOSTILE[:3]
    ),
    "tags": lambda: plots.tags([HOSTILE, ["one"]], [np.full((6, 2), 0.5), np.array([[0.0, 1.0]])], HOSTILE[:2]),
    "frames": lambda: plots.frames([np.eye(4)] * 5, {HOSTILE[0]: [np.zeros((4, 4))] * 2, "b": [np.eye(4)] * 2}),
    "walk": lambda: plots.walk(
        [{"train": (1, k), "valid": (k + 6, k + 20), "test": (k + 26, k + 45)} for k in (50, 70)],
        [85, 95, 105, 115], {HOSTILE[0]: [0.1, 0.0, -0.2, 0.1], "b": [0.0] * 4}, title=HOSTILE[1],
    ),
    "gates of letters": lambda: plots.gates({"f": np.full((3, 2), 0.5)}, ["a", " ", "$"]),
}  # fmt: skip


@pytest.mark.parametrize("name", PICTURES)
def test_every_picture_is_one_well_formed_svg_and_the_same_twice(name: str) -> None:
    before = dict(mpl.rcParams)
    svg = PICTURES[name]()
    assert dict(mpl.rcParams) == before, "drawing must leave matplotlib's settings alone"
    assert svg == PICTURES[name]()
    root = ElementTree.fromstring(svg)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert root.get("role") == "img"
    assert root.get("aria-label")
    assert not list(root.iter("{http://www.w3.org/2000/svg}script"))
    assert "<script" not in svg
    assert "mathdefault" not in svg
    links = {value for node in root.iter() for key, value in node.attrib.items() if key.endswith("href")}
    assert all(link.startswith(("#", "data:image/png")) for link in links)


def texts(svg: str) -> list[str]:
    return ["".join(node.itertext()) for node in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def test_hostile_settings_of_the_program_around_change_nothing() -> None:
    svg = PICTURES["losses"]()
    with mpl.rc_context({"font.size": 30, "axes.grid": False, "lines.linewidth": 9, "svg.fonttype": "path"}):
        assert PICTURES["losses"]() == svg


def test_pictures_follow_the_pages_colour() -> None:
    svg = PICTURES["curves"]()
    assert "currentColor" in svg
    assert "#26292e" not in svg
    assert re.search(r"<svg[^>]*viewBox", svg)


def test_the_numbers_that_matter_are_written_in_the_picture() -> None:
    assert {"truth", "answer", "7", "12k"} <= set(texts(plots.confusion(np.array([[7, 0], [0, 12_345]]), ["a", "b"])))
    listed = texts(
        plots.confusion(np.eye(25, dtype=int) * 3 + np.eye(25, k=1, dtype=int), [f"L{n}" for n in range(25)])
    )
    assert "L0 → L1" in listed
    assert "1 (25%)" in listed
    assert {"50 %", "95 %", "steps before the answer"} <= set(texts(PICTURES["memory"]()))
    assert "steps before the answer (negative: after it)" in texts(PICTURES["both ways"]())
    bars = texts(PICTURES["bars"]())
    assert {"LSTM", "0.9", "0.5", "accuracy (more is better)"} <= set(bars)
    assert {"80% of cases", "what happened", "forecast", "history"} <= set(texts(PICTURES["fan"]()))
    assert "weights kept" in texts(PICTURES["curves"]())
    assert "0.01" in texts(plots.losses({"a": [1.0, 0.001]}))
    assert "␣" in texts(PICTURES["gates of letters"]())
    assert {"what goes in", "truth", "milliseconds", "error"} <= set(texts(PICTURES["waves of a sound"]()))
    years = texts(PICTURES["years"]())
    assert {"year", "2001", "2004"} <= set(years)
    assert "steps from the last known value" not in years
    assert "expected" not in texts(PICTURES["nothing expected"]())
    assert {"here", "base", "score"} <= set(texts(PICTURES["track"]()))
    assert {"b", "heard", "seconds", "1,000"} <= set(texts(PICTURES["speech"]()))
    assert {"50%", "100%", "one"} <= set(texts(PICTURES["tags"]()))
    assert {"the film", "b", "0.250", "0.000"} <= set(texts(PICTURES["frames"]()))  # of the unit matrix: 4 of 16 pixels
    assert {"fold 1", "fold 2", "train", "valid", "test"} <= set(texts(PICTURES["walk"]()))


def test_squares_are_as_deep_as_their_share() -> None:
    svg = plots.rows_read([np.ones((1, 1))], [np.array([[0.25, 0.75, 0.02]])], ["a", "b", "c"])
    assert re.findall(r"fill: #0072b2; opacity: ([\d.]+)", svg) == ["0.25", "0.75"]  # 0.02 is not worth a square


def test_errors_of_a_wave_are_answer_less_truth() -> None:
    above = plots.waves(np.zeros(3), {"a": np.ones(3)}, source=np.zeros(3))
    below = plots.waves(np.zeros(3), {"a": -np.ones(3)}, source=np.zeros(3))
    assert "−1.05" not in texts(above)
    assert any(text.startswith("−1") for text in texts(below))
    assert not any(text.startswith("−1") for text in texts(above))


def test_a_picture_as_a_file_has_colours_of_its_own(tmp_path: Path) -> None:
    svg = PICTURES["track"]()
    plots.save(svg, tmp_path / "track.svg")
    alone = (tmp_path / "track.svg").read_text(encoding="utf-8")
    style = ElementTree.fromstring(alone).get("style", "")
    assert "color: #26292e" in style
    assert "background: #ffffff" in style
    assert alone.replace(f' style="{style}"', "", 1) == svg


def test_places_are_no_finer_than_a_screen() -> None:
    svg = PICTURES["many steps"]()
    paths = [node.get("d", "") for node in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}path")]
    assert not any(re.search(r"\.\d{3}", path) for path in paths)
    assert "0.001" in texts(plots.losses({"a": [1.0, 0.001]}))


def test_wrong_arrays_are_refused() -> None:
    with pytest.raises(ValueError, match="'source' has 2 steps, the truth 3"):
        plots.waves(np.zeros(3), {}, source=np.zeros(2))
    with pytest.raises(ValueError, match="1 scores at 2 places"):
        plots.track([1, 2], [0.5])
    with pytest.raises(ValueError, match="2 middles"):
        plots.speech(np.zeros((5, 3)), 0.01, [], hertz=[1.0, 2.0])
    with pytest.raises(ValueError, match="an image of 3 rows and 2 labels"):
        plots.rows_read([np.eye(3)], [np.zeros((2, 2))], "ab")
    with pytest.raises(ValueError, match="no images"):
        plots.rows_read([], [], "ab")
    with pytest.raises(ValueError, match="no sentences"):
        plots.tags([], [], "ab")
    with pytest.raises(ValueError, match="2 words and 1 tags"):
        plots.tags([["a", "b"]], [np.zeros((2, 2))], ["x"])
    with pytest.raises(ValueError, match="the film 1"):
        plots.frames([np.eye(2)], {"a": [np.eye(2)] * 2})
    with pytest.raises(ValueError, match=r"answers have \[1, 2\]"):
        plots.frames([np.eye(2)] * 3, {"a": [np.eye(2)] * 2, "b": [np.eye(2)]})
    with pytest.raises(ValueError, match="'a' has 1 numbers for 2 steps"):
        plots.walk([{"train": (1, 2), "valid": (3, 4), "test": (5, 6)}], [5, 6], {"a": [0.0]})
    with pytest.raises(ValueError, match="no folds"):
        plots.walk([], [], {})
    with pytest.raises(ValueError, match="2 labels"):
        plots.confusion(np.zeros((3, 3)), ["a", "b"])
    with pytest.raises(ValueError, match="quantiles must be"):
        plots.forecast_fan([], np.zeros((4, 2)), [0.5])
    with pytest.raises(ValueError, match="2 lags"):
        plots.memory([0, 1], [1.0])
    with pytest.raises(ValueError, match="no finite value"):
        plots.baselines({"a": (np.nan, 0, 0)}, {}, label="x", higher_is_better=True)
    with pytest.raises(ValueError, match="not empty"):
        plots.gates({})
    with pytest.raises(ValueError, match="2 names for keys of shape"):
        plots.piano_roll(np.zeros((5, 3)), "ab")
    with pytest.raises(ValueError, match="'a' has 2 steps, the truth 3"):
        plots.waves(np.zeros(3), {"a": np.zeros(2)})
    with pytest.raises(ValueError, match="differ"):
        plots.gates({"a": np.zeros((3, 2)), "b": np.zeros((4, 2))})
    with pytest.raises(ValueError, match="differ"):
        plots.gates({"a": np.zeros((3, 2))}, ["x"])


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.01, "0.01"), (1000, "1,000"), (250_000, "250,000"), (1e-5, "10⁻⁵"), (2e7, "2·10⁷"), (-1e9, "-1·10⁹")],
)
def test_plain_numbers(value: float, text: str) -> None:
    assert plain(value) == text


def test_short_labels() -> None:
    assert short("abcdef", 4) == "abc…"
    assert short("a\nb\x00") == "a·b·"


def test_tracks_of_anomalies_are_of_one_length() -> None:
    with pytest.raises(ValueError, match="differ in length"):
        plots.anomalies([1.0], [1.0, 2.0], [1.0], [])


def test_no_spike_of_a_long_series_is_lost() -> None:
    from ostinato.plots.anomalies import MOST, thinned

    track = np.zeros(10 * MOST + 7)
    track[[5, 33_333]] = 9, -9
    places, values = thinned(track)
    assert len(places) <= MOST + 2
    assert set(values[[np.searchsorted(places, 5), np.searchsorted(places, 33_333)]]) == {9, -9}
    assert (np.diff(places) > 0).all()
