"""From files to tensors: readers by kind, vocabularies, scalers, splits, batching."""

from ostinato.data.frames import from_rows
from ostinato.data.readers import read
from ostinato.data.table import Column, Kind, Table

__all__ = ["Column", "Kind", "Table", "from_rows", "read"]
