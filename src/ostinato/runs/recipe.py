"""Recipe: all settings of a run, one group a room; layers of settings, from files and from the command line."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, Self, get_args, get_origin, get_type_hints

import yaml

from ostinato.data.settings import AudioSettings, DataSettings, MusicSettings, VisionSettings
from ostinato.errors import UsageError, nearest
from ostinato.models.settings import ModelSettings
from ostinato.tasks.settings import TaskSettings
from ostinato.training.atomic import write_atomically
from ostinato.training.settings import OptimizerSettings, TrainingSettings

Thing = Any
"""A value of any type, or a type."""
Chosen = dict[str, Any]
"""Settings by their full names: ``{"training.epochs": 20}``. Of several layers of them the last one wins."""


@dataclass(frozen=True)
class Files:
    """The ``files`` group of a recipe: where the data lie. In a YAML file, seen from the folder of that file.

    Args:
        data: a file or folder; of ``train`` the command line always names it.
        valid: validation part, if it is a file of its own.
        test: test part, if it is a file of its own.
    """

    data: str = ""
    valid: str = ""
    test: str = ""


@dataclass(frozen=True)
class Recipe:
    """All settings of a run."""

    data: DataSettings = field(default_factory=DataSettings)
    task: TaskSettings = field(default_factory=TaskSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    files: Files = field(default_factory=Files)

    @classmethod
    def of(cls, *layers: Mapping[str, Any]) -> Self:
        """The defaults, under layers of settings: the task's, a file's, the command line's.

        Raises:
            UsageError: a key does not exist, or its value is none.
        """
        groups: dict[str, dict[str, Any]] = {group: {} for group in GROUPS}
        for layer in layers:
            for key, value in layer.items():
                group, name = find(key)
                groups[group][name] = typed(key, value)
        built = {group: GROUPS[group](**settings) for group, settings in groups.items()}
        carried = {group: built.pop(group) for group in CARRIED}
        return cls(data=replace(built.pop("data"), **carried), **built)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """From a YAML file; what it leaves out has its default. Raises ``UsageError`` as :func:`load_settings`."""
        return cls.of(load_settings(path))

    def save(self, path: str | Path) -> None:
        """As YAML, every key."""
        settings = _plain({group: self.settings(group) for group in GROUPS}) | {"files": seen_from(path, self.files)}
        text = yaml.safe_dump(settings, sort_keys=False, allow_unicode=True, width=120)
        write_atomically(Path(path), text.encode())

    def override(self, settings: str | Iterable[str] | Mapping[str, Any]) -> Self:
        """With ``"training.epochs=20"`` (or several, or a mapping of full names) put over it.

        Raises:
            UsageError: as :func:`parse_settings`.
        """
        if isinstance(settings, str):
            settings = [settings]
        chosen = settings if isinstance(settings, Mapping) else parse_settings(settings)
        changed: dict[str, dict[str, Any]] = {}
        for key, value in chosen.items():
            group, name = find(key)
            changed.setdefault(group, {})[name] = typed(key, value)
        carried = {group: replace(getattr(self.data, group), **changed.pop(group, {})) for group in CARRIED}
        changed["data"] = changed.get("data", {}) | carried
        return replace(self, **{group: replace(getattr(self, group), **new) for group, new in changed.items()})

    def settings(self, group: str) -> dict[str, Any]:
        """The keys of a group and their values."""
        holder = self.data if group in CARRIED else self
        return {key: value for key, value in vars(getattr(holder, group)).items() if key not in CARRIED}


GROUPS: dict[str, Any] = {
    "data": DataSettings,
    "audio": AudioSettings,
    "vision": VisionSettings,
    "music": MusicSettings,
    "task": TaskSettings,
    "model": ModelSettings,
    "training": TrainingSettings,
    "optimizer": OptimizerSettings,
    "files": Files,
}
"""The groups of a recipe."""
CARRIED = ("audio", "vision", "music")
"""The groups that the data group carries."""


def keys() -> list[str]:
    """Every key of a recipe by its full name."""
    return [f"{group}.{one.name}" for group, kind in GROUPS.items() for one in fields(kind) if one.name not in CARRIED]


def find(key: str) -> tuple[str, str]:
    """The group and the name of a key.

    Raises:
        UsageError: there is no such key; the nearest one is named.
    """
    if key in keys():
        group, name = key.split(".", 1)
        return group, name
    group, _, name = key.partition(".")
    if not name and (homes := [known for known in keys() if known.split(".", 1)[1] == key]):
        raise UsageError(f"no recipe key '{key}'. Did you mean '{homes[0]}'?")
    if group in GROUPS and name:
        hint = nearest(name, [one.name for one in fields(GROUPS[group])]).replace("mean '", f"mean '{group}.")
    else:
        hint = nearest(key, keys())
        if hint.startswith(" Known"):
            hint = f" A key is written group.name; groups are {', '.join(GROUPS)}."
    raise UsageError(f"no recipe key '{key}'.{hint}")


def load_settings(path: str | Path) -> Chosen:
    """The settings that a YAML file holds, by their full names.

    Raises:
        UsageError: the file cannot be read, is no YAML, or names a key or a value that does not exist.
    """
    try:
        document = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: the recipe cannot be read ({error.strerror or error})") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f", row {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "it is not UTF-8"
        raise UsageError(f"{path}{place}: this is no YAML ({problem}); `ostinato init DATA` writes a recipe") from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise UsageError(f"{path}: a recipe is groups of keys, as in 'training: {{epochs: 20}}'")
    chosen: Chosen = {}
    for group, settings in document.items():
        if group not in GROUPS:
            raise UsageError(f"{path}: no recipe group '{group}'.{nearest(str(group), list(GROUPS))}")
        if settings is not None and not isinstance(settings, dict):
            raise UsageError(f"{path}: '{group}' must hold keys, as in '{group}: {{…}}'")
        for name, value in (settings or {}).items():
            if value is None:  # a key that was left empty has its default
                continue
            try:
                key = f"{group}.{name}"
                find(key)
                chosen[key] = typed(key, value)
                if group == "files" and chosen[key]:
                    chosen[key] = os.path.normpath(Path(path).parent / chosen[key])
            except UsageError as error:
                raise UsageError(f"{path}: {error}") from error
    return chosen


def seen_from(path: str | Path, files: Files) -> dict[str, str]:
    """Each file as it is found from the folder of the recipe ``path``, so that both can be moved together."""
    folder = Path(path).absolute().parent
    return {name: file and _relative(Path(file).absolute(), folder) for name, file in vars(files).items()}


def _relative(file: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(file, folder)).as_posix()
    except ValueError:  # another drive
        return str(file)


def parse_settings(assignments: Iterable[str]) -> Chosen:
    """``["training.epochs=20", "data.kinds.seq=dna"]`` as settings; lists are ``a,b`` or ``[a, b]``.

    Raises:
        UsageError: an assignment has no ``=``, or names a key or a value that does not exist.
    """
    chosen: Chosen = {}
    for assignment in assignments:
        key, sign, text = assignment.partition("=")
        key, text = key.strip(), text.strip()
        if not sign:
            raise UsageError(f"'{assignment}' sets nothing: write KEY=VALUE, as in training.epochs=20")
        whole, _, entry = key.rpartition(".")
        if whole in keys() and _is_mapping(whole):
            chosen[whole] = {**chosen.get(whole, {}), entry: text}
            continue
        find(key)
        chosen[key] = typed(key, text)
    return chosen


def typed(key: str, value: Thing) -> Thing:
    """A value as the type of its key; text (from a command line) is read.

    Raises:
        UsageError: it cannot be that; what it can be is named.
    """
    hint = _hint(key)
    try:
        return _read(hint, value)
    except (KeyError, TypeError, ValueError):
        shown = "nothing" if value in ("", None) else f"'{value}'"
        raise UsageError(f"{key} is {shown}; it must be {_wanted(hint, value)}") from None


def _hint(key: str) -> Thing:
    group, name = key.split(".", 1)
    return get_type_hints(GROUPS[group])[name]


def _is_mapping(key: str) -> bool:
    origin: Any = get_origin(_hint(key))
    return origin is dict


def _read(hint: Thing, value: Thing) -> Thing:
    """``value`` as ``hint``; raises ``ValueError`` or ``TypeError``."""
    origin: Any = get_origin(hint)
    if origin is Literal:
        if value not in get_args(hint):
            raise ValueError
        return value
    if origin is tuple:
        inner = get_args(hint)[0]
        return tuple(_read(inner, one) for one in _listed(value))
    if origin is dict:
        return {str(name): _read(str, one) for name, one in _mapped(value).items()}
    return _READERS[hint](value)


def _listed(value: Thing) -> list[Any]:
    if isinstance(value, str):
        text = value.strip().removeprefix("[").removesuffix("]")
        return [part.strip().strip("'\"") for part in text.split(",")] if text.strip() else []
    if isinstance(value, Iterable) and not isinstance(value, Mapping):
        return list(value)
    raise TypeError


def _mapped(value: Thing) -> dict[Any, Any]:
    if isinstance(value, str):
        text = value.strip().removeprefix("{").removesuffix("}")
        pairs = [part.replace("=", ":", 1).partition(":") for part in text.split(",")] if text.strip() else []
        if not all(sign for _, sign, _ in pairs):
            raise ValueError
        return {name.strip(): one.strip() for name, _, one in pairs}
    return dict(value)


def _text(value: Thing) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError
    return str(value)


def _whole(value: Thing) -> int:
    if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
        raise TypeError
    return int(value)


def _number(value: Thing) -> float:
    if isinstance(value, bool):
        raise TypeError
    number = float(value)
    if not math.isfinite(number):
        raise ValueError
    return number


def _truth(value: Thing) -> bool:
    return value if isinstance(value, bool) else _TRUTHS[str(value).lower()]


_TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_READERS: dict[Any, Callable[[Any], Any]] = {str: _text, int: _whole, float: _number, bool: _truth}
_NAMES = {int: "a whole number", float: "a number", bool: "true or false", str: "text (in quotes)"}


def _wanted(hint: Thing, value: Thing) -> str:
    """What a key takes, in words."""
    origin: Any = get_origin(hint)
    if origin is Literal:
        allowed = [str(one) for one in get_args(hint)]
        guess = nearest(str(value), allowed)
        told = ", ".join(f"'{one}'" for one in allowed)
        return f"one of {told}.{guess}" if guess.startswith(" Did") else f"one of {told}"
    if origin is tuple:
        return f"a list, as in a,b (each {_NAMES[get_args(hint)[0]]})"
    if origin is dict:
        return "names with values, as in {column: kind}"
    return _NAMES[hint]


def _plain(value: Thing) -> Thing:
    """As YAML knows it: tuples are lists."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, tuple) else value
