"""Decoding: from a trained model to texts, by sampling or by beam search, to tunes, and along with signals."""

from ostinato.decoding.beam import Beam, Hypothesis
from ostinato.decoding.generate import generate, likeliest, samples, stream, unknown_symbols
from ostinato.decoding.live import Live
from ostinato.decoding.sampling import Sampling
from ostinato.decoding.step import Stepper
from ostinato.decoding.tunes import continuation

__all__ = [
    "Beam",
    "Hypothesis",
    "Live",
    "Sampling",
    "Stepper",
    "continuation",
    "generate",
    "likeliest",
    "samples",
    "stream",
    "unknown_symbols",
]
