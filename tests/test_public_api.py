"""The public names are those that docs/api.md documents, each exists, and each says what it is."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

import ostinato
import ostinato.nn

PAGE = (Path(__file__).parent.parent / "docs/api.md").read_text(encoding="utf-8")
BESIDE = {"ostinato.runs.Run", "ostinato.runs.LoadedModel", "ostinato.estimators.base.SequenceEstimator"}
BESIDE |= {"ostinato.nn.start.Start", "ostinato.engines.Noise", "ostinato.models.NextFrame"}
"""Documented because one meets them, beside the public names of the package and of its layers."""
PUBLIC = {f"ostinato.{name}" for name in ostinato.__all__ if name != "nn"}
PUBLIC |= {f"ostinato.nn.{name}" for name in ostinato.nn.__all__}


def test_documented_names_are_the_public_ones() -> None:
    documented = re.findall(r"^### (\S+)$", PAGE, re.MULTILINE)
    assert len(documented) == len(set(documented))
    assert set(documented) - BESIDE == PUBLIC


@pytest.mark.parametrize("name", sorted(PUBLIC - {"ostinato.__version__"}))
def test_public_names_have_docstrings(name: str) -> None:
    home, _, last = name.rpartition(".")
    thing = getattr(ostinato.nn if home == "ostinato.nn" else ostinato, last)
    assert inspect.getdoc(thing)


def test_a_name_that_does_not_exist() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Clasifier'"):
        ostinato.Clasifier  # noqa: B018
    assert set(ostinato.__all__) <= set(dir(ostinato))
