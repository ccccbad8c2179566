"""Pictures: plain arrays in, SVG text out, the same text for the same arrays. The only room that knows matplotlib."""

from ostinato.plots.anomalies import anomalies
from ostinato.plots.attention import attention
from ostinato.plots.bars import baselines
from ostinato.plots.confusion import confusion
from ostinato.plots.curves import learning_curves, losses
from ostinato.plots.fan import forecast_fan
from ostinato.plots.gates import gates
from ostinato.plots.memory import memory
from ostinato.plots.piano_roll import piano_roll
from ostinato.plots.waves import waves

__all__ = [
    "anomalies",
    "attention",
    "baselines",
    "confusion",
    "forecast_fan",
    "gates",
    "learning_curves",
    "losses",
    "memory",
    "piano_roll",
    "waves",
]
