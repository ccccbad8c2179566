"""A model in one line, with its true number of parameters; and which model a spec gives."""

from __future__ import annotations

import pytest
from torch import nn

from ostinato.data.spec import Spec
from ostinato.models import MODELS, FeedForward, ModelSettings, SequenceModel, build, count_parameters, describe
from ostinato.models.forecast import ForecastModel
from ostinato.tasks.settings import TaskSettings

FORECAST = Spec("values", 1, "horizon", 3, horizon=6, look_back=24, segment=4, causal=True)


@pytest.mark.parametrize(
    ("spec", "settings", "text"),
    [
        (
            # 9*9 | 4 gates of 5: (9 + 5 + 2) * 20 | 6 * 4
            Spec("ids", 9, "sequence", 4),
            ModelSettings(hidden=5),
            "embedding 9 -> LSTM 5 -> last step -> 4 outputs, 425 parameters",
        ),
        (
            # 3 gates of 5, twice: (3 + 1 + 5 + 2) * 15 * 2, then (10 + 5 + 2) * 15 * 2 | 11
            Spec("values", 3, "step", 1, static_size=1),
            ModelSettings(cell="gru", hidden=5, layers=2, bidirectional=True),
            "values 3 + static 1 -> GRU 5 x 2, both directions -> 1 output, 851 parameters",
        ),
        (
            # 3*4 + 4 | (4 + 5 + 2) * 5 | 6 * 2
            Spec("values", 3, "sequence", 2),
            ModelSettings(cell="rnn", hidden=5, embedding=4, pool="mean"),
            "linear 4 -> RNN 5 -> mean -> 2 outputs, 83 parameters",
        ),
        (
            # 9*4, once for both ends | (4 + 5 + 2) * 20 | 5*4 | 9
            Spec("ids", 9, "step", 9, causal=True),
            ModelSettings(hidden=5, embedding=4, tied=True),
            "embedding 4 -> LSTM 5 -> 9 outputs, tied, 285 parameters",
        ),
    ],
)
def test_says_what_it_is(spec: Spec, settings: ModelSettings, text: str) -> None:
    assert describe(build(spec, settings, TaskSettings())) == text


def test_characters_are_named() -> None:
    model = build(Spec("ids", 9, "step", 4, parts_size=6), ModelSettings(hidden=5), TaskSettings())
    assert describe(model).startswith("embedding 9 + characters 128 -> LSTM 5 -> 4 outputs, ")


def test_the_network_without_memory() -> None:
    # 3 steps of 2 values and a flag: (9 + 1) * 7 | 8 * 7 | 8 * 4
    tag = FeedForward(Spec("values", 2, "step", 4), 3, hidden=7)
    assert describe(tag) == "values 2 -> 3 steps around -> 7 units -> 7 units -> 4 outputs, 158 parameters"
    last = FeedForward(Spec("values", 2, "sequence", 4), 3, hidden=7)
    assert describe(last) == "values 2 -> last 3 steps -> 7 units -> 7 units -> 4 outputs, 158 parameters"


def test_forecasts_and_strangers() -> None:
    model = build(FORECAST, ModelSettings(cell="gru", hidden=5), TaskSettings())
    assert describe(model) == (
        f"segments of 4 steps -> GRU 5 -> 6 steps x 3 outputs, {count_parameters(model):,} parameters"
    )
    assert describe(nn.Linear(3, 1)) == "Linear, 4 parameters"


def test_frozen_and_shared_weights() -> None:
    layer = nn.Linear(3, 4)
    assert count_parameters(nn.ModuleList([layer, layer])) == 16
    layer.bias.requires_grad_(False)
    assert count_parameters(layer) == 12


def test_a_spec_gives_its_model() -> None:
    assert set(MODELS) == {"sequence", "step", "horizon", "text"}
    assert isinstance(build(Spec("values", 1, "step", 1), ModelSettings(), TaskSettings()), SequenceModel)
    assert isinstance(build(FORECAST, ModelSettings(cell="gru"), TaskSettings()), ForecastModel)
