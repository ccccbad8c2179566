"""How a cell is computed over time: engines behind one contract, and the chooser between them."""

from ostinato.engines.chooser import ENGINES, Choice, choose, force, run
from ostinato.engines.request import Engine, Request, Result, Trace

__all__ = ["ENGINES", "Choice", "Engine", "Request", "Result", "Trace", "choose", "force", "run"]
