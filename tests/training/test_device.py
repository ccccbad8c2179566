from __future__ import annotations

import pytest
import torch

from ostinato.errors import UsageError
from ostinato.training.device import Precision, choose_device

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"), [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")]
)
def test_auto_takes_the_fastest_there_is(monkeypatch: pytest.MonkeyPatch, cuda: bool, mps: bool, expected: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert choose_device("auto").type == expected


def test_a_device_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match=r"sees no cuda here; use training.device=cpu"):
        choose_device("cuda")
    with pytest.raises(UsageError, match=r"'cpp' is unknown. Did you mean 'cpu'\?"):
        choose_device("cpp")
    with pytest.raises(UsageError, match="is not a device"):
        choose_device("cpu:x")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert choose_device("cuda:0") == torch.device("cuda", 0)
    with pytest.raises(UsageError, match="has 1 CUDA devices"):
        choose_device("cuda:1")


def test_precisions() -> None:
    assert Precision("auto", CPU).dtype == torch.float32
    with Precision("float32", CPU).autocast():
        assert torch.mm(torch.ones(2, 2), torch.ones(2, 2)).dtype == torch.float32
    with Precision("bfloat16", CPU).autocast():
        assert torch.mm(torch.ones(2, 2), torch.ones(2, 2)).dtype == torch.bfloat16
    assert not Precision("bfloat16", CPU).scaler.is_enabled()
    with pytest.raises(UsageError, match="float16 needs a CUDA device, not cpu"):
        Precision("float16", CPU)
    with pytest.raises(UsageError, match=r"Did you mean 'float16'\?|Did you mean 'bfloat16'\?"):
        Precision("bfloat61", CPU)


@pytest.mark.parametrize(("has", "expected"), [(True, torch.bfloat16), (False, torch.float16)])
def test_auto_on_cuda(monkeypatch: pytest.MonkeyPatch, has: bool, expected: torch.dtype) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: has)
    monkeypatch.setattr(torch.amp, "GradScaler", lambda device, enabled: enabled)
    precision = Precision("auto", torch.device("cuda"))
    assert precision.dtype == expected
    assert precision.scaler == (expected == torch.float16)
