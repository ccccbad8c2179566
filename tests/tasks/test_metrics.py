"""Metrics against scikit-learn, and spans against examples worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as oracle

from ostinato.tasks import metrics

PAIRS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=40)


@given(PAIRS)
def test_accuracy_and_macro_f1_are_scikit_learns(pairs):
    truth, answer = np.array(pairs).T
    assert metrics.accuracy(truth, answer) == pytest.approx(oracle.accuracy_score(truth, answer), abs=1e-12)
    expected = oracle.f1_score(truth, answer, average="macro", zero_division=0)
    assert metrics.macro_f1(truth, answer) == pytest.approx(expected, abs=1e-12)


@given(st.lists(st.integers(0, 2), min_size=1, max_size=20), st.integers(0, 99))
def test_log_loss_is_scikit_learns(truth, seed):
    chances = np.random.default_rng(seed).dirichlet([1.0, 1.0, 1.0], len(truth))
    expected = oracle.log_loss(truth, chances, labels=[0, 1, 2])
    assert metrics.log_loss(np.array(truth), chances) == pytest.approx(expected, rel=1e-9)


def test_a_probability_of_nothing_is_bounded():
    assert metrics.log_loss(np.array([0]), np.array([[0.0, 1.0]], dtype=np.float32)) == pytest.approx(87.34, abs=0.01)


@given(st.lists(st.tuples(st.floats(-99, 99), st.floats(-99, 99)), min_size=1, max_size=20))
def test_errors_are_scikit_learns(pairs):
    truth, answer = np.array(pairs).T
    assert metrics.mae(truth, answer) == pytest.approx(oracle.mean_absolute_error(truth, answer))
    assert metrics.mse(truth, answer) == pytest.approx(oracle.mean_squared_error(truth, answer))
    assert metrics.rmse(truth, answer) == pytest.approx(oracle.root_mean_squared_error(truth, answer))


@pytest.mark.parametrize("name", ["accuracy", "macro_f1", "mae", "mse", "rmse"])
def test_nothing_to_measure_is_not_a_number(name):
    assert math.isnan(getattr(metrics, name)(np.array([]), np.array([])))
    assert math.isnan(metrics.log_loss(np.array([], dtype=int), np.empty((0, 2))))


def test_nats_bits_and_perplexity_are_one_number():
    assert metrics.of_nats(math.log(8)) == pytest.approx({"nats": math.log(8), "bits": 3.0, "perplexity": 8.0})
    assert math.isfinite(metrics.of_nats(1e9)["perplexity"])
    assert math.isnan(metrics.of_nats(float("nan"))["perplexity"])


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ("O O O", []),
        ("B-PER I-PER O B-LOC", [(0, 2, "PER"), (3, 4, "LOC")]),
        ("B-X B-X I-X", [(0, 1, "X"), (1, 3, "X")]),
        # IOB1: a span may begin with I-, and B- only parts two of the same type
        ("I-X I-X B-X O I-Y", [(0, 2, "X"), (2, 3, "X"), (4, 5, "Y")]),
        # the type changes without a B-
        ("B-X I-Y I-Y", [(0, 1, "X"), (1, 3, "Y")]),
        # IOBES, well formed
        ("S-X B-Y I-Y E-Y S-Z", [(0, 1, "X"), (1, 4, "Y"), (4, 5, "Z")]),
        # after an end or a single, I- and E- begin anew
        ("B-X E-X I-X E-X", [(0, 2, "X"), (2, 4, "X")]),
        ("S-X I-X", [(0, 1, "X"), (1, 2, "X")]),
        ("E-X E-X", [(0, 1, "X"), (1, 2, "X")]),
        ("O E-X O", [(1, 2, "X")]),
        # BILOU
        ("B-X I-X L-X U-X", [(0, 3, "X"), (3, 4, "X")]),
        ("I-A-B I-A-B", [(0, 2, "A-B")]),
        ("", []),
    ],
)
def test_spans_are_read_as_conlleval_reads_them(labels, expected):
    assert metrics.spans(labels.split()) == expected


def f1(truth, answer):
    return metrics.span_scores(truth, answer)["span_f1"]


def test_span_f1_counts_whole_spans_only():
    """Two true spans, three said, one hit: precision 1/3, recall 1/2, F1 2/5."""
    truth = [["B-X", "I-X", "O", "B-Y"], ["O"]]
    answer = [["B-X", "O", "O", "B-Y"], ["B-Y"]]
    assert f1(truth, answer) == pytest.approx(0.4)
    scores = metrics.span_scores(truth, answer)
    assert (scores["span_precision"], scores["span_recall"]) == (pytest.approx(1 / 3), 0.5)
    assert metrics.span_scores([["B-X"]], [["O"]]) == {"span_f1": 0.0, "span_precision": 0.0, "span_recall": 0.0}
    assert f1(truth, truth) == 1.0
    assert f1([["O"]], [["O"]]) == 1.0
    assert f1([["B-X"]], [["B-Y"]]) == 0.0


@given(st.lists(st.lists(st.sampled_from(["O", "B-X", "I-X", "B-Y", "I-Y"]), max_size=8), max_size=5))
def test_spans_of_well_formed_labels_write_them_again(rows):
    for row in rows:
        written = ["O"] * len(row)
        for start, stop, kind in metrics.spans(row):
            written[start:stop] = [f"B-{kind}"] + [f"I-{kind}"] * (stop - start - 1)
        assert metrics.spans(written) == metrics.spans(row)
        assert [label[2:] for label in written] == [label[2:] for label in row]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["O", "B-X", "I-X"], True),
        (["S-X", "O"], True),
        (["O"], False),
        (["NOUN", "VERB"], False),
        (["O", "B-"], False),
        (["B-X", "PERSON"], False),
    ],
)
def test_labels_that_mark_spans_are_recognised(labels, expected):
    assert metrics.are_spans(labels) is expected
