"""The report: one file, no script, no network, whatever stands in the data."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from ostinato import plots
from ostinato.runs.report import TONES, Picture, Report, Results, Sample, Sheet, report

EVIL = "</pre></style><script>alert(1)</script><img src=x onerror=alert(1)>\x00\ud800"

FULL = Report(
    title=f"names.csv {EVIL}",
    verdict=f"The LSTM beats {EVIL}.",
    outcome="beats",
    understood=[("Data", f"3 texts {EVIL}"), (EVIL, "x")],
    notes=[f"2 rows of the test part occur in training, too {EVIL}"],
    results=Results(
        {"macro_f1": 0.5, "accuracy": 0.871, "log_loss": 0.45, "coverage": 0.8},
        {"majority": {"accuracy": 0.454, "macro_f1": 0.501, "log_loss": 1.8}, EVIL: {"accuracy": float("nan")}},
        watch="accuracy",
        name=f"LSTM {EVIL}",
        sd={"accuracy": 0.003},
        seeds=5,
    ),
    pictures=[Picture("Learning curves", plots.learning_curves([1.0, 0.5]), f"caption {EVIL}")],
    samples=[Sample(f"prompt {EVIL}", f"To be,\n  or not {EVIL}")],
    sheets=[Sheet(f"Worst {EVIL}", ["input", "p"], [[EVIL, 0.998], [None, 12_345], [True, float("nan")], ["x", -1]])],
    model=f"LSTM {EVIL}",
    recipe=f"model:\n  cell: lstm # {EVIL}\n",
    environment=[("Torch", "2.13.0"), ("Command", EVIL)],
)


class Page(HTMLParser):
    """Tags with their attributes, text by tag, and whether every tag is closed where it should be."""

    EMPTY = frozenset({"meta", "img", "br", "link"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))

    def all(self, tag: str) -> list[str]:
        return [text for name, text in self.texts if name == tag]


def test_nothing_in_the_data_can_act() -> None:
    text = report(FULL)
    page = Page(text)
    assert not page.open
    names = {name for name, _ in page.tags}
    assert not names & {"script", "img", "iframe", "object", "link", "form", "base"}
    assert not [key for _, attributes in page.tags for key in attributes if key.startswith("on")]
    assert "\x00" not in text
    text.encode("utf-8")
    policy = next(a["content"] for name, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'")


def test_it_needs_nothing_from_outside() -> None:
    text = report(FULL)
    addresses = set(re.findall(r"(?:https?:)?//[\w.]+[^\s\"'<]*", text))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert "@import" not in text
    assert "url(" not in re.sub(r"url\(#\w+\)", "", text)


def test_every_part_stands_in_it_in_order() -> None:
    page = Page(report(FULL))
    heads = [head for head in page.all("h2") if not head.startswith("Worst")]
    assert heads == [
        "Results on the test part", "What was understood", "Learning curves", "What the model writes",
        "Model", "Recipe", "Environment",
    ]  # fmt: skip
    assert any("alert(1)" in text for text in page.all("pre"))
    assert any(text.startswith("To be,\n  or not") for text in page.all("pre"))
    assert page.all("th")[:1] == ["accuracy ↑"], "the metric that decides comes first"
    assert "coverage" in page.all("th")
    assert "log loss ↓" in page.all("th")


def test_the_best_is_bold_and_the_spread_is_told() -> None:
    page = Page(report(FULL))
    strong = page.all("strong")
    assert "87.1 ± 0.3 %" in strong
    assert "50.1 %" in strong, "a baseline that is better is bold, too"
    assert "0.4500" in strong
    assert "80.0 %" not in strong, "a coverage has no best"
    assert "always answering the most frequent label" in page.all("th")
    assert "–" in page.all("td")
    assert any("over 5 seeds" in text for text in page.all("p"))
    assert {"12,345", "−1", "0.998", "True"} <= set(page.all("td"))


def test_ties_are_bold_on_both_sides() -> None:
    both = Report("t", "v", results=Results({"mse": 0.5}, {"mean": {"mse": 0.5}}, watch="mse"))
    assert Page(report(both)).all("strong") == ["0.5000", "0.5000"]
    nothing = Report("t", "v", results=Results({"mse": float("nan")}))
    assert Page(report(nothing)).all("strong") == []


@pytest.mark.parametrize(("outcome", "tone"), [*TONES.items(), ("", "open")])
def test_the_banner_has_the_tone_of_the_verdict(outcome: str, tone: str) -> None:
    page = Page(report(Report("exchange.csv", "It does not.", outcome)))
    classes = [attributes.get("class") for name, attributes in page.tags if name == "div"]
    assert classes == [f"verdict {tone}"]
    assert ("span" in {name for name, _ in page.tags}) == bool(outcome)


def test_what_is_empty_is_left_out() -> None:
    page = Page(report(Report("empty", "")))
    assert page.all("h1") == ["empty"]
    assert not page.all("h2")
    assert "div" not in {name for name, _ in page.tags}


def test_scripts_of_the_world_and_joined_emoji_stay_as_they_are() -> None:
    text = "日本\u3000語, 5\u00a0%, \U0001f469\u200d\U0001f52c"
    assert Page(report(Report(text, "v"))).all("h1") == [text]


def test_a_column_of_numbers_has_its_name_flush_right_too() -> None:
    page = Page(report(Report("t", "v", sheets=[Sheet("s", ["word", "count"], [["a", 1], ["b", None]])])))
    assert [attributes.get("class") for name, attributes in page.tags if name == "th"] == [None, "number"]


def test_the_same_facts_give_the_same_page() -> None:
    assert report(FULL) == report(FULL)
