"""Model folder: what gets deployed: ``config.json`` and ``model.safetensors``. No pickle is ever loaded."""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import safetensors
import torch
from safetensors.torch import load as load_weights
from safetensors.torch import save as save_weights
from torch import Tensor, nn

from ostinato.data.spec import Spec
from ostinato.data.table import Table
from ostinato.errors import ModelFolderError, OstinatoError, UsageError, nearest
from ostinato.models import build
from ostinato.runs.folder import telling
from ostinato.runs.reading import layout_of
from ostinato.runs.recipe import Recipe
from ostinato.tasks import TASKS, Task
from ostinato.training.atomic import sync_folder, write_atomically
from ostinato.version import __version__

FORMAT_VERSION = 1
CONFIG, WEIGHTS = "config.json", "model.safetensors"
STORED = ("data", "audio", "vision", "music", "task", "model")
"""The groups of the recipe that a model folder holds."""
PICKLES = frozenset({".pt", ".pth", ".pkl", ".pickle", ".bin", ".ckpt", ".npy", ".npz"})
"""Files that may hold a pickle, which runs code when it is loaded."""


@dataclass(frozen=True)
class Stored:
    """What a model folder holds.

    Args:
        model: on the CPU, in evaluation mode.
        task: fitted.
        recipe: the settings it was made with (files aside).
        kinds: of the columns of the training table.
        layout: what a row of that table was (``rows``, ``long``, ``wide``; empty: its file format knows no other).
        versions: of what made it.
    """

    model: nn.Module
    task: Task
    recipe: Recipe
    kinds: dict[str, str]
    layout: str
    versions: dict[str, str]


