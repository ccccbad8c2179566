"""The house's own rules: sizes, tree, public names, start-up time, and words that must not stand in the repository."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "src").rglob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT / "src")))
def test_size_budget(path: Path) -> None:
    """Files up to 400 lines, functions up to 60, at most 7 parameters besides self (keyword-only ones up to 10)."""
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 400, f"{path} has {text.count(chr(10))} lines: split it by meaning"
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        length = (node.end_lineno or node.lineno) - node.lineno + 1
        docstring = ast.get_docstring(node, clean=False)
        code = length - (docstring.count("\n") + 1 if docstring else 0)
        assert code <= 60, f"{path}:{node.lineno} {node.name} has {code} lines of code"
        positional = [a.arg for a in (*node.args.posonlyargs, *node.args.args) if a.arg not in {"self", "cls"}]
        if node.name != "__init__" and not is_command(node):
            assert len(positional) <= 7, (
                f"{path}:{node.lineno} {node.name} takes {len(positional)} positional parameters"
            )


def is_command(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """A command of the command line: its parameters are the options of design."""
    return any("command" in ast.unparse(decorator) for decorator in node.decorator_list)


def test_readme_tree_exists() -> None:
    """Every path of the README's annotated tree exists, and every room stands in it."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    tree = re.search(r"<!-- tree -->\n```\n(.*?)```", readme, re.DOTALL)
    assert tree, "README.md holds no annotated tree"
    stack: list[str] = []
    named = set()
    for line in tree.group(1).splitlines():
        match = re.match(r"( *)(\S+)", line)
        if not match:
            continue
        depth = len(match.group(1)) // 2
        stack = [*stack[:depth], match.group(2).rstrip("/")]
        path = "/".join(stack)
        named.add(path)
        assert (ROOT / path).exists(), f"README.md names {path}, which does not exist"
    rooms = {f"src/ostinato/{p.name}" for p in (ROOT / "src/ostinato").iterdir() if (p / "__init__.py").exists()}
    assert rooms <= named, f"README.md's tree lacks {sorted(rooms - named)}"


def test_import_is_light() -> None:
    """``import ostinato`` loads neither torch nor any other heavy library: it costs far less than 50 ms."""
    code = "import sys, ostinato; print(','.join(sorted(m for m in sys.modules if '.' not in m)))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split(",")
    assert not {"torch", "numpy", "polars", "sklearn", "matplotlib", "typer", "rich"} & set(loaded)


def test_help_is_light() -> None:
    """``ostinato --help`` imports no heavy library, so it answers at once."""
    code = (
        "import sys; sys.argv = ['ostinato', '--help']\n"
        "from ostinato.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print('\\nLOADED', *sorted(m for m in sys.modules if '.' not in m))"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    loaded = set(output.split("LOADED")[1].split())
    assert not {"torch", "numpy", "polars", "sklearn", "matplotlib"} & loaded


def test_no_pickle_is_loaded() -> None:
    """Nothing in the package can load a pickle."""
    loaders = (r"\bpickle\.(load|Unp)", r"import joblib", r"allow_pickle\s*=\s*True", r"yaml\.load\(")
    banned = re.compile("|".join((*loaders, r"(?<!safetensors\.)torch\.load\(")))
    for path in SOURCES:
        assert not banned.search(path.read_text(encoding="utf-8")), path
