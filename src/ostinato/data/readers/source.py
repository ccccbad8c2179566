"""Source: the bytes and the text of a file, unpacked and decoded, with errors that say where."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ostinato.errors import DataError

_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))


@dataclass(frozen=True)
class Source:
    """A file to read.

    Args:
        path: where it lies; a gzipped file is unpacked whatever its name.
        latin: every byte becomes the character of the same number (``unit: byte``), so any bytes can be read.
    """

    path: Path
    latin: bool = False

    @property
    def suffix(self) -> str:
        """``.csv`` of ``names.csv`` and of ``names.csv.gz``."""
        name = self.path.name.lower().removesuffix(".gz")
        return Path(name).suffix

    @property
    def stem(self) -> str:
        """``names`` of ``names.csv.gz``."""
        name = self.path.name
        return Path(name[:-3] if name.lower().endswith(".gz") else name).stem

    @cached_property
    def data(self) -> bytes:
        """The bytes, unpacked.

        Raises:
            DataError: the file does not exist, cannot be opened, is empty, or is a broken archive.
        """
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            raise DataError("does not exist: check the name and the folder", path=self.path) from None
        except OSError as error:
            raise DataError(f"cannot be read ({error.strerror or error})", path=self.path) from None
        if data[:2] == b"\x1f\x8b":
            data = self._unpacked(data)
        elif self.path.name.lower().endswith(".gz") and data:
            raise DataError("is not a gzip file, though its name ends in .gz", path=self.path)
        if not data.strip():
            raise DataError("is empty: give a file that holds data", path=self.path)
        return data

    def _unpacked(self, data: bytes) -> bytes:
        try:
            return gzip.decompress(data)
        except (EOFError, OSError, zlib.error) as error:
            raise DataError(f"is a truncated or damaged gzip file ({error}): fetch it again", path=self.path) from None

    @cached_property
    def text(self) -> str:
        r"""The characters (UTF-8, or UTF-16 with a byte order mark), line ends as ``\n``.

        Raises:
            DataError: bytes that are no text, with their offset in the (unpacked) file.
        """
        data, encoding = self.data, "utf-8"
        if self.latin:
            return data.decode("latin-1")
        for mark, name in _BOMS:
            if data.startswith(mark):
                data, encoding = data[len(mark) :], name
                break
        start = len(self.data) - len(data)
        if encoding == "utf-8" and (zero := data.find(b"\0")) >= 0:
            raise self._unreadable(start + zero, "a zero byte", "it is no text file")
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError as error:
            what = f"byte 0x{data[error.start]:02x}"
            raise self._unreadable(start + error.start, what, f"the file is not {encoding.upper()}") from None
        if not text.strip():
            raise DataError("is empty: give a file that holds data", path=self.path)
        return text.replace("\r\n", "\n").replace("\r", "\n")

    def _unreadable(self, offset: int, what: str, why: str) -> DataError:
        row = self.data.count(b"\n", 0, offset) + 1
        return DataError(
            f"{what} at offset {offset:,} cannot be read: {why}. Save it as UTF-8, or read bytes as they are with "
            "data.unit=byte",
            path=self.path,
            row=row,
        )

    def lines(self) -> list[str]:
        r"""The lines without their ends; only ``\n`` ends a line (not the form feeds and separators inside a text)."""
        lines = self.text.split("\n")
        return lines[:-1] if lines[-1] == "" else lines
