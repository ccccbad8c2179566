"""Room: cells."""
