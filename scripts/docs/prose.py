"""prose: docstrings, which are written for Python's own help, as Markdown."""

from __future__ import annotations

import re


def plain(text: str) -> str:
    """````x```` becomes ```x```, a role (``:class:`~a.b.C```) the last name in it."""
    text = re.sub(r":\w+:`~?([^`<]*?)(?: <[^`>]*>)?`", lambda match: f"`{match[1].rsplit('.', 1)[-1]}`", text)
    return re.sub(r"``(.+?)``", r"`\1`", text)


def rendered(docstring: str) -> str:
    """A whole docstring: paragraphs, ``Args:`` and the like as lists, examples as blocks."""
    parts = re.split(r"\n{2,}", docstring.strip())
    return "\n\n".join(_part(part) for part in parts)


def _part(text: str) -> str:
    if text.startswith(">>>"):
        return f"```pycon\n{text}\n```"
    if text.startswith("    "):
        return text
    head, _, rest = text.partition("\n")
    if re.fullmatch(r"(Args|Raises|Returns):", head):
        return f"*{head[:-1]}*\n\n{_items(rest)}"
    return plain(text.replace("::", ":") if text.endswith("::") else text)


def _items(text: str) -> str:
    """``    name: meaning`` lines and their continuations as a list; text without names as a paragraph."""
    items: list[str] = []
    for line in text.splitlines():
        match = re.match(r"    ([\w*.]+(?:, [\w*.]+)*): (.*)", line)
        if match:
            items.append(f"- `{match[1]}`: {match[2]}")
        elif items:
            items[-1] += f" {line.strip()}"
        else:
            items.append(line.strip())
    return "\n".join(plain(item) for item in items)
