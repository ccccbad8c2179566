"""Series are told apart by the names in a table, and what only looks like names or counts stays what it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
import pytest

from ostinato.data import Kind, Table
from ostinato.data.cells import Cells
from ostinato.data.kinds import guess
from ostinato.data.layouts import Layout, lay_out
from ostinato.data.names import name_of_series
from ostinato.data.settings import DataSettings
from ostinato.runs.reading import layout_for, read_like
from ostinato.tasks import TaskSettings, infer

LENGTHS = [20, 31, 25, 12, 17, 40]
ROWS = sum(LENGTHS)
COUNTS = np.random.default_rng(0).poisson(2.0, ROWS).tolist()


def cells(**columns: Sequence[Any]) -> Cells:
    frame = pl.DataFrame(columns, strict=False)
    return Cells(frame, np.arange(2, frame.height + 2))


def names(form: str = "item{}") -> list[str]:
    return [form.format(k) for k, length in enumerate(LENGTHS) for _ in range(length)]


def days() -> list[str]:
    return [str(np.datetime64("2024-03-01") + 60 - length + k) for length in LENGTHS for k in range(length)]


def many(count: int = 1200, steps: int = 9) -> list[str]:
    """More names than a column of categories has."""
    return [f"item{k}" for k in range(count) for _ in range(steps)]


def read(layout: Layout = "auto", target: str = "", **columns: Sequence[Any]) -> Table:
    return lay_out(cells(**columns), DataSettings(target=target), layout)


@pytest.mark.parametrize("target", ["", "sold"])
@pytest.mark.parametrize("layout", ["auto", "series"])
@pytest.mark.parametrize("dated", [False, True])
@pytest.mark.parametrize("form", ["item{}", "{}00"])
def test_counts_of_shops_are_series(form: str, dated: bool, layout: Layout, target: str) -> None:
    """Unequal lengths, with dates and without, a name of letters or a number under the name of an id."""
    head = {"shop_id": names(form)} | ({"day": days()} if dated else {})
    table = read(layout, target, **head, sold=COUNTS)
    assert table["shop_id"].values == list(dict.fromkeys(names(form)))
    assert [len(values) for values in table["values"].values] == LENGTHS
    assert np.concatenate(table["values"].values).ravel().tolist() == COUNTS
    assert infer(table, DataSettings(target=target), TaskSettings()).name == "forecast"


@pytest.mark.parametrize("dated", [False, True])
@pytest.mark.parametrize("target", ["", "sold"])
def test_more_names_than_categories_are_names(target: str, dated: bool) -> None:
    item = many()
    sold = np.random.default_rng(1).poisson(2.0, len(item)).tolist()
    day = [str(np.datetime64("2024-01-01") + k) for _ in range(1200) for k in range(9)]
    table = read(target=target, item=item, **({"day": day} if dated else {}), sold=sold)
    assert len(table) == 1200
    assert table["item"].kind is Kind.ID


def test_the_choice_is_told() -> None:
    table = read(target="sold", shop=names(), sold=COUNTS)
    told = "each name stands on rows of its own, one after the other; data.kinds.shop=category if it names no series"
    assert f"series told apart by 'shop' ({told}); no time column: steps in file order" in table.notes
    assert "sold: whole numbers of steps, to be forecast; data.kinds.sold=category if they are labels" in table.notes


def test_what_the_user_says_stands() -> None:
    settings = DataSettings(target="sold", kinds={"sold": "category"})
    assert guess(cells(shop=names(), sold=COUNTS), settings, "always")["sold"].kind is Kind.CATEGORY
    whole = lay_out(cells(shop=names(), sold=COUNTS), DataSettings(kinds={"shop": "category"}))
    assert len(whole) == 1
    assert "shop: left out, since it is category and changes within a series; --id shop if it names the series" in (
        whole.notes
    )


@pytest.mark.parametrize("head", [{}, {"day": days()[:31]}, {"day": days()[:31], "weekday": list("ab") * 15 + ["a"]}])
def test_one_series_of_counts(head: dict[str, list[str]]) -> None:
    head = {name: values[:20] for name, values in head.items()}
    assert read(target="sold", **head, sold=COUNTS[:20])["values"].values[0].ravel().tolist() == COUNTS[:20]


def of_words(kind: str) -> dict[str, list[Any]]:
    """Tables whose target of whole numbers is a label of what stands beside it."""
    random = np.random.default_rng(2)
    label = {name: int(random.integers(18)) for name in set(many())}
    return {
        "passwords": {"text": [f"pass{k}word{7 * k}" for k in range(60)], "label": [k % 3 for k in range(60)]},
        "names that come again": {"text": many(), "label": [label[name] for name in many()]},
        "few names that come again": {"text": names(), "label": [label[name] for name in names()]},
        "names in any order": {"text": random.permutation(names()).tolist(), "label": COUNTS},
        "opinions": {"text": [f"{name} was fine" for name in many()], "label": random.integers(5, size=10800).tolist()},
        "reviews": {
            "day": ["2024-01-01", "2024-01-02"] * 30,
            "text": [f"a film like number {k} of all" for k in range(60)],
            "label": [k % 5 for k in range(60)],
        },
    }[kind]


@pytest.mark.parametrize(
    "kind",
    [
        "passwords", "names that come again", "few names that come again", "names in any order", "opinions", "reviews",
    ],
)  # fmt: skip
def test_whole_numbers_that_label_text_are_labels(kind: str) -> None:
    table = read(target="label", **of_words(kind))
    assert (table["text"].kind, table["label"].kind) == (Kind.TEXT, Kind.CATEGORY)
    assert infer(table, DataSettings(target="label"), TaskSettings()).name == "classify"


def test_a_horizon_asks_for_a_forecast() -> None:
    """Whatever the numbers look like; a name of several words is named by the user, and so it is said."""
    assert layout_for(TaskSettings(horizon=7)) == layout_for(TaskSettings(name="forecast")) == "series"
    assert (layout_for(TaskSettings()), layout_for(TaskSettings(name="translate"))) == ("auto", "pairs")
    shops = [f"the shop {name}" for name in many()]
    sold = np.random.default_rng(1).poisson(2.0, len(shops)).tolist()
    table = read("series", "sold", shop=shops, sold=sold)
    assert len(table) == 1
    assert any(note.endswith("--id shop if it names the series") for note in table.notes)
    lists = read("series", "", track=[[1, 2, 3], [4, 5]], shop=["a", "b"])
    assert lists["track"].kind is Kind.SERIES


@pytest.mark.parametrize(
    ("columns", "words", "time", "found"),
    [
        ({"a": names()}, ["a"], "", "a"),
        ({"a": [*names(), "item0"]}, ["a"], "", ""),  # comes again
        ({"a": [*names(), None]}, ["a"], "", ""),
        ({"a": ["x"] * 40}, ["a"], "", ""),  # one name
        ({"a": list("xy") * 4}, ["a"], "", ""),
        ({"a": ["x"] * 7 + ["y"] * 8}, ["a"], "", ""),  # too few rows a name
        ({"a": ["x"] * 8 + ["y"] * 8}, ["a"], "", "a"),
        ({"a": list("xyxy"), "t": [1, 1, 2, 2]}, ["a"], "t", "a"),
        ({"a": list("xyxy"), "t": [1, 2, 3, 4]}, ["a"], "t", ""),  # one series
        ({"a": list("xxyy"), "b": list("pqpq"), "t": [1, 1, 2, 2]}, ["a", "b"], "t", "b"),
    ],
)
def test_name_of_series(columns: dict[str, Any], words: list[str], time: str, found: str) -> None:
    assert name_of_series(cells(**columns), words, time)[0] == found


def test_a_short_history_is_told_apart_as_in_training() -> None:
    """Too few rows to show which column names the series; what the model learned from says it."""
    kinds = {"shop": "id", "values": "series"}
    new = pl.DataFrame({"shop": ["new", "new", "other"], "sold": [1, 2, 3]})
    table = read_like(new, DataSettings(), kinds, "long")
    assert table["shop"].values == ["new", "other"]
    assert [len(values) for values in table["values"].values] == [2, 1]
    alone = read_like(pl.DataFrame({"sold": [1, 2, 3]}), DataSettings(), kinds, "long")
    assert len(alone) == 1
