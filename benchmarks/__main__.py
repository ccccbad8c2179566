"""``make bench``: the layers beside every peer, the loop beside a hand-written one, then docs/results.md."""

import subprocess
import sys

for name in ("layers", "loop", "results"):
    subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=True)
