"""What is wanted: targets, loss, metrics, answers, and the baselines to beat."""

from ostinato.tasks.base import Outputs, Task
from ostinato.tasks.classify import Classify
from ostinato.tasks.detect import Detect
from ostinato.tasks.forecast import Forecast
from ostinato.tasks.infer import Choice, infer
from ostinato.tasks.language import Language
from ostinato.tasks.music import Music
from ostinato.tasks.regress import Regress
from ostinato.tasks.settings import TaskSettings
from ostinato.tasks.signal import Signal
from ostinato.tasks.tag import Tag
from ostinato.tasks.transcribe import Transcribe
from ostinato.tasks.translate import Translate

TASKS: dict[str, type[Task]] = {
    "classify": Classify,
    "regress": Regress,
    "tag": Tag,
    "language": Language,
    "forecast": Forecast,
    "detect": Detect,
    "translate": Translate,
    "transcribe": Transcribe,
    "music": Music,
    "signal": Signal,
}
"""Name of a task to its class."""

__all__ = [
    "TASKS",
    "Choice",
    "Classify",
    "Detect",
    "Forecast",
    "Language",
    "Music",
    "Outputs",
    "Regress",
    "Signal",
    "Tag",
    "Task",
    "TaskSettings",
    "Transcribe",
    "Translate",
    "infer",
]
