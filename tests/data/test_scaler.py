"""Scaler against numpy's own mean and deviation."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ostinato.data.scaler import Scaler
from ostinato.errors import ModelFolderError

FLOATS = st.floats(-1e6, 1e6)
ARRAYS = arrays(np.float64, st.tuples(st.integers(1, 9), st.integers(1, 3)), elements=FLOATS)


@given(ARRAYS)
def test_channels_get_mean_0_and_deviation_1(values):
    scaler = Scaler.fit([values])
    np.testing.assert_allclose(scaler.mean, values.mean(0), rtol=1e-12, atol=1e-9)
    changing = values.std(0) > 1e-9 * np.maximum(np.abs(values).max(0), 1e-3)
    np.testing.assert_allclose(np.array(scaler.std)[changing], values.std(0)[changing], rtol=1e-6)
    np.testing.assert_allclose(scaler.decode(scaler.encode(values)), values, rtol=1e-9, atol=1e-6)


def test_missing_values_are_left_out():
    scaler = Scaler.fit([np.array([[1.0, np.nan]]), np.array([[3.0, 5.0], [np.nan, 7.0]])])
    assert scaler.mean == (2.0, 6.0)
    assert scaler.std == (1.0, 1.0)
    assert np.isnan(scaler.encode(np.array([np.nan, 6.0]))).tolist() == [True, False]


@pytest.mark.parametrize("value", [0.0, 5.0, 1e9 + 0.1, -3e-200])
def test_a_constant_channel_is_only_shifted(value):
    scaler = Scaler.fit([np.full((1000, 1), value)])
    assert scaler.std == (1.0,)
    np.testing.assert_allclose(scaler.encode(np.array([value + 1])), [1.0], rtol=1e-6)


def test_a_small_spread_about_a_large_mean_counts():
    values = 1e6 + np.array([[-0.01], [0.01]])
    np.testing.assert_allclose(Scaler.fit([values]).encode(values), [[-1.0], [1.0]], rtol=1e-6)


def test_a_channel_without_values_is_left_as_it_is():
    scaler = Scaler.fit([np.full((3, 1), np.nan)])
    assert (scaler.mean, scaler.std) == ((0.0,), (1.0,))
    assert Scaler.fit([np.empty((0, 2))]) == Scaler((0.0, 0.0), (1.0, 1.0))


@given(ARRAYS)
def test_config_goes_through_json_to_the_bit(values):
    scaler = Scaler.fit([values])
    assert Scaler.from_config(json.loads(json.dumps(scaler.to_config()))) == scaler


def test_wrong_input_is_refused():
    with pytest.raises(ValueError, match="infinite"):
        Scaler.fit([np.array([[np.inf]])])
    with pytest.raises(ValueError, match=r"arrays \(T, C\)"):
        Scaler.fit([np.zeros(3)])


@pytest.mark.parametrize(
    "config",
    [{}, {"mean": [0.0], "std": []}, {"mean": [0.0], "std": [0.0]}, {"mean": [float("nan")], "std": [1.0]}],
)
def test_damaged_config_is_refused(config):
    with pytest.raises(ModelFolderError, match="scaler is damaged"):
        Scaler.from_config(config)
