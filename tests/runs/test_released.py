"""A stored model folder of each released version stays loadable, and says what it said then."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ostinato.runs import load

STORED = sorted((Path(__file__).parent.parent / "artifacts").glob("v*-*"))


def test_there_is_one_of_each_kind() -> None:
    assert {"classify", "language", "forecast"} <= {path.name.split("-", 1)[1] for path in STORED}


@pytest.mark.parametrize("folder", STORED, ids=lambda path: path.name)
def test_a_released_folder_answers_as_it_did(folder: Path) -> None:
    model = load(folder / "model", device="cpu")
    if (folder / "answer.txt").exists():
        expected = (folder / "answer.txt").read_text(encoding="utf-8").splitlines()
        assert model.generate(length=20, seed=1, condition="soft", count=3) == expected
        return
    expected = pl.read_csv(folder / "answers.csv")
    found = pl.read_csv(model.predict(folder / "input.csv").write_csv().encode())
    assert found.columns == expected.columns
    for name in expected.columns:
        if expected[name].dtype.is_float():
            np.testing.assert_allclose(found[name].to_numpy(), expected[name].to_numpy(), rtol=1e-4, atol=1e-5)
        else:
            assert found[name].to_list() == expected[name].to_list()
