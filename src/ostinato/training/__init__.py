"""Training: the loop, its checkpoints, and prediction over many batches."""

from ostinato.training.atomic import write_atomically
from ostinato.training.callbacks import Callback, Log, Progress
from ostinato.training.history import History
from ostinato.training.predict import calibrated, evaluate_loss, predict
from ostinato.training.settings import OptimizerSettings, TrainingSettings
from ostinato.training.trainer import Trainer

__all__ = [
    "Callback",
    "History",
    "Log",
    "OptimizerSettings",
    "Progress",
    "Trainer",
    "TrainingSettings",
    "calibrated",
    "evaluate_loss",
    "predict",
    "write_atomically",
]
