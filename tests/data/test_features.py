"""Input columns as tensors: which are chosen, how each kind is encoded, what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ostinato.data.channels import Channels, fill_forward
from ostinato.data.features import Features, Inputs, check_groups, input_columns
from ostinato.data.settings import DataSettings
from ostinato.data.static import Static, StaticColumn
from ostinato.data.table import Column, Kind, Table
from ostinato.errors import DataError, ModelFolderError

NAN = float("nan")


def table_of(**columns):
    """``name=(kind, values)`` or ``name=(kind, values, missing rows)``."""
    made = {}
    for name, (kind, values, *missing) in columns.items():
        made[name] = Column(name, kind, values, missing=frozenset(*missing))
    return Table(made, line_of=np.arange(len(next(iter(made.values())))) + 2 if made else np.empty(0))


def series(*rows):
    return (Kind.SERIES, [np.array(row, dtype=float).reshape(len(row), -1) for row in rows])


def through_json(features):
    return Features.from_config(json.loads(json.dumps(features.to_config())))


MIXED = table_of(
    text=(Kind.TEXT, ["ab", "b"]),
    age=(Kind.NUMBER, np.array([1.0, 3.0])),
    town=(Kind.CATEGORY, ["x", "y"]),
    label=(Kind.CATEGORY, ["p", "q"]),
    who=(Kind.ID, ["1", "2"]),
    upos=(Kind.TAGS, [["A"], ["B"]]),
)


def test_every_column_that_can_be_is_an_input():
    assert input_columns(MIXED, DataSettings(), "label") == Inputs(("text",), ("age", "town"))
    assert input_columns(MIXED, DataSettings(inputs=("town", "text")), "label") == Inputs(("text",), ("town",))
    assert input_columns(MIXED, DataSettings(id="town", time="age"), "label") == Inputs(("text",), ())


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (("tex",), "no column 'tex'. Did you mean 'text'"),
        (("who",), "column 'who': a id column cannot be an input"),
        (("label",), "column 'label': the target cannot be an input too"),
    ],
)
def test_impossible_inputs_are_refused(inputs, message):
    with pytest.raises(DataError, match=message.replace("?", r"\?")):
        input_columns(MIXED, DataSettings(inputs=inputs), "label")


def test_two_texts_ask_for_a_choice():
    table = table_of(a=(Kind.TEXT, ["x"]), b=(Kind.DNA, ["A"]))
    with pytest.raises(DataError, match=r"2 sequence columns: 'a' \(text\), 'b' \(dna\); choose one with --input"):
        Features.fit(table, DataSettings())
    assert Features.fit(table, DataSettings(inputs=("b",))).column == "b"


def test_a_table_without_sequences_is_refused():
    with pytest.raises(DataError, match=r"no sequence to learn from: 'n' \(number\)"):
        Features.fit(table_of(n=(Kind.NUMBER, np.zeros(2))), DataSettings())
    with pytest.raises(DataError, match="no other column"):
        Features.fit(table_of(n=(Kind.NUMBER, np.zeros(2))), DataSettings(), "n")


def test_text_with_numbers_and_categories_beside_it():
    features = Features.fit(MIXED, DataSettings(), "label")
    examples = features.examples(MIXED)
    assert [one.tolist() for one in examples.inputs] == [[2, 1], [1]]  # b is the more frequent
    # age: scaled value, missing flag; town: x, y, unknown
    assert examples.static.tolist() == [[-1, 0, 1, 0, 0], [1, 0, 0, 1, 0]]
    spec = features.spec("sequence", 7)
    assert (spec.inputs, spec.input_size, spec.static_size, spec.output_size) == ("ids", 3, 5, 7)
    assert through_json(features) == features
    new = table_of(text=(Kind.TEXT, ["b?"]), age=(Kind.NUMBER, np.array([NAN])), town=(Kind.CATEGORY, ["z"]))
    later = features.examples(new)
    assert later.inputs.values.tolist() == [1, 0]
    assert later.static.tolist() == [[0, 1, 0, 0, 1]]
    assert features.notes(new) == ("1 of 2 symbols are unknown",)
    assert features.notes(MIXED) == ()


def test_missing_rows_of_static_columns_are_unknown():
    table = table_of(
        text=(Kind.TEXT, ["a", "b"]), town=(Kind.CATEGORY, ["", "y"], {0}), n=(Kind.NUMBER, np.array([9.0, 1.0]), {0})
    )
    static = Static.fit(table, ("town", "n"))
    assert static.columns[0].labels == ("y",)
    assert static.encode(table).tolist() == [[0, 1, 0, 1], [1, 0, 0, 0]]


def test_static_columns_refuse_what_they_cannot_hold():
    with pytest.raises(ValueError, match="only a number or a category"):
        StaticColumn.fit(MIXED["text"])
    with pytest.raises(DataError, match="column 'n': an infinite value"):
        StaticColumn.fit(Column("n", Kind.NUMBER, np.array([np.inf])))
    with pytest.raises(DataError, match="column 'age': numbers are expected, but this is text"):
        Static.fit(MIXED, ("age",)).encode(table_of(age=(Kind.TEXT, ["old"])))
    with pytest.raises(ModelFolderError, match="static column is damaged"):
        Static.from_config([{"name": "x"}])


def test_tokens_with_their_characters():
    table = table_of(form=(Kind.TOKENS, [["The", "the"], [], ["a"]]))
    features = Features.fit(table, DataSettings(), groups=("characters", "lower"))
    examples = features.examples(table)
    assert [one.tolist() for one in examples.inputs] == [[1, 1], [], [2]]
    letters = features.characters
    assert [letters.decode(one.tolist()) for one in examples.parts] == ["The", "the", "a"]
    assert features.spec("step", 2).parts_size == len(letters) == 1 + len("Thea" + "t")
    assert through_json(features) == features
    assert Features.fit(table, DataSettings()).characters is None
    assert Features.fit(table, DataSettings()).vocabulary.symbols == ("The", "a", "the")
    with pytest.raises(DataError, match=r"no feature group 'character'\. Did you mean 'characters'"):
        check_groups(("character",))


def test_dna_gives_shares_and_its_errors_name_the_row():
    table = table_of(dna=(Kind.DNA, ["AC", "N"]))
    features = Features.fit(table, DataSettings())
    assert features.examples(table).inputs.values.tolist() == [[1, 0, 0, 0], [0, 1, 0, 0], [0.25] * 4]
    assert (features.spec("sequence", 2).inputs, features.spec("sequence", 2).input_size) == ("values", 4)
    assert features.notes(table) == ()
    assert through_json(features) == features
    with pytest.raises(DataError, match="row 3, column 'dna': '!' at base 2"):
        features.examples(table_of(dna=(Kind.DNA, ["AC", "A!"])))


def test_another_kind_is_refused_but_strings_are_read_as_they_were_learned():
    features = Features.fit(table_of(x=(Kind.TEXT, ["ab"])), DataSettings())
    assert features.examples(table_of(x=(Kind.DNA, ["ab"]))).inputs.values.tolist() == [1, 2]
    with pytest.raises(DataError, match="column 'x': this is number, but the model learned from text"):
        features.examples(table_of(x=(Kind.NUMBER, np.zeros(1))))
    with pytest.raises(DataError, match="no column 'x'"):
        features.examples(table_of(y=(Kind.TEXT, ["ab"])))


def test_series_are_scaled_filled_and_masked():
    table = table_of(s=series([[1, NAN], [NAN, 4], [3, NAN]], [[NAN, 6]]))
    features = Features.fit(table, DataSettings())
    values = features.examples(table).inputs
    # both channels have mean and deviation (2, 1) and (5, 1); masks of both follow
    assert values[0].tolist() == [[-1, 0, 1, 0], [-1, -1, 0, 1], [1, -1, 1, 0]]
    assert values[1].tolist() == [[0, 1, 0, 1]]
    assert features.spec("sequence", 2).input_size == 4
    assert features.channels.names == ("s.1", "s.2")
    assert through_json(features) == features


def test_the_rule_for_missing_values_is_chosen():
    table = table_of(s=series([[1], [NAN]]))
    filled = Features.fit(table, DataSettings(missing="fill"))
    assert filled.examples(table).inputs.values.tolist() == [[0], [0]]
    assert filled.notes(table) == ("channel 's': 1 missing values were filled forward",)
    with pytest.raises(DataError, match=r"row 2, column 's': a missing value at step 2; data.missing=mask"):
        Features.fit(table, DataSettings(missing="error"))
    strict = Features.fit(table_of(s=series([[1], [2]])), DataSettings(missing="error"))
    with pytest.raises(DataError, match="a missing value at step 2"):
        strict.examples(table)


def test_missing_values_that_training_did_not_know_are_told():
    features = Features.fit(table_of(s=series([[1], [2]])), DataSettings())
    later = table_of(s=series([[2], [NAN], [NAN]]))
    assert features.examples(later).inputs.values.tolist() == [[1], [1], [1]]
    assert features.notes(later) == ("channel 's': 2 missing values were filled forward",)


def test_aligned_series_are_joined_as_channels():
    table = table_of(a=series([1, 3]), b=series([[5, 0], [7, 0]]))
    features = Features.fit(table, DataSettings())
    assert features.channels.names == ("a", "b.1", "b.2")
    assert features.examples(table).inputs.values.tolist() == [[-1, -1, 0], [1, 1, 0]]
    assert through_json(features) == features
    with pytest.raises(DataError, match="row 2, column 'b': 1 steps, but 2 in 'a'"):
        Features.fit(table_of(a=series([1, 3]), b=series([5])), DataSettings())


def test_series_that_do_not_fit_are_refused():
    with pytest.raises(DataError, match="row 3, column 's': 2 channels, but 1 in the first row"):
        Features.fit(table_of(s=series([1], [[1, 2]])), DataSettings())
    with pytest.raises(DataError, match="row 2, column 's': an infinite value at step 2"):
        Features.fit(table_of(s=series([1, np.inf])), DataSettings())
    features = Features.fit(table_of(s=series([1, 2])), DataSettings())
    with pytest.raises(DataError, match="column 's': 2 channels, but the model knows 1"):
        features.examples(table_of(s=series([[1, 2]])))


def test_no_rows_give_no_examples():
    features = Features.fit(table_of(s=series([1, 2])), DataSettings())
    empty = Table({"s": Column("s", Kind.SERIES, [], channels=("s",))})
    assert features.examples(empty).inputs.values.shape == (0, 1)
    assert Channels.fit(empty, ("s",), "mask").names == ("s",)


@given(st.lists(st.lists(st.sampled_from([NAN, 1.0, 2.0, 3.0]), max_size=5), max_size=4))
def test_fill_forward_agrees_with_a_loop(rows):
    expected = []
    for row in rows:
        last = 0.0
        for value in row:
            last = last if np.isnan(value) else value
            expected.append(last)
    values = np.array([value for row in rows for value in row]).reshape(-1, 1)
    lengths = np.array([len(row) for row in rows], dtype=np.int64)
    assert fill_forward(values, lengths)[:, 0].tolist() == expected


def test_targets_are_put_beside():
    features = Features.fit(MIXED, DataSettings(), "label")
    assert features.examples(MIXED, torch.tensor([3, 4])).take(torch.tensor([1])).targets.tolist() == [4]


@pytest.mark.parametrize(
    "change",
    [{"kind": "video"}, {"vocabulary": {}}, {"channels": {"columns": []}}, {"kind": "series"}, {"static": [1]}],
)
def test_damaged_config_is_refused(change):
    config = Features.fit(MIXED, DataSettings(), "label").to_config()
    with pytest.raises(ModelFolderError, match="damaged"):
        Features.from_config(config | change)
    with pytest.raises(ModelFolderError, match="damaged"):
        Features.from_config({})
