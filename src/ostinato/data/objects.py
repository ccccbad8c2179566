"""Objects: Python values (of JSON, of a data frame's cells) as a column of one type."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from ostinato.data.cells import shown
from ostinato.errors import DataError

Dtype = Any
"""A polars type: a class, or an instance of one with parameters; None where there is none."""
Json = Any
"""A Python value as JSON has them."""

_SCALARS = ((bool, pl.Boolean), (float, pl.Float64), (str, pl.String))


def column_from(name: str, values: list[Json], lines: list[int], path: Path | None = None) -> pl.Series:
    """Python values as a typed column: strings, numbers, booleans, or lists of strings or numbers, two deep at most."""
    dtype: Dtype = None
    for value, line in zip(values, lines, strict=True):
        found = _type(value)
        merged = _merge(dtype, found)
        if found is pl.Object or merged is None:
            told = "is nested too deep, or mixed" if found is pl.Object else "is of another type than the values above"
            raise DataError(f"{shown(value)} {told}", path=path, row=line, column=name)
        dtype = merged
    try:
        return pl.Series(name, values, dtype=dtype, strict=False)
    except (ValueError, TypeError, pl.exceptions.PolarsError) as error:
        raise DataError(f"cannot be read as {dtype} ({error})", path=path, column=name) from None


def _type(value: Json) -> Dtype:
    """The type of a column that can hold ``value``; ``pl.Object`` where none can."""
    if value is None:
        return pl.Null
    if isinstance(value, int) and not isinstance(value, bool):
        return pl.Int64 if abs(value) < 2**63 else pl.Float64
    if not isinstance(value, list):
        return next((dtype for kind, dtype in _SCALARS if isinstance(value, kind)), pl.Object)
    inner: Dtype = pl.Null
    for found in {_type(item) for item in value}:
        inner = _merge(inner, found)
        if inner is None or found is pl.Object:
            return pl.Object
    deep = isinstance(inner, pl.List) and isinstance(inner.inner, pl.List)
    return pl.Object if deep else pl.List(inner)


def _merge(first: Dtype, second: Dtype) -> Dtype:
    """The type that holds both, or None."""
    if first is None or first in (pl.Null, second):
        return second
    if second == pl.Null:
        return first
    if isinstance(first, pl.List) and isinstance(second, pl.List):
        inner = _merge(first.inner, second.inner)
        return None if inner is None else pl.List(inner)
    if {first, second} == {pl.Int64, pl.Float64}:
        return pl.Float64
    return None
