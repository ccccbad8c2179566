"""The ``task`` group of a recipe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class TaskSettings:
    """What is wanted.

    Args:
        name: ``classify``, ``regress``, ``tag``, ``language``, ``forecast``, ``translate``, ``transcribe``, ``music``,
            ``signal`` or ``detect``; empty: inferred from the data.
        class_weights: ``balanced`` weighs each class by the inverse of its frequency.
        logit_adjustment: how far the loss makes up for rare labels: it is at ``logits + a ln(share of label)``, so
            that the logits favour rare ones; 0: not at all, 1: as if all labels were equally frequent.
        label_smoothing: share of the target's probability spread over all labels.
        horizon: steps to forecast.
        look_back: steps the forecaster sees; 0: chosen from horizon, season and series length. Of a detector, steps of
            a training window; 0: 64.
        season: steps of one season, or of several, as in ``24,168``, the most important first (by which errors are
            scaled); empty or 0: one is inferred from the training part.
        segment: steps the forecaster reads at once; 0: chosen.
        decode: ``direct`` (all steps of the horizon at once) or ``rollout`` (each output fed back in).
        quantiles: of the forecast; must hold 0.5.
        head: what is learned of the future: ``quantiles`` (nothing assumed), ``student_t`` (heavy tails) or
            ``negative_binomial`` (counts: whole numbers from 0).
        conformal: whether the bands are moved until they hold as much of the validation part as they say.
        gap: steps before the validation and the test part of a forecast that are left out of the part before.
        known: columns of the series that are known ahead (holidays, prices).
        transform: of prices: ``returns`` (logarithms, so that errors and moves are returns; tells what trading would
            have earned) or ``volatility`` (how far they move within a step).
        costs: of buying or selling, in basis points of the sum (hundredths of a per cent); read with ``returns``.
        calendar: whether hour, weekday and month of the time column are used as known ahead.
        beam: beginnings of a translation or transcript that are kept at each step; 1: always the likeliest symbol.
        length_weight: how far the length of a translation is weighed out of its probability, 0 to 1.
        coverage: how much it matters that every step of the source was looked at.
        alarms: the share of ordinary steps that a detector may give an alarm on.
        quiet: steps after an alarm in which only a stranger step is another one.
        language: run folder of a language model of characters, which helps to transcribe; empty: none.
        language_weight: how much its logarithm of a text's probability counts beside that of the sound.
        word_bonus: added for every word of a transcript, since a language model favours few.
        loss: of a signal: ``mse``, ``mae`` or ``esr`` (error-to-signal ratio); ``auto``: ``esr`` for sound, else
            ``mse``.
        emphasis: of the loss ``esr``: how far high frequencies are raised before it is taken; 0: not at all.
        warm_up: first steps of each signal that are neither learned from nor scored: there the memory fills.
        features: feature groups a tagger sees beside the token: ``characters``, ``lower``.
        crf: whether a tagger weighs the labels of a sequence together (a conditional random field over neighbours)
            and answers with the likeliest sequence of labels, not with the likeliest label of each step.
    """

    name: str = ""
    class_weights: Literal["none", "balanced"] = "none"
    logit_adjustment: float = 0.0
    label_smoothing: float = 0.0
    horizon: int = 1
    look_back: int = 0
    season: tuple[int, ...] = ()
    segment: int = 0
    decode: Literal["direct", "rollout"] = "direct"
    quantiles: tuple[float, ...] = (0.1, 0.5, 0.9)
    head: Literal["quantiles", "student_t", "negative_binomial"] = "quantiles"
    conformal: bool = False
    gap: int = 0
    known: tuple[str, ...] = ()
    transform: Literal["none", "returns", "volatility"] = "none"
    costs: float = 10.0
    calendar: bool = True
    beam: int = 5
    length_weight: float = 1.0
    coverage: float = 0.0
    alarms: float = 0.001
    quiet: int = 100
    language: str = ""
    language_weight: float = 0.5
    word_bonus: float = 0.0
    loss: Literal["auto", "mse", "mae", "esr"] = "auto"
    emphasis: float = 0.85
    warm_up: int = 0
    features: tuple[str, ...] = ("characters",)
    crf: bool = False
