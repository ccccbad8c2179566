"""Splits: every row once, groups and equal inputs whole, shares and labels in balance."""

from __future__ import annotations

import csv
from collections import Counter

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ostinato.data.settings import DataSettings
from ostinato.data.split import divide, group_names, split
from ostinato.data.table import Column, Kind, Table
from ostinato.errors import DataError, UsageError

PLAIN = DataSettings(target="label")


def table_of(texts, labels=None, ids=None):
    columns = {"text": Column("text", Kind.TEXT, list(texts))}
    if labels is not None:
        columns["label"] = Column("label", Kind.CATEGORY, list(labels))
    if ids is not None:
        columns["id"] = Column("id", Kind.ID, list(ids))
    return Table(columns, line_of=np.arange(len(columns["text"])) + 2)


def rows_of(parts):
    return [parts.train.tolist(), parts.valid.tolist(), parts.test.tolist()]


@given(st.data())
def test_every_row_stands_once_and_groups_are_whole(data):
    count = data.draw(st.integers(12, 60))
    texts = data.draw(st.lists(st.text("abcd", max_size=3), min_size=count, max_size=count))
    ids = data.draw(st.lists(st.sampled_from("uvwxyz0123456789"), min_size=count, max_size=count))
    labels = data.draw(st.lists(st.sampled_from("PQ"), min_size=count, max_size=count))
    settings = DataSettings(target="label", id="id", valid=0.2, test=0.2)
    table = table_of(texts, labels, ids)
    try:
        found = rows_of(split(table, settings, data.draw(st.integers(0, 3))))
    except DataError:  # everything hangs together: there is nothing to divide
        assume(False)
    assert sorted(row for part in found for row in part) == list(range(count))
    for column in (texts, ids):
        sides = [{column[row] for row in part} for part in found]
        assert not sides[0] & sides[1]
        assert not sides[0] & sides[2]
        assert not sides[1] & sides[2]


def test_shares_and_labels_are_kept():
    labels = ["a"] * 700 + ["b"] * 250 + ["c"] * 50
    table = table_of([f"text {n}" for n in range(1000)], labels)
    for part, share in zip(rows_of(split(table, PLAIN, 0)), (0.8, 0.1, 0.1), strict=True):
        assert Counter(labels[row] for row in part) == {"a": 700 * share, "b": 250 * share, "c": 50 * share}


def test_the_seed_decides():
    table = table_of([f"text {n}" for n in range(100)])
    settings = DataSettings()
    assert rows_of(split(table, settings, 1)) == rows_of(split(table, settings, 1))
    assert rows_of(split(table, settings, 1)) != rows_of(split(table, settings, 2))


def test_large_groups_are_spread_too():
    ids = [f"g{n}" for n in range(20) for _ in range(n + 1)]
    found = rows_of(split(table_of(range_texts(len(ids)), ids=ids), DataSettings(id="id", valid=0.2, test=0.2), 0))
    assert [round(len(part) / len(ids), 1) for part in found] == [0.6, 0.2, 0.2]


def test_rare_labels_do_not_empty_a_part():
    """18 labels of 4 rows each: no label alone fills a tenth, all together do."""
    labels = [f"label {n % 18}" for n in range(72)]
    found = rows_of(split(table_of(range_texts(72), labels), DataSettings(target="label", valid=0.15), 0))
    assert [len(part) for part in found] == [54, 11, 7]
    assert len({labels[row] for row in found[0]}) == 18


def range_texts(count):
    return [f"text {n}" for n in range(count)]


def test_folds_are_disjoint_complete_and_stratified():
    labels = ["a"] * 60 + ["b"] * 30
    table = table_of(range_texts(90), labels)
    tests = []
    for number in range(1, 4):
        train, valid, test = rows_of(split(table, DataSettings(target="label", fold=f"{number}/3"), 5))
        assert not set(train) & set(test)
        assert len(valid) == 9
        assert len(train) + len(valid) + len(test) == 90
        assert Counter(labels[row] for row in test) == {"a": 20, "b": 10}
        tests += test
    assert sorted(tests) == list(range(90))


def test_a_label_with_one_example_is_learned_and_said():
    labels = ["a", "b"] * 20 + ["rare"]
    for settings in (PLAIN, DataSettings(target="label", fold="1/4")):
        parts = split(table_of(range_texts(41), labels), settings, 0)
        assert 40 in parts.train
        assert parts.notes == (
            "label 'rare' has one example: training keeps it, and no test can show whether it was learned",
        )


def test_a_label_of_one_group_is_learned_and_said():
    labels = ["a"] * 20 + ["b"] * 5
    parts = split(
        table_of(range_texts(25), labels, [f"g{n}" for n in range(20)] + ["h"] * 5),
        DataSettings(target="label", id="id"),
        0,
    )
    assert set(range(20, 25)) <= set(parts.train.tolist())
    assert "label 'b' has 5 examples, all of one group" in parts.notes[0]


def test_group_names_follow_the_expression():
    table = table_of(["a", "b"], ids=["ATRINS-DONOR-521", "ATRINS-ACCEPTOR-701"])
    assert group_names(table, DataSettings(id="id", group="[^-]+")) == ["ATRINS", "ATRINS"]
    assert group_names(table, DataSettings(id="id", group="-([A-Z])")) == ["D", "A"]
    assert group_names(table, DataSettings(id="id")) == ["ATRINS-DONOR-521", "ATRINS-ACCEPTOR-701"]
    with pytest.raises(DataError, match=r"row 2, column 'id': data.group='x' matches nothing in 'ATRINS-DONOR-521'"):
        group_names(table, DataSettings(id="id", group="x"))
    with pytest.raises(UsageError, match="no regular expression"):
        group_names(table, DataSettings(id="id", group="("))


