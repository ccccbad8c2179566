"""The report's style sheet."""

from __future__ import annotations

STYLE = """\
:root {
  --paper: #f5f6f8; --card: #ffffff; --ink: #1e2227; --soft: #5d6670; --line: #e1e4e9; --accent: #0072b2;
  --good: #0b7a52; --good-paper: #e4f4ed; --open: #8a5a00; --open-paper: #fbf1dc; --bad: #a8380b; --bad-paper: #fbe8e0;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14161a; --card: #1d2025; --ink: #e4e7eb; --soft: #9aa4af; --line: #32373f; --accent: #56b4e9;
    --good: #5fd3a5; --good-paper: #14301f; --open: #efc063; --open-paper: #33270f;
    --bad: #ff9a73; --bad-paper: #3a1d12;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif;
}
main { max-width: 58rem; margin: 0 auto; padding: 2rem 1rem 0; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 1rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 0 0 .9rem; }
section {
  background: var(--card); border: 1px solid var(--line); border-radius: .7rem; padding: 1.2rem 1.4rem; margin: 1rem 0;
}
.verdict { border-radius: .7rem; border-left: .35rem solid; padding: 1rem 1.4rem; }
.verdict p { margin: 0; font-size: 1.12rem; color: var(--ink); overflow-wrap: anywhere; }
.verdict.good { background: var(--good-paper); border-color: var(--good); color: var(--good); }
.verdict.open { background: var(--open-paper); border-color: var(--open); color: var(--open); }
.verdict.bad { background: var(--bad-paper); border-color: var(--bad); color: var(--bad); }
.badge { display: block; font-size: .8rem; font-weight: 650; letter-spacing: .04em; margin-bottom: .3rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .35rem 1.4rem; margin: 0; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
.notes { margin: 1rem 0 0; padding: .7rem 1rem .7rem 2rem; border-radius: .5rem; background: var(--paper); }
.notes li { overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .94rem; }
th, td { padding: .45rem .7rem; text-align: left; border-bottom: 1px solid var(--line); vertical-align: top; }
thead th { color: var(--soft); font-weight: 500; white-space: nowrap; vertical-align: bottom; }
tbody th { font-weight: 500; white-space: nowrap; }
tbody tr:last-child > * { border-bottom: 0; }
td { overflow-wrap: anywhere; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.ours > th { color: var(--accent); font-weight: 650; }
.ours > * { background: color-mix(in srgb, var(--accent) 7%, transparent); }
figure { margin: 0; }
figure + figure { margin-top: 1rem; }
figure svg { display: block; width: 100%; max-width: 46rem; height: auto; margin: 0 auto; }
figcaption, .caption { color: var(--soft); font-size: .9rem; margin: .7rem 0 0; }
.sample figcaption { margin: 0 0 .35rem; }
pre {
  margin: 0; padding: .9rem 1rem; border-radius: .5rem; background: var(--paper); white-space: pre-wrap;
  overflow-wrap: anywhere; font: .88rem/1.5 ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace;
}
summary { cursor: pointer; color: var(--soft); margin-bottom: .6rem; }
.model { margin: 0; overflow-wrap: anywhere; }
footer { max-width: 58rem; margin: 0 auto; padding: .6rem 1rem 2rem; color: var(--soft); font-size: .85rem; }
@media (max-width: 36rem) {
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: .6rem; }
  section { padding: 1rem; }
}
@media print {
  :root { --paper: #ffffff; --card: #ffffff; --ink: #000000; --soft: #444444; --line: #cccccc; }
  body { font-size: 11pt; }
  main { max-width: none; padding: 0; }
  section { border: 0; padding: 0; break-inside: avoid; }
  .verdict { border: 1px solid; }
}
"""
