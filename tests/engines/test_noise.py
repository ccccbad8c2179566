"""Masks: the same bits as the definition in plain integers, evenly spread, and independent of how work is laid out."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ostinato.engines import Masks, Noise
from ostinato.engines.noise import KINDS

W64, W32 = (1 << 64) - 1, (1 << 32) - 1


def mix(x: int) -> int:
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & W64
    x = (x ^ x >> 27) * 0x94D049BB133111EB & W64
    return x ^ x >> 31


def small(x: int) -> int:
    x = (x ^ x >> 16) * 0x85EBCA6B & W32
    x = (x ^ x >> 13) * 0xC2B2AE35 & W32
    return x ^ x >> 16


def bits(seed: int, kind: int, layer: int, direction: int, step: int, sequence: int, unit: int) -> int:
    """The definition, with Python's own whole numbers."""
    gamma = 0x9E3779B97F4A7C15
    key = mix(seed + gamma * (1 + kind + 8 * direction + 16 * layer) & W64)
    key = mix(key + gamma * (1 + step) & W64)
    key = mix(key + gamma * (1 + sequence) & W64)
    return small(small(unit ^ key & W32) + (key >> 32) & W32)


def test_published_constants() -> None:
    """The first outputs of splitmix64 from seed 1234567, as published with its reference code."""
    found, state = [], 1234567
    for _ in range(3):
        state = state + 0x9E3779B97F4A7C15 & W64
        found.append(mix(state))
    assert found == [6457827717110365317, 3203168211198807973, 9817491932198370423]


@given(
    st.integers(0, 2**63 - 1),
    st.sampled_from(range(len(KINDS))),
    st.integers(0, 40),
    st.integers(0, 1),
    st.integers(0, 2**40),
    st.integers(0, 2**40),
)
def test_bits_are_the_definition(seed: int, kind: int, layer: int, direction: int, step: int, sequence: int) -> None:
    masks = Masks(torch.tensor(seed), layer, direction)
    for given_step in (step, torch.tensor([step])):
        found = masks.bits(KINDS[kind], given_step, torch.tensor([sequence]), 5)
        assert found.tolist() == [[bits(seed, kind, layer, direction, step, sequence, unit) for unit in range(5)]]


@pytest.mark.parametrize(
    ("kind", "layer", "direction", "step", "sequence", "found"),
    [
        ("input_dropout", 0, 0, 0, 0, [0xCDAAEAAC, 0xEA19E95E, 0xCE38A149]),
        ("recurrent_dropout", 1, 1, 5, 3, [0x52AB4907, 0xE99D2C02, 0xC8A6D5D2]),
        ("zoneout_c", 2, 0, 1000, 70000, [0x718C1D3C, 0x7ADFD27E, 0x91BFD42C]),
    ],
)
def test_bits_never_change(kind: str, layer: int, direction: int, step: int, sequence: int, found: list[int]) -> None:
    """What a seed meant yesterday it means today: the numbers that every engine must give."""
    assert (
        Masks(torch.tensor(2**62 + 12345), layer, direction).bits(kind, step, torch.tensor(sequence), 3).tolist()
        == found
    )


def test_evenly_spread() -> None:
    """Every bit is set half the time, and neighbours in every counter agree half the time (six standard errors)."""
    masks, sequences = Masks(torch.tensor(7)), torch.arange(200)
    blocks = torch.stack([masks.bits("recurrent_dropout", t, sequences, 100) for t in range(50)])
    other = torch.stack([Masks(torch.tensor(8)).bits("recurrent_dropout", t, sequences, 100) for t in range(50)])
    bound = 6 * 0.5 / blocks.numel() ** 0.5
    for bit in range(32):
        ones = (blocks >> bit & 1).double()
        assert abs(float(ones.mean()) - 0.5) < bound
        assert abs(float((other >> bit & 1 == ones).double().mean()) - 0.5) < bound
        for axis in range(3):
            same = ones.narrow(axis, 1, ones.shape[axis] - 1) == ones.narrow(axis, 0, ones.shape[axis] - 1)
            assert abs(float(same.double().mean()) - 0.5) < 1.1 * bound


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_share_and_scale(share: float) -> None:
    values = torch.empty(400, 250, dtype=torch.float64)
    mask = Masks(torch.tensor(3)).scale("dropout", share, 4, torch.arange(400), values)
    assert mask.shape == values.shape
    assert mask.dtype == values.dtype
    assert abs(float((mask == 0).double().mean()) - share) < 6 * 0.5 / 1e5**0.5
    assert set(mask.unique().tolist()) == ({0.0} if share == 1 else {1.0} if share == 0 else {0.0, 1 / (1 - share)})


def test_seed_comes_from_torch() -> None:
    noise = Noise(recurrent_dropout=0.5, zoneout_h=0.2).at(training=True)
    assert noise is not None
    torch.manual_seed(5)
    first = noise.seeded()
    torch.manual_seed(5)
    assert torch.equal(noise.seeded().seed, first.seed)
    assert first.seeded() is first
    assert Noise(recurrent_dropout=0.5).at(training=False) is None
    assert Noise().at(training=True) is None
    assert Noise(recurrent_dropout=0.5, zoneout_c=0.1).at(training=False) == Noise(zoneout_c=0.1)