def test_random_ignores_the_id_but_not_equal_inputs():
    table = table_of(["same"] * 20 + range_texts(60), ids=["g"] * 80)
    train, valid, test = rows_of(split(table, DataSettings(id="id", split="random"), 0))
    assert len(test) == len(valid) == 8
    assert set(range(20)) <= set(train)


def test_time_takes_the_last_rows():
    table = table_of(range_texts(20))
    assert rows_of(split(table, DataSettings(split="time"), 0)) == [list(range(16)), [16, 17], [18, 19]]
    stamped = Table({**table.columns, "when": Column("when", Kind.NUMBER, np.arange(20.0)[::-1])})
    assert split(stamped, DataSettings(split="time", time="when"), 0).test.tolist() == [0, 1]
    times = [np.array([f"2020-01-{20 - n:02}"], dtype="datetime64[ns]") for n in range(20)]
    dated = Table({**table.columns, "when": Column("when", Kind.TIME, times)})
    assert split(dated, DataSettings(split="time", time="when"), 0).valid.tolist() == [2, 3]
    with pytest.raises(DataError, match="too few"):
        split(table_of(["a", "b"]), DataSettings(split="time"), 0)


def test_blocks_are_the_last_rows_of_each_label():
    """No row of the test part is a neighbour of a training row of its label, however the labels are mixed."""
    labels = ["a", "b", "b"] * 20
    table = table_of(range_texts(60), labels)
    parts = rows_of(split(table, DataSettings(target="label", split="blocks", valid=0.1, test=0.25), 5))
    for label, counts in (("a", [13, 2, 5]), ("b", [26, 4, 10])):
        rows = [row for row in range(60) if labels[row] == label]
        mine = [[row for row in part if labels[row] == label] for part in parts]
        assert [len(part) for part in mine] == counts
        assert [row for part in mine for row in part] == rows
    plain = rows_of(split(table_of(range_texts(20)), DataSettings(split="blocks"), 0))
    assert plain == [list(range(16)), [16, 17], [18, 19]]
    with pytest.raises(DataError, match="3 rows of label 'b' are too few to cut into blocks"):
        split(table_of(range_texts(33), ["a"] * 30 + ["b"] * 3), DataSettings(target="label", split="blocks"), 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"valid": 0.5, "test": 0.5}, "must leave rows"),
        ({"valid": -0.1}, "must leave rows"),
        ({"fold": "3"}, "is no fold"),
        ({"fold": "4/3"}, "is no fold"),
        ({"fold": "1/1"}, "is no fold"),
        ({"fold": "1/2", "split": "time"}, "cannot be combined"),
        ({"fold": "1/2", "split": "blocks"}, "cannot be combined"),
        ({"fold": "1/2", "valid": 0.5, "test": 0.0}, "leave no rows"),
        ({"split": "group"}, "--id"),
        ({"group": "[^-]+"}, "--id"),
    ],
)
def test_senseless_settings_are_refused(changes, message):
    with pytest.raises(UsageError, match=message):
        split(table_of(range_texts(9)), DataSettings(**changes), 0)


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_too_few_rows_are_refused(count):
    with pytest.raises(DataError, match="too few rows for a"):
        split(table_of(range_texts(count)), DataSettings(), 0)


def test_parts_without_a_share_are_empty():
    found = rows_of(split(table_of(range_texts(3)), DataSettings(valid=0.0, test=0.0), 0))
    assert found == [[0, 1, 2], [], []]


def test_given_parts_stay_as_they_are():
    table, other = table_of(range_texts(20)), table_of(["text 3", "new"])
    division = divide(table, DataSettings(), 0, test=other)
    assert division.test is other
    assert (len(division.train), len(division.valid)) == (18, 2)
    kept = divide(table, DataSettings(), 0, valid=other)
    assert kept.valid is other
    assert (len(kept.train), len(kept.test)) == (18, 2)
    both = divide(table, DataSettings(), 0, valid=other, test=other)
    assert both.train["text"].values == table["text"].values
    assert both.duplicates == 1
    assert both.notes == ("1 of 2 test rows have inputs that also stand in the training part",)
    with pytest.raises(UsageError, match="leave one out"):
        divide(table, DataSettings(fold="1/2"), 0, test=other)


@pytest.mark.real
def test_splice_junctions_never_leak(real_data):
    """3,190 rows, 3,005 distinct sequences, 1,475 prefixes: none stands on two sides of any of ten folds."""
    with (real_data / "dna_splice/splice.csv").open() as file:
        rows = [[cell.strip() for cell in row] for row in csv.reader(file)][1:]
    columns = {
        "class": Column("class", Kind.CATEGORY, [row[0] for row in rows]),
        "id": Column("id", Kind.ID, [row[1] for row in rows]),
        "dna": Column("dna", Kind.DNA, [row[2] for row in rows]),
    }
    settings = DataSettings(target="class", id="id", group="[^-]+")
    table = Table(columns)
    assert len(set(group_names(table, settings))) == 1475
    tested = []
    for number in range(1, 11):
        parts = split(table, DataSettings(target="class", id="id", group="[^-]+", fold=f"{number}/10"), 0)
        train, test = table.take(parts.train), table.take(parts.test)
        assert not set(train["dna"].values) & set(test["dna"].values)
        assert not set(group_names(train, settings)) & set(group_names(test, settings))
        shares = Counter(test["class"].values)
        assert abs(shares["N"] - 165.5) < 5
        assert abs(shares["EI"] - 76.7) < 5
        tested += parts.test.tolist()
    assert sorted(tested) == list(range(3190))
