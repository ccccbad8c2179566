"""The command line: words in, words out, no arithmetic. Only what a command needs is imported, when it runs."""

from ostinato.cli.app import app, main

__all__ = ["app", "main"]