def save(model: nn.Module, task: Task, recipe: Recipe, table: Table, folder: str | Path) -> None:
    """Writes a model folder in one move; a model folder that was there before is replaced.

    Args:
        model: its weights are stored where it is; tied weights once for each name.
        task: fitted.
        recipe: its groups :data:`STORED` are stored.
        table: what was read, for the kinds of its columns.
        folder: the new folder.

    Raises:
        UsageError: ``folder`` exists and is no model folder.
        ModelFolderError: it cannot be written; a folder that was there before is kept.
    """
    folder = Path(folder)
    if folder.exists() and not (folder / CONFIG).is_file():
        raise UsageError(f"{folder} exists already and is no model folder: name another one")
    weights = {name: value.detach().to("cpu", copy=True).contiguous() for name, value in model.state_dict().items()}
    body = save_weights(weights)
    config = {
        "format": "ostinato",
        "format_version": FORMAT_VERSION,
        "task": task.name,
        "mapping": task.mapping,
        "kinds": {column.name: column.kind.value for column in table},
        "layout": layout_of(table),
        "spec": task.spec.to_config(),
        "settings": {group: recipe.settings(group) for group in STORED},
        "fitted": task.to_config(),
        "weights": {"file": WEIGHTS, "bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()},
        "versions": {
            "ostinato": __version__,
            "torch": torch.__version__,
            "safetensors": safetensors.__version__,
            "python": platform.python_version(),
        },
    }
    text = json.dumps({**config, "sha256": _digest(config)}, indent=1, ensure_ascii=False, allow_nan=False)
    partial = folder.with_name(f"{folder.name}.partial")
    with telling(folder):
        if partial.exists():
            shutil.rmtree(partial)
        partial.mkdir(parents=True)
        try:
            write_atomically(partial / WEIGHTS, body)
            write_atomically(partial / CONFIG, text.encode())
        except OSError:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        if folder.exists():
            shutil.rmtree(folder)
        partial.replace(folder)
        sync_folder(folder.parent)


def read(folder: str | Path) -> Stored:
    """Reads a model folder, and those that its task names.

    Raises:
        ModelFolderError: it is missing, truncated, altered, of a newer format, or a pickle; the file and the mend are
            named.
    """
    stored = _read(Path(folder))
    return replace(stored, task=stored.task.equipped(named))


def named(folder: str) -> tuple[nn.Module, Task]:
    """The model that a run folder (or a model folder) holds, and its task, for another task to use."""
    run = Path(folder)
    stored = _read(run / "model" if (run / "model" / CONFIG).is_file() else run)
    return stored.model, stored.task


def _read(folder: Path) -> Stored:
    config = _config(folder)
    weights = _weights(folder, config)
    place = folder / CONFIG
    try:
        task = _task(config)
        recipe = Recipe.of({f"{g}.{k}": v for g, part in config["settings"].items() for k, v in part.items()})
        if Spec(**config["spec"]) != task.spec:
            raise ModelFolderError("its sizes do not belong to its task")
        model = build(task.spec, recipe.model, recipe.task)
        kinds, layout, versions = config["kinds"], config["layout"], config["versions"]
    except OstinatoError as error:
        raise ModelFolderError(f"{place}: {error}. {_MEND}") from error
    except (AttributeError, KeyError, LookupError, TypeError, ValueError) as error:
        raise ModelFolderError(f"{place}: is damaged ({type(error).__name__}: {error}). {_MEND}") from error
    _fill(model, weights, folder / WEIGHTS)
    return Stored(model.eval(), task, recipe, kinds, layout, versions)


def _digest(config: Mapping[str, Any]) -> str:
    """SHA-256 of everything in a config but this number itself."""
    rest = {key: value for key, value in config.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


_MEND = "Restore the folder from a copy, or train anew"


def _config(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG
    pickles = sorted(p.name for p in folder.iterdir() if p.suffix in PICKLES) if folder.is_dir() else []
    if pickles:
        raise ModelFolderError(
            f"{folder / pickles[0]}: may hold a pickle, which can run any code, and is never loaded. "
            f"A model folder is {CONFIG} and {WEIGHTS}: take the other file away, or train anew"
        )
    if folder.suffix in PICKLES:
        raise ModelFolderError(f"{folder}: may be a pickle, which can run any code, and is never loaded: name a run")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelFolderError(f"{path}: is not there; name a run folder, or the model folder in it") from None
    except NotADirectoryError:
        raise ModelFolderError(f"{folder}: is a file; name a run folder, or the model folder in it") from None
    except (OSError, ValueError) as error:
        raise ModelFolderError(f"{path}: is truncated or altered ({error}). {_MEND}") from error
    if not isinstance(config, dict) or config.get("format") != "ostinato":
        raise ModelFolderError(f"{path}: this is no model of ostinato; name a run folder, or the model folder in it")
    version = config.get("format_version")
    if not isinstance(version, int) or version < 1:
        raise ModelFolderError(f"{path}: has no format version. {_MEND}")
    if version > FORMAT_VERSION:
        raise ModelFolderError(
            f"{path}: format {version} is newer than {FORMAT_VERSION}, the newest that ostinato "
            f"{__version__} knows: update ostinato"
        )
    if config.get("sha256") != _digest(config):
        raise ModelFolderError(f"{path}: was altered: its checksum is not its own. {_MEND}")
    return cast(dict[str, Any], config)


def _weights(folder: Path, config: Mapping[str, Any]) -> dict[str, Tensor]:
    path = folder / WEIGHTS
    told = config.get("weights")
    if not isinstance(told, dict) or not {"bytes", "sha256"} <= set(told):
        raise ModelFolderError(f"{folder / CONFIG}: does not tell the checksum of the weights. {_MEND}")
    try:
        body = path.read_bytes()
    except OSError as error:
        raise ModelFolderError(f"{path}: cannot be read ({error.strerror or error}). {_MEND}") from error
    if len(body) < told["bytes"]:
        raise ModelFolderError(f"{path}: is truncated: {len(body):,} of {told['bytes']:,} bytes. {_MEND}")
    if hashlib.sha256(body).hexdigest() != told["sha256"]:
        raise ModelFolderError(f"{path}: was altered: its checksum is not the one in {CONFIG}. {_MEND}")
    try:
        return load_weights(body)
    except safetensors.SafetensorError as error:
        raise ModelFolderError(f"{path}: is no safetensors file ({error}). {_MEND}") from error


def _task(config: Mapping[str, Any]) -> Task:
    name = config["task"]
    if name not in TASKS:
        raise ModelFolderError(f"there is no task '{name}'.{nearest(str(name), list(TASKS))}")
    return TASKS[name].from_config(config["fitted"])


def _fill(model: nn.Module, weights: Mapping[str, Tensor], path: Path) -> None:
    """Puts the weights in; every one must be there, and of the right shape."""
    wanted = model.state_dict()
    missing, more = sorted(wanted.keys() - weights.keys()), sorted(weights.keys() - wanted.keys())
    if missing or more:
        told = f"lacks '{missing[0]}'" if missing else f"holds '{more[0]}', which this model has not"
        raise ModelFolderError(f"{path}: {told}. {_MEND}")
    for name, value in weights.items():
        if value.shape != wanted[name].shape:
            shapes = f"{tuple(value.shape)}, and the model needs {tuple(wanted[name].shape)}"
            raise ModelFolderError(f"{path}: '{name}' has the shape {shapes}. {_MEND}")
    model.load_state_dict(dict(weights))
