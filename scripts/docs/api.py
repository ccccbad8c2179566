"""api: the reference of every public name, from its signature and its docstring."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from importlib import import_module
from types import FunctionType
from typing import Any

from prose import rendered

HEAD = """# API reference

Every public name, from its docstring. `make docs` writes this page: change the docstrings, not the page. How the pieces
work together: [Python](python.md), [layers](layers.md).
"""
SECTIONS = {
    "Runs": ["ostinato.train", "ostinato.load", "ostinato.runs.Run", "ostinato.runs.LoadedModel"],
    "Estimators": [
        "ostinato.Classifier",
        "ostinato.Regressor",
        "ostinato.Tagger",
        "ostinato.LanguageModel",
        "ostinato.Transcriber",
        "ostinato.Translator",
        "ostinato.Forecaster",
        "ostinato.Detector",
        "ostinato.estimators.base.SequenceEstimator",
    ],
    "Layers": [
        "ostinato.nn.LSTM",
        "ostinato.nn.GRU",
        "ostinato.nn.RNN",
        "ostinato.nn.PeepholeLSTM",
        "ostinato.nn.LRU",
        "ostinato.nn.MinGRU",
        "ostinato.nn.MinLSTM",
        "ostinato.nn.QRNN",
        "ostinato.nn.RGLRU",
        "ostinato.nn.SRU",
        "ostinato.nn.CoupledLSTM",
        "ostinato.nn.LayerNormLSTM",
        "ostinato.nn.LayerNormGRU",
        "ostinato.nn.IndRNN",
        "ostinato.nn.SLSTM",
        "ostinato.nn.MLSTM",
        "ostinato.nn.ConvLSTM",
        "ostinato.models.NextFrame",
        "ostinato.nn.Layer",
        "ostinato.nn.Traced",
        "ostinato.nn.Stream",
        "ostinato.nn.start.Start",
        "ostinato.engines.Noise",
        "ostinato.nn.LSTMCell",
        "ostinato.nn.GRUCell",
        "ostinato.nn.RNNCell",
        "ostinato.Ragged",
        "ostinato.explain",
    ],
    "Errors": [
        "ostinato.OstinatoError",
        "ostinato.DataError",
        "ostinato.UsageError",
        "ostinato.ModelFolderError",
        "ostinato.TrainingError",
    ],
    "Version": ["ostinato.__version__"],
}
"""Every public name once, and a few beside them that one meets all the same."""
SHARED = {"Layer", "HeadedLayer", "SequenceEstimator"}
"""Classes with an entry of their own, whose methods are not told again under what inherits them."""
MODULES = re.compile(r"(?<=[ (\[])(?:[a-z_]+[.])+(?=[A-Z])")
"""The modules before a class in a signature."""


def page(before: str) -> str:
    """docs/api.md; nothing of the page before is kept."""
    del before
    parts = [HEAD]
    for title, names in SECTIONS.items():
        parts += [f"## {title}\n", *map(_entry, names)]
    return "\n".join(parts)


def _entry(path: str) -> str:
    home, _, name = path.rpartition(".")
    thing = getattr(import_module(home), name)
    if isinstance(thing, str):
        return f"### {path}\n\nThe version, as text.\n"
    parts = [f"### {path}", _signature(name, thing), rendered(inspect.getdoc(thing) or "")]
    for method, function in _methods(thing):
        parts += [f"#### {name}.{method}", _signature(method, function), rendered(inspect.getdoc(function) or "")]
    return "\n\n".join(part for part in parts if part) + "\n"


def _methods(thing: Any) -> Iterator[tuple[str, Any]]:
    """Public methods and properties with a docstring, of the class and of what it inherits from this package."""
    if not isinstance(thing, type):
        return
    seen = {"extra_repr"}
    for kind in thing.__mro__:
        if not kind.__module__.startswith("ostinato") or (kind is not thing and kind.__name__ in SHARED):
            continue
        for name, member in vars(kind).items():
            raw = getattr(member, "__func__", member)
            if name in seen or name.startswith("_") or not isinstance(raw, FunctionType | property):
                continue
            if inspect.getdoc(raw):
                seen.add(name)
                yield name, raw


class _Bare(str):
    """An annotation that is shown without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _signature(name: str, thing: Callable[..., Any]) -> str:
    """A block with the signature; nothing for what is not called: properties, tuples, plain errors."""
    if isinstance(thing, property):
        return ""
    if isinstance(thing, type) and (issubclass(thing, tuple) or not _builds(thing)):
        return ""
    signature = inspect.signature(thing)
    shown = [
        one.replace(annotation=_Bare(one.annotation)) if isinstance(one.annotation, str) else one
        for one in signature.parameters.values()
        if one.name not in {"self", "cls"}
    ]
    back = signature.return_annotation
    tail = "" if isinstance(thing, type) or back is signature.empty else f" -> {back}"
    text = f"{name}{signature.replace(parameters=shown, return_annotation=signature.empty)}{tail}"
    if len(text) > 110:
        text = f"{name}(\n{''.join(f'    {one},' + chr(10) for one in _lines(shown))}){tail}"
    return f"```text\n{MODULES.sub('', text)}\n```"


def _builds(kind: type) -> bool:
    """Whether a class has arguments to tell: its own, or those that a layer has from what it inherits."""
    return "__init__" in vars(kind) or kind.__module__.startswith("ostinato.nn.")


def _lines(parameters: list[inspect.Parameter]) -> list[str]:
    """The parameters one by one, with the star that parts those given by name."""
    shown: list[str] = []
    for one in parameters:
        if one.kind is one.KEYWORD_ONLY and not any(other.startswith("*") for other in shown):
            shown.append("*")
        shown.append(str(one))
    return shown
