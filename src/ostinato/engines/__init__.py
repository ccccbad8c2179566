"""How a cell is computed over time: engines behind one contract, and the chooser between them."""

from ostinato.engines.chooser import ENGINES, Choice, choose, dense_kernel, force, run
from ostinato.engines.explain import explain
from ostinato.engines.native import native_state
from ostinato.engines.noise import Masks, Noise
from ostinato.engines.request import Engine, Kernel, Request, Result, Stack, StackResult, Trace
from ostinato.engines.stack import run_layer, run_stack

__all__ = [
    "ENGINES",
    "Choice",
    "Engine",
    "Kernel",
    "Masks",
    "Noise",
    "Request",
    "Result",
    "Stack",
    "StackResult",
    "Trace",
    "choose",
    "dense_kernel",
    "explain",
    "force",
    "native_state",
    "run",
    "run_layer",
    "run_stack",
]
