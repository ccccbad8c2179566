"""Benchmarks: side by side with peers; each says its command, machine and date."""
