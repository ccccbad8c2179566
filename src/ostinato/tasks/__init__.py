"""What is wanted: targets, loss, metrics, answers, and the baselines to beat."""

from ostinato.tasks.base import Outputs, Task
from ostinato.tasks.classify import Classify
from ostinato.tasks.settings import TaskSettings

TASKS: dict[str, type[Task]] = {
    "classify": Classify,
}
"""Name of a task to its class."""

__all__ = ["TASKS", "Classify", "Outputs", "Task", "TaskSettings"]
