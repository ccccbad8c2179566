"""What the pages say is true: their Python runs, their commands exist and run, their links lead somewhere."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import pytest
import typer

import docs_world
from ostinato.cli import app, main
from ostinato.runs.demo_data import write_adding
from ostinato.runs.recipe import parse_settings

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w+)?[ ]?([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHORT = ["--epochs", "1", "--hidden", "8", "--set", "model.layers=1"]
"""Put behind every ``train`` that is run, so that it ends soon."""
FAST = {"docs/getting-started.md", "docs/recipe.md"}
"""Pages whose commands run in every test; the others' are slow."""


class Block(NamedTuple):
    """A fenced block: its language, what stands after it, its text, and the line it begins in."""

    language: str
    note: str
    text: str
    line: int


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path, language: str) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = [Block(m[1] or "", m[2], m[3], text[: m.start()].count("\n") + 2) for m in FENCE.finditer(text)]
    return [block for block in found if block.language == language]


def commands(page: Path) -> list[list[str]]:
    """The arguments of every ``$ ostinato …`` of a page."""
    lines = [line for block in blocks(page, "console") for line in block.text.splitlines()]
    return [shlex.split(line)[2:] for line in lines if line.startswith("$ ostinato")]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    docs_world.make(folder)
    return folder


@pytest.fixture
def place(world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own, with the files that the pages name."""
    for path in world.iterdir():
        (tmp_path / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


WITH_PYTHON = [page for page in PAGES if blocks(page, "python")]


@pytest.mark.parametrize("page", WITH_PYTHON, ids=name)
def test_python_runs(page: Path, place: Path) -> None:
    """Blocks of a page run in order, in one namespace; one that does not run says ``not run: why``."""
    space: dict[str, object] = {"__name__": "page"}
    for block in blocks(page, "python"):
        if block.note:
            assert re.fullmatch(r"not run: \w.{5,}", block.note), f"{name(page)}:{block.line}: {block.note}"
            continue
        exec(compile("\n" * (block.line - 1) + block.text, name(page), "exec"), space)


def test_most_pages_have_python() -> None:
    assert len(WITH_PYTHON) >= 8


WITH_COMMANDS = [page for page in PAGES if commands(page)]


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=name)
def test_commands_exist(page: Path) -> None:
    """Every command, option, and recipe key that a page names exists."""
    known = typer.main.get_command(app).commands
    for arguments in commands(page):
        if not arguments or arguments[0].startswith("--"):
            continue
        assert arguments[0] in known, f"{name(page)}: there is no command {arguments[0]}"
        context = known[arguments[0]].make_context(arguments[0], arguments[1:])
        parse_settings(context.params.get("settings") or [])


@pytest.mark.parametrize(
    "page",
    [pytest.param(p, id=name(p), marks=[] if name(p) in FAST else [pytest.mark.slow]) for p in WITH_COMMANDS],
)
def test_commands_run(page: Path, place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The commands of a page run one after the other, on small made files."""
    for arguments in commands(page):
        if arguments[0] == "train" and "series.jsonl" in arguments:
            write_adding(place / "series.jsonl", rows=60, steps=10, seed=0)
        if arguments[0] == "init":
            Path("recipe.yaml").unlink(missing_ok=True)
        with pytest.raises(SystemExit) as end:
            main([*arguments, *SHORT] if arguments[0] == "train" else arguments)
        told = capfd.readouterr()
        assert end.value.code == 0, f"{name(page)}: ostinato {shlex.join(arguments)}\n{told.err}"


def test_make_verbs_exist() -> None:
    verbs = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        named = re.findall(r"(?:^\$ |`)make ([\w-]+)", text, re.MULTILINE)
        assert set(named) <= verbs, f"{name(page)}: {set(named) - verbs}"


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as they are made of them."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    found = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"`[^`\n]*`", "", FENCE.sub("", page.read_text(encoding="utf-8")))
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{name(page)}: {link} leads nowhere"
        assert not anchor or anchor in anchors(target), f"{name(page)}: {link} has no such heading"


PICTURED = [*sorted((ROOT / "docs/how-to").glob("*.md")), ROOT / "docs/translation.md"]


@pytest.mark.parametrize("page", PICTURED, ids=name)
def test_every_kind_has_its_picture(page: Path) -> None:
    """Checked in, small, of no date, and the page names the example that draws it."""
    text = page.read_text(encoding="utf-8")
    found = re.findall(r"^!\[[^\]]{10,}\]\(([\w-]+\.svg)\)$", text, re.MULTILINE)
    assert found, f"{name(page)} has no picture"
    for file in found:
        path = page.parent / file
        drawn = re.search(rf"`python (examples/\w+\.py) {re.escape(name(path))}`", text)
        assert drawn, f"{name(page)} does not say what draws {file}"
        assert "plots.save(" in (ROOT / drawn[1]).read_text(encoding="utf-8")
        svg = path.read_text(encoding="utf-8")
        assert ElementTree.fromstring(svg).get("role") == "img"
        assert len(svg) < 60_000, f"{name(path)} has {len(svg):,} bytes"
        assert "<metadata" not in svg


def test_no_picture_is_left_over() -> None:
    shown = {file for page in PAGES for file in re.findall(r"\]\(([\w-]+\.svg)\)", page.read_text(encoding="utf-8"))}
    assert {path.name for path in (ROOT / "docs").rglob("*.svg")} == shown


def test_every_page_can_be_reached() -> None:
    """From the README, by links."""
    seen, ahead = set(), [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        if page in seen or not page.exists():
            continue
        seen.add(page)
        links = re.findall(r"\]\(([^)\s#]+\.md)[^)]*\)", page.read_text(encoding="utf-8"))
        ahead += [(page.parent / link).resolve() for link in links if not link.startswith("https://")]
    unread = {page for page in PAGES if "decisions" not in page.parts} - seen
    assert not unread


def test_written_pages_are_current() -> None:
    """docs/api.md and the keys in docs/recipe.md are what ``make docs`` would write."""
    check = [sys.executable, str(ROOT / "scripts/docs"), "--check"]
    result = subprocess.run(check, capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"{result.stdout}{result.stderr}run `make docs`"


def test_every_task_and_baseline_is_described() -> None:
    from ostinato.evaluation.baselines import BASELINES
    from ostinato.tasks import TASKS

    tasks = anchors(ROOT / "docs/tasks.md")
    assert set(TASKS) <= tasks
    listed = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs/reports.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted(BASELINES)
