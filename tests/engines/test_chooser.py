"""The chooser says what it takes and why, can be forced, and never falls back in silence."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from test_engines import request

from ostinato import nn
from ostinato.engines import choose, dense_kernel, explain, force, run
from ostinato.errors import UsageError


def test_first_engine_that_serves() -> None:
    asked = request("gru", [3, 2])
    assert choose(asked).engine.name == "torch"
    traced = choose(replace(asked, trace=True))
    assert traced.engine.name == "reference"
    assert "keep states and gates to themselves" in traced.reason
    assert choose(request("gru_before", [3, 2])).engine.name == "reference"


def test_force() -> None:
    asked = request("gru", [3, 2])
    with force("reference"):
        assert choose(asked) == (choose(asked).engine, "it is forced")
        assert choose(asked).engine.name == "reference"
        assert dense_kernel("gru") is None
        with force("torch"):
            assert choose(asked).engine.name == "torch"
            assert dense_kernel("gru") is not None
    assert choose(asked).engine.name == "torch"
    with force("torch"), pytest.raises(UsageError, match="forced, but PyTorch has no kernel for cell 'gru_before'"):
        run(request("gru_before", [1]))
    with pytest.raises(UsageError, match="Did you mean 'reference'"), force("refrence"):
        pass


def test_transforms_go_to_the_reference() -> None:
    asked = request("gru", [2])
    seen = []

    def look(x: torch.Tensor) -> torch.Tensor:
        seen.append(choose(asked))
        return x

    torch.func.vmap(look)(torch.zeros(2))
    assert seen[0].engine.name == "reference"
    assert "vmap" in seen[0].reason


def test_explain() -> None:
    text = explain(nn.LSTM(3, 4))
    assert [line.split("  ")[0] for line in text.splitlines()] == [
        "equal lengths",
        "unequal lengths",
        "resets",
        "trace",
    ]
    assert "torch: torch.lstm on oneDNN" in text
    assert "padded steps that hold the state" in text
    assert "reference: a loop over the steps of cell 'lstm'" in text
    assert "on ATen" in explain(nn.LSTM(3, 4, proj_size=2))
    assert "no kernel for cell 'gru_before'" in explain(nn.GRU(3, 4, reset_after=False))
    with force("torch"):
        assert "no engine: engine 'torch' is forced, but" in explain(nn.GRU(3, 4))
