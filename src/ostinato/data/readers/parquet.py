"""Parquet: typed columns."""

from __future__ import annotations

import io

import numpy as np
import polars as pl

from ostinato.data.cells import Cells, plural
from ostinato.data.layouts import Layout, lay_out
from ostinato.data.readers.source import Source
from ostinato.data.settings import DataSettings
from ostinato.data.table import Table
from ostinato.errors import DataError


def read_parquet(source: Source, settings: DataSettings, layout: Layout = "auto") -> Table:
    """A Parquet file; list columns are tokens or series. Rows are counted from 1.

    Raises:
        DataError: no Parquet file, no rows, or what the layout refuses.
    """
    try:
        frame = pl.read_parquet(io.BytesIO(source.data))
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        raise DataError(f"is no Parquet file, or a damaged one ({_first_line(error)})", path=source.path) from None
    if not frame.height or not frame.width:
        raise DataError("holds no rows", path=source.path)
    frame = plain(frame)
    lines = np.arange(1, frame.height + 1, dtype=np.int64)
    return lay_out(Cells(frame, lines, source.path, (f"{plural(frame.height, 'row')} of Parquet",)), settings, layout)


def plain(frame: pl.DataFrame) -> pl.DataFrame:
    """Decimals as floats, categoricals as strings: the types the rules of kinds know."""
    return frame.with_columns(
        pl.col(pl.Decimal).cast(pl.Float64),
        pl.col(pl.Categorical).cast(pl.String),
    )


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
