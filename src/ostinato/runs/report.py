"""report: everything about a run in one HTML file that needs no network, no script and no other file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Literal, TypeGuard
from unicodedata import category

from ostinato.evaluation.words import LEVELS, amount, metric_name, rival_name
from ostinato.runs.report_style import STYLE
from ostinato.training.words import HIGHER, PERCENT

Tone = Literal["good", "open", "bad"]
TONES: dict[str, Tone] = {"beats": "good", "cannot be told apart from": "open", "does not beat": "bad"}
"""The outcome of a verdict to the colour of its banner."""
WORDS: dict[Tone, str] = {"good": "Baselines beaten", "open": "No clear winner", "bad": "Baselines not beaten"}


@dataclass(frozen=True)
class Picture:
    """An SVG text of :mod:`ostinato.plots` under a title; ``caption`` says what one sees."""

    title: str
    svg: str
    caption: str = ""


@dataclass(frozen=True)
class Sheet:
    """A small table under a title: rows of plain values, a number being set flush right."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    caption: str = ""


@dataclass(frozen=True)
class Sample:
    """A text a model wrote, or one sequence and its answer; ``title`` says how it came about."""

    title: str
    text: str


@dataclass(frozen=True)
class Results:
    """Metrics of the model and of every baseline on the test part.

    Args:
        model: metric to value, of the model called ``name``.
        baselines: metric to value, by baseline.
        watch: the metric that decides, given first.
        higher: metrics of which more is better; of the others less is.
        name: of the model.
        sd: metric to its spread over ``seeds`` trainings.
        seeds: how many trainings there were.
    """

    model: Mapping[str, float]
    baselines: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    watch: str = ""
    higher: frozenset[str] = HIGHER
    name: str = "model"
    sd: Mapping[str, float] = field(default_factory=dict)
    seeds: int = 1


@dataclass(frozen=True)
class Report:
    """What stands in a report; whatever is empty is left out.

    Args:
        title: of the page: the data's name and the task.
        verdict: one to three sentences.
        outcome: of the verdict, a key of :data:`TONES`; decides the banner's colour.
        understood: what was understood, as pairs of a word and a value: task, mapping, data, split.
        notes: what one should know of the data: what the reader decided, duplicates across the split.
        results: the table of metrics.
        pictures: learning curves, confusion or forecast, memory profile, in this order.
        samples: texts the model wrote.
        sheets: the best and the worst examples.
        model: the model in one line.
        recipe: the YAML that repeats the run.
        environment: pairs: versions, machine, seconds, command.
    """

    title: str
    verdict: str
    outcome: str = ""
    understood: Sequence[tuple[str, str]] = ()
    notes: Sequence[str] = ()
    results: Results | None = None
    pictures: Sequence[Picture] = ()
    samples: Sequence[Sample] = ()
    sheets: Sequence[Sheet] = ()
    model: str = ""
    recipe: str = ""
    environment: Sequence[tuple[str, str]] = ()


def report(facts: Report) -> str:
    """The whole page. All text is escaped; only the SVG of :class:`Picture` is taken as it is, so it must be our own.

    The page forbids itself every script and every request by a content security policy, follows the reader's light or
    dark mode, and prints.
    """
    body = [
        _banner(facts),
        _section("Results on the test part", _results(facts.results)),
        _section("What was understood", _pairs(facts.understood) + _notes(facts.notes)),
        *(_section(picture.title, _picture(picture)) for picture in facts.pictures),
        _section("What the model writes", "".join(map(_sample, facts.samples))),
        *(_section(sheet.title, _sheet(sheet)) for sheet in facts.sheets),
        _section("Model", f"<p class='model'>{_text(facts.model)}</p>" if facts.model else ""),
        _section("Recipe", _recipe(facts.recipe)),
        _section("Environment", _pairs(facts.environment)),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
        'img-src data:">\n<meta name="color-scheme" content="light dark">\n'
        f"<title>{_text(facts.title)}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"{''.join(body)}</main>\n<footer>Made by Ostinato. This page is one file and needs no network.</footer>\n"
        "</body>\n</html>\n"
    )


def _visible(text: str) -> str:
    """Without what HTML does not allow at all: controls and lone surrogates."""
    allowed = (c if c in "\n\t" or category(c) not in {"Cc", "Cs"} else "\N{REPLACEMENT CHARACTER}" for c in text)
    return "".join(allowed)


def _text(value: object) -> str:
    return escape(_visible(str(value)))


def _section(title: str, content: str) -> str:
    return f"<section>\n<h2>{_text(title)}</h2>\n{content}\n</section>\n" if content else ""


