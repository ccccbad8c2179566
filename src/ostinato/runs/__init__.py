"""Room: runs."""
