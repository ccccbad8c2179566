"""ear: live sound on standard input as text on standard output."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, cast

import typer

from ostinato.errors import DataError

if TYPE_CHECKING:
    from io import BufferedReader

    from ostinato.decoding.listen import Listener

SECONDS = 0.1
"""Most sound that is taken in at once: text comes no later than this and a step after it is certain."""


def hear(listener: Listener) -> None:
    """Reads raw little-endian 16-bit samples of one channel until they end, and writes each letter when it is certain.

    Raises:
        DataError: what comes is a sound file with a header, or ends within a sample.
    """
    import numpy as np

    typer.echo(f"listening: 16-bit samples, one channel, {listener.rate:,} a second", err=True)
    size, source = 2 * max(1, round(SECONDS * listener.rate)), cast("BufferedReader", sys.stdin.buffer)
    rest, begun = b"", False
    with suppress(KeyboardInterrupt):  # as a microphone is stopped
        while block := source.read1(size):
            rest += block
            if not begun and len(rest) < 4:
                continue
            if not begun and rest[:4] in {b"RIFF", b"fLaC", b"OggS"}:
                raise DataError("this is a file with a header, not raw samples: name the file instead of -")
            begun, whole = True, len(rest) // 2 * 2
            _write(listener.hear(np.frombuffer(rest[:whole], dtype="<i2").astype(np.int16)))
            rest = rest[whole:]
    _write(listener.end() + "\n")
    if rest:
        raise DataError("the samples end within one: they must be of 16 bits and one channel")


def _write(text: str) -> None:
    if text:
        sys.stdout.write(text)
        sys.stdout.flush()
