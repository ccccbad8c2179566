"""rivals: what the baselines say about the test part, kept on disk so that a killed run need not ask again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy

from ostinato.evaluation.baselines import ask
from ostinato.evaluation.ground import Ground
from ostinato.runs.folder import RunFolder
from ostinato.runs.prepare import Prepared
from ostinato.runs.reporter import Reporter
from ostinato.tasks import Outputs
from ostinato.training import TrainingSettings


def rivals(prepared: Prepared, folder: RunFolder, reporter: Reporter) -> dict[str, Outputs]:
    """The outputs of each of the task's baselines, on the same split as the model's."""
    found: dict[str, Outputs] = {}
    ground = _ground(prepared)
    for name in prepared.task.baselines:
        kept = folder.stages / f"baseline-{name}.safetensors"
        outputs = _kept(kept)
        if outputs is None:
            reporter.on_stage(f"baseline {name}")
            outputs = ask(name, ground)
            header = {"sha256": _digest(outputs)}
            arrays = {key: np.ascontiguousarray(value) for key, value in outputs.items()}
            folder.write(kept, safetensors.numpy.save(arrays, header))
        found[name] = outputs
    return found


def _ground(prepared: Prepared) -> Ground:
    recipe, division = prepared.recipe, prepared.division
    training: TrainingSettings = recipe.training
    parts = (division.train, division.valid, division.test)
    return Ground(prepared.task, *parts, training.seed, training, recipe.optimizer)


def _kept(path: Path) -> Outputs | None:
    """What was kept, or None where nothing whole is there: then it is computed again."""
    try:
        with safetensors.safe_open(path, "numpy") as file:
            outputs = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (no mapping)
            told = (file.metadata() or {}).get("sha256")
    except (OSError, safetensors.SafetensorError):
        return None
    return outputs if told == _digest(outputs) else None


def _digest(outputs: Outputs) -> str:
    total = hashlib.sha256()
    for key in sorted(outputs):
        value = np.ascontiguousarray(outputs[key])
        total.update(json.dumps([key, str(value.dtype), list(value.shape)]).encode())
        total.update(value.tobytes())
    return total.hexdigest()