def _banner(facts: Report) -> str:
    tone = TONES.get(facts.outcome)
    badge = f"<span class='badge'>{WORDS[tone]}</span>" if tone else ""
    verdict = (
        f"<div class='verdict {tone or 'open'}'>{badge}<p>{_text(facts.verdict)}</p></div>\n" if facts.verdict else ""
    )
    return f"<header>\n<h1>{_text(facts.title)}</h1>\n{verdict}</header>\n"


def _pairs(pairs: Sequence[tuple[str, str]]) -> str:
    rows = "".join(f"<dt>{_text(word)}</dt><dd>{_text(value)}</dd>\n" for word, value in pairs)
    return f"<dl>\n{rows}</dl>\n" if rows else ""


def _notes(notes: Sequence[str]) -> str:
    items = "".join(f"<li>{_text(note)}</li>\n" for note in notes)
    return f"<ul class='notes'>\n{items}</ul>\n" if items else ""


def _picture(picture: Picture) -> str:
    caption = f"<figcaption>{_text(picture.caption)}</figcaption>" if picture.caption else ""
    return f"<figure>\n{picture.svg}{caption}</figure>"


def _sample(sample: Sample) -> str:
    caption = f"<figcaption>{_text(sample.title)}</figcaption>"
    return f"<figure class='sample'>{caption}<pre>{_text(sample.text)}</pre></figure>\n"


def _recipe(recipe: str) -> str:
    if not recipe:
        return ""
    summary = "<summary>The settings that repeat this run</summary>"
    return f"<details open>{summary}<pre class='recipe'>{_text(recipe)}</pre></details>"


def _sheet(sheet: Sheet) -> str:
    numeric = [all(value is None or _is_number(value) for value in column) for column in zip(*sheet.rows, strict=True)]
    classes = [" class='number'" if number else "" for number in numeric]
    head = "".join(f"<th{kind}>{_text(name)}</th>" for kind, name in zip(classes, sheet.columns, strict=False))
    rows = "".join(f"<tr>{''.join(map(_cell, row))}</tr>\n" for row in sheet.rows)
    caption = f"<p class='caption'>{_text(sheet.caption)}</p>" if sheet.caption else ""
    table = f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>"
    return f"<div class='wide'>{table}</div>{caption}" if rows else ""


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cell(value: object) -> str:
    if not _is_number(value):
        return f"<td>{_text('' if value is None else value)}</td>"
    text = f"{value:,}" if isinstance(value, int) else "–" if math.isnan(value) else f"{value:,.4g}"
    return f"<td class='number'>{text.replace('-', '−')}</td>"


def _results(results: Results | None) -> str:
    if results is None or not results.model:
        return ""
    keys = sorted(results.model, key=lambda key: key != results.watch)
    rows = [(results.name, results.model, True)]
    rows += [(rival_name(name), values, False) for name, values in results.baselines.items()]
    best = {key: _best([values.get(key, math.nan) for _, values, _ in rows], key in results.higher) for key in keys}
    head = "".join(f"<th class='number'>{_head(key, results)}</th>" for key in keys)
    lines = []
    for name, values, ours in rows:
        cells = "".join(_metric(key, values.get(key, math.nan), best[key], results if ours else None) for key in keys)
        lines.append(f"<tr{' class=ours' if ours else ''}><th scope='row'>{_text(name)}</th>{cells}</tr>\n")
    table = (
        f"<table class='results'>\n<thead><tr><th></th>{head}</tr></thead>\n<tbody>\n{''.join(lines)}</tbody>\n</table>"
    )
    spread = f" ± is the standard deviation over {results.seeds} seeds." if results.seeds > 1 else ""
    caption = f"Bold is best. The arrow says which way is better; the first column decides.{spread}"
    return f"<div class='wide'>{table}</div><p class='caption'>{caption}</p>"


def _head(key: str, results: Results) -> str:
    arrow = "" if key in LEVELS else " ↑" if key in results.higher else " ↓"
    return f"{_text(metric_name(key))}{arrow}"


def _best(values: Sequence[float], higher: bool) -> float:
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return math.nan
    return max(finite) if higher else min(finite)


def _metric(key: str, value: float, best: float, ours: Results | None) -> str:
    sd = ours.sd.get(key) if ours is not None and ours.seeds > 1 else None
    text = _text(amount(key, value, sd, bare=key not in PERCENT))
    # The best by what is shown: two that read the same are both best.
    wins = key not in LEVELS and math.isfinite(value) and amount(key, value) == amount(key, best)
    return f"<td class='number'>{f'<strong>{text}</strong>' if wins else text}</td>"
