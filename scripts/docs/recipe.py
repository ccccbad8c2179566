"""recipe: every key of a recipe as tables, from the docstrings and the types of the settings themselves."""

from __future__ import annotations

import inspect
import re
from dataclasses import MISSING, Field, fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

from prose import plain

from ostinato.runs.recipe import CARRIED, GROUPS
from ostinato.tasks import TASKS

BEGIN, END = "<!-- keys: written by make docs -->", "<!-- end of keys -->"


def page(before: str) -> str:
    """docs/recipe.md with its tables anew."""
    head, mark, rest = before.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (mark and end):
        raise SystemExit(f"docs/recipe.md must hold the lines {BEGIN} and {END}: the keys are written between them")
    return f"{head}{BEGIN}\n\n{tables()}\n{END}{tail}"


def tables() -> str:
    """A section a group, and the defaults that tasks set."""
    sections = [_group(name, kind) for name, kind in GROUPS.items()]
    rows = [f"| {task} | {_defaults(kind.defaults)} |" for task, kind in TASKS.items()]
    head = "## What tasks set\n\nA task puts its own defaults over those above; whatever you set wins over both.\n"
    return "\n".join([*sections, head, "| task | sets |", "| --- | --- |", *rows]) + "\n"


def _group(name: str, kind: type) -> str:
    text = inspect.getdoc(kind) or ""
    lines = [f"## {name}", "", plain(text.splitlines()[0]), "", "| key | default | meaning |", "| --- | --- | --- |"]
    meanings, types = meaning_of(text), get_type_hints(kind)
    for one in fields(kind):
        if one.name in CARRIED:
            continue
        key, default = f"`{name}.{one.name}`", _shown(_default(one))
        lines.append(f"| {key} | {default} | {meanings[one.name]}{_choices(types[one.name], meanings[one.name])} |")
    return "\n".join([*lines, ""])


def meaning_of(docstring: str) -> dict[str, str]:
    """The ``Args`` of a docstring, a line a name."""
    found: dict[str, str] = {}
    key = ""
    for line in docstring.partition("Args:\n")[2].splitlines():
        match = re.match(r"    (\w+): (.*)", line)
        if match:
            key, found[match[1]] = match[1], match[2]
        elif key and line.startswith("     "):
            found[key] += f" {line.strip()}"
        else:
            key = ""
    return {name: plain(meaning).replace("|", r"\|") for name, meaning in found.items()}


def _choices(kind: Any, meaning: str) -> str:
    """The words a key takes, where its meaning does not name them all."""
    words = [str(word) for word in get_args(kind)] if get_origin(kind) is Literal else []
    return "" if all(f"`{word}`" in meaning for word in words) else f" One of {', '.join(f'`{w}`' for w in words)}."


def _default(one: Field[Any]) -> Any:
    return one.default_factory() if one.default_factory is not MISSING else one.default


def _shown(value: Any) -> str:
    if value in ("", (), {}):
        return "–"
    text = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return f"`{text.lower() if isinstance(value, bool) else text}`"


def _defaults(values: dict[str, Any]) -> str:
    return ", ".join(f"`{key}={_shown(value).strip('`')}`" for key, value in values.items()) or "–"
