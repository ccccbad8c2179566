"""The chooser says what it takes and why, can be forced, and never falls back in silence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from test_engines import request

from ostinato import nn
from ostinato.engines import choose, dense_kernel, explain, force, run
from ostinato.errors import UsageError


def test_first_engine_that_serves() -> None:
    asked = request("gru", [3, 2])
    assert choose(asked).engine.name == "native"
    traced = choose(replace(asked, trace=True))
    assert traced.engine.name == "reference"
    assert "keep states and gates to themselves" in traced.reason
    assert choose(request("slstm", [3, 2])).engine.name == "reference"


def test_what_the_native_engine_leaves_to_others() -> None:
    half = request("gru", [3, 2], dtype=torch.float16)
    elsewhere = request("gru", [3, 2])
    elsewhere = replace(elsewhere, rows=elsewhere.rows.with_data(elsewhere.rows.data.to("meta")))
    for asked, why in ((half, "not torch.float16"), (elsewhere, "not meta")):
        choice = choose(asked)
        assert choice.engine.name == "torch"
        assert why in choice.reason
    with torch.autograd.forward_ad.dual_level():
        assert "forward-mode" in choose(request("gru", [3, 2])).reason


def test_force() -> None:
    asked, x = request("gru", [3, 2]), torch.zeros(3, 2, 3)
    with force("reference"):
        assert choose(asked) == (choose(asked).engine, "it is forced")
        assert choose(asked).engine.name == "reference"
        assert dense_kernel("gru", x, projected=False) is None
        with force("torch"):
            assert choose(asked).engine.name == "torch"
            kernel = dense_kernel("gru", x, projected=False)
            assert kernel is not None
            assert kernel.needs_state
    assert choose(asked).engine.name == "native"
    with force("torch"), pytest.raises(UsageError, match="forced, but PyTorch has no kernel for cell 'gru_before'"):
        run(request("gru_before", [1]))
    with force("native"), pytest.raises(UsageError, match="forced, but it has no kernel for cell 'slstm'"):
        run(request("slstm", [1]))
    with pytest.raises(UsageError, match="Did you mean 'reference'"), force("refrence"):
        pass


def test_projections_are_served_whole_where_there_is_a_kernel() -> None:
    """As ``explain`` says: not by PyTorch's operators, which take three times as long."""
    x = torch.zeros(3, 2, 3)
    for cell in ("lstm", "lstm_peephole", "lstm_coupled"):
        kernel = dense_kernel(cell, x, projected=True)
        assert kernel is not None
        assert kernel.ragged
    assert dense_kernel("lstm_norm", x, projected=True) is None


PROJECTED = ["LSTM", "PeepholeLSTM", "CoupledLSTM", "LayerNormLSTM"]
ASKED = [(name, {"proj_size": 2}) for name in PROJECTED] + [
    (name, options)
    for name in [*PROJECTED, "RNN", "GRU", "LayerNormGRU", "IndRNN", "SLSTM"]
    for options in ({}, {"memory": "low"}, {"bidirectional": True})
]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize(("name", "options"), ASKED)
def test_equal_lengths_go_where_explain_says(name: str, options: dict[str, Any], dtype: torch.dtype) -> None:
    """The short way to a whole stack is that of the engine that the chooser takes, or there is none."""
    layer = getattr(nn, name)(3, 4, dtype=dtype, **options)
    kernel = layer._kernel(torch.zeros(3, 2, 3, dtype=dtype))
    told = explain(layer).splitlines()[0]
    if kernel is not None:
        assert ("native: " if kernel.ragged else "torch: ") in told


def test_transforms_are_not_for_torch() -> None:
    asked = request("gru", [2])
    seen = []

    def look(x: torch.Tensor) -> torch.Tensor:
        seen.append(choose(asked))
        return x

    torch.func.vmap(look)(torch.zeros(2))
    assert seen[0].engine.name == "native"
    with force("torch"), pytest.raises(UsageError, match="vmap"):
        torch.func.vmap(look)(torch.zeros(2))


def test_explain() -> None:
    text = explain(nn.LSTM(3, 4))
    assert [line.split("  ")[0] for line in text.splitlines()] == [
        "equal lengths",
        "unequal lengths",
        "resets",
        "trace",
    ]
    assert text.count("native: C++ kernels for ") == 3
    assert "1 thread (it is the fastest that serves this request)" in text
    assert "reference: a loop over the steps of cell 'lstm'" in text
    with force("torch"):
        assert "torch: torch.lstm on oneDNN" in explain(nn.LSTM(3, 4))
    assert explain(nn.LSTM(3, 4, proj_size=2)).count("native: C++ kernels for ") == 3
    assert "no kernel for cell 'slstm'" in explain(nn.SLSTM(3, 4))
    with force("torch"):
        assert "no engine: engine 'torch' is forced, but" in explain(nn.GRU(3, 4))
