"""The layers beside every peer: one command, one page. ``python -m benchmarks.layers --help`` says how."""
