"""Ostinato: recurrent neural networks, from a file of sequences to a model that proved its worth.

Every name below is loaded when it is first used, so that ``import ostinato`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from ostinato.version import __version__

if TYPE_CHECKING:
    import ostinato.nn as nn  # noqa: PLR0402 (from ostinato would import this very file)
    from ostinato.engines import explain
    from ostinato.errors import DataError, ModelFolderError, OstinatoError, TrainingError, UsageError
    from ostinato.estimators import (
        Classifier,
        Detector,
        Forecaster,
        LanguageModel,
        Regressor,
        Tagger,
        Transcriber,
        Translator,
    )
    from ostinato.runs import load, train
    from ostinato.sequences import Ragged

_HOMES = {
    "Classifier": "ostinato.estimators",
    "DataError": "ostinato.errors",
    "Detector": "ostinato.estimators",
    "Forecaster": "ostinato.estimators",
    "LanguageModel": "ostinato.estimators",
    "ModelFolderError": "ostinato.errors",
    "OstinatoError": "ostinato.errors",
    "Ragged": "ostinato.sequences",
    "Regressor": "ostinato.estimators",
    "Tagger": "ostinato.estimators",
    "TrainingError": "ostinato.errors",
    "Transcriber": "ostinato.estimators",
    "Translator": "ostinato.estimators",
    "UsageError": "ostinato.errors",
    "explain": "ostinato.engines",
    "load": "ostinato.runs",
    "train": "ostinato.runs",
}

__all__ = [
    "Classifier",
    "DataError",
    "Detector",
    "Forecaster",
    "LanguageModel",
    "ModelFolderError",
    "OstinatoError",
    "Ragged",
    "Regressor",
    "Tagger",
    "TrainingError",
    "Transcriber",
    "Translator",
    "UsageError",
    "__version__",
    "explain",
    "load",
    "nn",
    "train",
]


def __getattr__(name: str) -> object:
    if name == "nn":
        return import_module("ostinato.nn")
    if name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'ostinato' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
