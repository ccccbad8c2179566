"""Pictures: plain arrays in, SVG text out, the same text for the same arrays. The only room that knows matplotlib."""

from ostinato.plots.anomalies import anomalies
from ostinato.plots.attention import attention
from ostinato.plots.bars import baselines
from ostinato.plots.confusion import confusion
from ostinato.plots.curves import learning_curves, losses
from ostinato.plots.fan import forecast_fan
from ostinato.plots.frames import frames
from ostinato.plots.gates import gates
from ostinato.plots.memory import memory
from ostinato.plots.piano_roll import piano_roll
from ostinato.plots.rows import rows_read
from ostinato.plots.speech import speech
from ostinato.plots.style import save
from ostinato.plots.tags import tags
from ostinato.plots.track import track
from ostinato.plots.walk import walk
from ostinato.plots.waves import waves

__all__ = [
    "anomalies",
    "attention",
    "baselines",
    "confusion",
    "forecast_fan",
    "frames",
    "gates",
    "learning_curves",
    "losses",
    "memory",
    "piano_roll",
    "rows_read",
    "save",
    "speech",
    "tags",
    "track",
    "walk",
    "waves",
]
