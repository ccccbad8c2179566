"""From a recipe and data to a run folder, and from a run folder to answers: what cli and estimators call."""

from ostinato.runs.annotate import init
from ostinato.runs.folder import RunFolder
from ostinato.runs.loaded import LoadedModel, load
from ostinato.runs.pipeline import Run, resume, train
from ostinato.runs.recipe import Recipe
from ostinato.runs.reporter import Reporter, Understood

__all__ = ["LoadedModel", "Recipe", "Reporter", "Run", "RunFolder", "Understood", "init", "load", "resume", "train"]
