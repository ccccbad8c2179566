"""Checkpoints: all that a training needs to go on to the same bits, as safetensors and JSON."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from ostinato.errors import ModelFolderError
from ostinato.training.atomic import write_atomically

FORMAT = 1
KEPT = 2
_OURS = re.compile(r"(\d{8})\.(?:json|safetensors)(?:\.partial)?")


@dataclass(frozen=True)
class Checkpoint:
    """Named tensors, and everything else as JSON."""

    tensors: dict[str, Tensor]
    state: dict[str, Any]


class Checkpoints:
    """A folder of ``NNNNNNNN.safetensors`` + ``NNNNNNNN.json``, the two newest of them.

    The JSON is written last and holds the size and SHA-256 of both, so a pair is whole or is known not to be. Older
    pairs go only when the new one is on disk.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def numbers(self) -> list[int]:
        """What lies in the folder, oldest first."""
        return sorted(int(path.stem) for path in self.folder.glob("*.json") if path.stem.isdigit())

    def save(self, checkpoint: Checkpoint) -> None:
        """Adds a checkpoint.

        Raises:
            ModelFolderError: the disk is full, the folder read-only, …; the checkpoints before are untouched.
        """
        body = safetensors.torch.save(checkpoint.tensors)
        state = json.dumps(checkpoint.state)
        document = {
            "format": FORMAT,
            "tensors": {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()},
            "state": {"bytes": len(state), "sha256": hashlib.sha256(state.encode()).hexdigest()},
            "content": checkpoint.state,
        }
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            name = f"{max(self.numbers(), default=0) + 1:08d}"
            tensors = self.folder / f"{name}.safetensors"
            try:
                write_atomically(tensors, body)
                write_atomically(self.folder / f"{name}.json", json.dumps(document).encode())
            except OSError:
                tensors.unlink(missing_ok=True)
                raise
            self._drop_old()
        except OSError as error:
            kept = "the one before is kept" if self.numbers() else "there is none yet"
            raise ModelFolderError(
                f"{self.folder}: the checkpoint cannot be written ({error.strerror or error}); {kept}. "
                "Free some space or make the folder writable, then resume"
            ) from error

    def _drop_old(self) -> None:
        kept = {f"{number:08d}" for number in self.numbers()[-KEPT:]}
        for path in self.folder.iterdir():
            if (ours := _OURS.fullmatch(path.name)) and ours[1] not in kept:
                path.unlink(missing_ok=True)

    def load(self, warn: Callable[[str], None]) -> Checkpoint:
        """The newest whole checkpoint; tells ``warn`` of each newer one that is damaged.

        Raises:
            ModelFolderError: there is none, none is whole, or one is of a newer format.
        """
        problems: list[str] = []
        for number in reversed(self.numbers()):
            try:
                checkpoint = self._read(f"{number:08d}")
            except _DamagedError as error:
                problems.append(str(error))
                continue
            for problem in problems:
                warn(f"{problem}; going on from the checkpoint before it")
            return checkpoint
        if problems:
            raise ModelFolderError(
                f"{self.folder}: no checkpoint is whole: {'; '.join(problems)}. "
                "Restore the folder from a copy, or train anew"
            )
        raise ModelFolderError(f"{self.folder}: there is no checkpoint to resume from; train first")

    def _read(self, name: str) -> Checkpoint:
        description, tensors = self.folder / f"{name}.json", self.folder / f"{name}.safetensors"
        try:
            document = json.loads(description.read_bytes())
            if document["format"] > FORMAT:
                raise ModelFolderError(
                    f"{description}: format {document['format']} is newer than {FORMAT}, the newest that this "
                    "version of ostinato knows; update ostinato"
                )
            body, content = tensors.read_bytes(), document["content"]
            if _differs(document["state"], json.dumps(content).encode()):
                raise _DamagedError(f"{description} was altered")
            if _differs(document["tensors"], body):
                raise _DamagedError(f"{tensors} is truncated or altered")
            return Checkpoint(safetensors.torch.load(body), content)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise _DamagedError(f"{description} and {tensors.name} cannot be read ({error})") from error


class _DamagedError(Exception):
    """One checkpoint cannot be used."""


def _differs(told: dict[str, Any], content: bytes) -> bool:
    return bool(told["bytes"] != len(content) or told["sha256"] != hashlib.sha256(content).hexdigest())
