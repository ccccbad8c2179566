"""What a stored config must not be is told in one way."""

from __future__ import annotations

import pytest

from ostinato.errors import DataError, ModelFolderError, UsageError, intact


@pytest.mark.parametrize(
    "error",
    [KeyError("labels"), TypeError("no list"), ValueError("no number"), AttributeError("items"), UsageError("no rate")],
)
def test_what_does_not_fit_is_damaged(error: Exception) -> None:
    with pytest.raises(ModelFolderError) as caught, intact("the task is damaged"):
        raise error
    assert str(caught.value) == f"the task is damaged: {error}"
    assert caught.value.__cause__ is error


def test_what_says_itself_what_is_wrong_stays() -> None:
    with pytest.raises(ModelFolderError, match=r"^the scaler is damaged: 1$"), intact("the task is damaged"):
        raise ModelFolderError("the scaler is damaged: 1")
    with pytest.raises(ZeroDivisionError), intact("the task is damaged"):
        _ = 1 / 0
    with intact("the task is damaged"):
        found = DataError("no error")
    assert str(found) == "no error"
