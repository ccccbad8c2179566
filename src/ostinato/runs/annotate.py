"""init: a recipe to edit, with every key, its value for these data, and what it means."""

from __future__ import annotations

import inspect
import re
from dataclasses import replace
from pathlib import Path

import yaml

from ostinato.data import read
from ostinato.data.settings import DataSettings
from ostinato.errors import UsageError
from ostinato.runs.reading import layout_for
from ostinato.runs.recipe import GROUPS, Files, Recipe, seen_from
from ostinato.tasks import TASKS, TaskSettings, infer
from ostinato.training import write_atomically

WIDTH = 118


def init(data: str | Path, out: str | Path = "recipe.yaml", *, target: str = "", task: str = "") -> Path:
    """Reads the data, names the task, and writes the recipe that ``train`` would use.

    Args:
        data: a file or folder of sequences.
        out: where the recipe is written; must not exist.
        target: column to predict.
        task: a key of ``TASKS``; empty: inferred.

    Raises:
        DataError: the data are wrong, or leave open what to predict.
        UsageError: ``out`` exists or cannot be written, or there is no such task.
    """
    path = Path(out)
    if path.exists():
        raise UsageError(f"{path} exists already: name another file with --out")
    asked = Recipe.of({"data.target": target, "task.name": task})
    table = read(data, asked.data, layout_for(asked.task))
    choice = infer(table, asked.data, asked.task)
    if choice.name not in TASKS:
        raise UsageError(f"there is no task '{choice.name}'; tasks are {', '.join(TASKS)}")
    recipe = Recipe.of(TASKS[choice.name].defaults, {"files.data": str(data)})
    recipe = replace(recipe, data=DataSettings(target=choice.target or target), task=_named(recipe.task, choice.name))
    shown = replace(recipe, files=Files(**seen_from(path, recipe.files)))
    told = [f"A recipe for {data}", f"task {choice.name}: {choice.reason}", *table.notes]
    try:
        write_atomically(path, annotated(shown, told, f"ostinato train {data} --config {path}").encode())
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror or error}); choose another --out") from error
    return path


def annotated(recipe: Recipe, head: list[str], use: str) -> str:
    """The recipe as YAML, each key under what it means; the words are those of the settings' own docstrings."""
    lines = [f"# {line}" for line in [*head, "", f"Use it: {use}"]]
    for group, kind in GROUPS.items():
        meanings = meaning_of(kind)
        lines += ["", f"{group}:"]
        for key, value in recipe.settings(group).items():
            lines += _wrapped(meanings.get(key, ""))
            lines.append(f"  {key}: {_yaml(value)}")
    return "\n".join(lines) + "\n"


def meaning_of(kind: type) -> dict[str, str]:
    """What each setting means, from the ``Args`` of its class's docstring."""
    text = (inspect.getdoc(kind) or "").partition("Args:\n")[2]
    found: dict[str, str] = {}
    key = ""
    for line in text.splitlines():
        match = re.match(r"    (\w+): (.*)", line)
        if match:
            key, found[match[1]] = match[1], match[2]
        elif key and line.strip():
            found[key] += f" {line.strip()}"
    return {name: meaning.replace("``", "") for name, meaning in found.items()}


def _named(settings: TaskSettings, name: str) -> TaskSettings:
    return replace(settings, name=name)


def _wrapped(text: str) -> list[str]:
    import textwrap

    return [f"  # {line}" for line in textwrap.wrap(text, WIDTH - 4)]


def _yaml(value: object) -> str:
    plain = list(value) if isinstance(value, tuple) else value
    text = yaml.safe_dump(plain, default_flow_style=True, allow_unicode=True, width=10_000)
    return text.strip().removesuffix("...").strip()
