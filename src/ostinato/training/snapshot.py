"""Snapshot: weights, optimizer state and random numbers as named tensors, and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ostinato.data.examples import Examples
from ostinato.errors import ModelFolderError
from ostinato.training.settings import OptimizerSettings, TrainingSettings


def copy_weights(model: nn.Module) -> dict[str, Tensor]:
    """A copy of the model's state, where the model is."""
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def stored(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies on the CPU, named ``prefix.name``; tensors that share memory (tied weights) are stored one by one."""
    return {f"{prefix}.{name}": value.detach().to("cpu", copy=True).contiguous() for name, value in tensors.items()}


def part(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Those of :func:`stored`, under their own names."""
    start = f"{prefix}."
    return {name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)}


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """What the optimizer remembers of each weight, named ``number.key``."""
    return {
        f"{number}.{key}": value
        for number, state in optimizer.state_dict()["state"].items()
        for key, value in state.items()
        if isinstance(value, Tensor)  # SGD without momentum remembers None
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """The inverse of :func:`optimizer_tensors`; the settings of the optimizer stay as they are."""
    state: dict[int, dict[str, Any]] = {}
    for name, value in tensors.items():
        number, key = name.split(".", 1)
        state.setdefault(int(number), {})[key] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def random_states(device: torch.device) -> dict[str, Tensor]:
    """The states of PyTorch's generators that a training on ``device`` draws from."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    if device.type == "mps":
        states["mps"] = torch.mps.get_rng_state()
    return states


@contextmanager
def seeded(*place: int) -> Iterator[None]:
    """PyTorch's random numbers of the CPU begin anew from ``place``, and afterwards go on where they were."""
    kept = torch.get_rng_state()
    torch.default_generator.manual_seed(int(np.random.SeedSequence(place).generate_state(1, np.uint64)[0]))
    try:
        yield
    finally:
        torch.set_rng_state(kept)


def restore_random(states: Mapping[str, Tensor], device: torch.device) -> None:
    """The inverse of :func:`random_states`; a generator whose state is not there is left alone."""
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)
    if device.type == "mps" and "mps" in states:
        torch.mps.set_rng_state(states["mps"])


FREE = ("epochs", "minutes", "patience", "device", "seeds", "checkpoint_seconds")
"""Settings that may change between a training and its resumption."""


def identity(
    model: nn.Module, train: Examples, valid: Examples, settings: TrainingSettings, optimizer: OptimizerSettings
) -> dict[str, Any]:
    """What must be the same when a training is resumed, as JSON."""
    fixed = {f"training.{key}": value for key, value in asdict(settings).items() if key not in FREE}
    weights = {f"the shape of {name}": list(value.shape) for name, value in model.state_dict().items()}
    return {
        **fixed,
        **{f"optimizer.{key}": value for key, value in asdict(optimizer).items()},
        **weights,
        "the number of training examples": len(train),
        "the number of training steps": int(train.lengths.sum()),
        "the number of validation examples": len(valid),
    }


def machine(device: torch.device) -> dict[str, Any]:
    """What must be the same for the same bits, as JSON."""
    return {"torch": torch.__version__, "threads": torch.get_num_threads(), "device": device.type}


def check_same(stored: Mapping[str, Any], current: Mapping[str, Any], folder: object) -> None:
    """Raises ``ModelFolderError`` with the first entry in which a resumed training is not the one that was begun."""
    for key in sorted({*stored, *current}):
        if stored.get(key) != current.get(key):
            raise ModelFolderError(
                f"{folder}: these checkpoints are of another training: {key} was {stored.get(key)} and is now "
                f"{current.get(key)}. Resume with the recipe and the data of the run, or train into another folder"
            )
