"""What every test shares: deterministic hypothesis, one thread, and the real data sets where they exist."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings

settings.register_profile(
    "ostinato", deadline=None, derandomize=True, max_examples=40, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("ostinato")
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Whatever number of threads a test set, the next begins with one."""
    yield
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets; a test that asks for it is skipped where ``OSTINATO_DATA`` names none."""
    folder = os.environ.get("OSTINATO_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("OSTINATO_DATA names no folder of real data sets")
    return Path(folder)
