"""fit / predict / score, for people who come from scikit-learn."""

from ostinato.estimators.classifier import Classifier
from ostinato.estimators.detector import Detector
from ostinato.estimators.forecaster import Forecaster
from ostinato.estimators.language import LanguageModel
from ostinato.estimators.regressor import Regressor
from ostinato.estimators.tagger import Tagger
from ostinato.estimators.transcriber import Transcriber
from ostinato.estimators.translator import Translator

__all__ = [
    "Classifier",
    "Detector",
    "Forecaster",
    "LanguageModel",
    "Regressor",
    "Tagger",
    "Transcriber",
    "Translator",
]
