"""Models: front end, recurrent stack and head; the network without memory; what a model did on one sequence."""

from ostinato.models.build import MODELS, build
from ostinato.models.describe import count_parameters, describe
from ostinato.models.feed_forward import FeedForward
from ostinato.models.inspect import Inspection, LayerSteps, inspect
from ostinato.models.next_frame import NextFrame
from ostinato.models.sequence import SequenceModel
from ostinato.models.settings import ModelSettings
from ostinato.models.stack import State

__all__ = [
    "MODELS",
    "FeedForward",
    "Inspection",
    "LayerSteps",
    "ModelSettings",
    "NextFrame",
    "SequenceModel",
    "State",
    "build",
    "count_parameters",
    "describe",
    "inspect",
]
