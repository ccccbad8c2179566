"""``make bench``: what the loop costs beside a hand-written one, then every result of docs/results.md."""

from benchmarks import loop, results

loop.main()
results.main()
