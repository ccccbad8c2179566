"""Objects: Python values (of JSON, of a data frame's cells) as a column of one type."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ostinato.data.cells import shown
from ostinato.errors import DataError

Dtype = Any
"""A polars type: a class, or an instance of one with parameters; None where there is none."""
Json = Any
"""A Python value as JSON has them."""

_SCALARS = ((type(None), pl.Null), (bool, pl.Boolean), (int, pl.Int64), (float, pl.Float64), (str, pl.String))


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
        matrices = _matrices(values, dtype)
        return pl.Series(name, values, dtype=dtype, strict=False) if matrices is None else pl.Series(name, matrices)
    except (ValueError, TypeError, pl.exceptions.PolarsError) as error:
        raise DataError(f"cannot be read as {dtype} ({error})", path=path, column=name) from None


def _matrices(values: list[Json], dtype: Dtype) -> list[pl.Series | None] | None:
    """Lists of steps of equally many channels, a row each; None for what is something else.

    Polars would make a column of its own of every step of every row.
    """
    if dtype not in (pl.List(pl.List(pl.Float64)), pl.List(pl.List(pl.Int64))):
        return None
    try:
        arrays = [None if value is None else np.array(value, dtype=np.float64) for value in values]
    except ValueError:  # steps of unequal length, which the layout refuses with row and column
        return None
    if any(array is not None and (array.ndim != 2 or not array.size) for array in arrays):
        return None
    return [None if array is None else pl.Series(array).arr.to_list() for array in arrays]


def _type(value: Json) -> Dtype:
    """The type of a column that can hold ``value``; ``pl.Object`` where none can."""
    if not isinstance(value, list):
        return _shared([value])
    kinds = set(map(type, value))
    if list not in kinds:
        return _list_of(_shared(value))
    if kinds - {list, type(None)}:
        return pl.Object
    inner = _list_of(_shared(list(chain.from_iterable([item for item in value if item is not None]))))
    return _list_of(inner)


def _list_of(inner: Dtype) -> Dtype:
    return inner if inner is pl.Object else pl.List(inner)


def _shared(values: list[Json]) -> Dtype:
    """The type that holds all of ``values``, none of them a list; ``pl.Object`` where there is none."""
    shared: Dtype = pl.Null
    for kind in set(map(type, values)):
        found = next((dtype for known, dtype in _SCALARS if issubclass(kind, known)), pl.Object)
        if found is pl.Int64 and max([abs(value) for value in values if isinstance(value, int)]) >= 2**63:
            found = pl.Float64
        shared = _merge(shared, found)
        if shared is None or found is pl.Object:
            return pl.Object
    return shared


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
