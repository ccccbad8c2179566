"""A model in one line."""

from __future__ import annotations

from dataclasses import replace

from torch import nn

from ostinato.models.feed_forward import FeedForward
from ostinato.models.feed_forward_writer import FeedForwardWriter
from ostinato.models.forecast import ForecastModel
from ostinato.models.front import Front
from ostinato.models.picture import Pictures
from ostinato.models.sequence import SequenceModel
from ostinato.models.settings import ModelSettings
from ostinato.models.writer import Writer

CELLS = {
    "rnn": "RNN",
    "rnn_relu": "RNN (relu)",
    "lstm": "LSTM",
    "gru": "GRU",
    "gru_before": "GRU (reset before)",
    "peephole": "peephole LSTM",
    "coupled": "coupled LSTM",
    "lstm_norm": "layer-normalised LSTM",
    "gru_norm": "layer-normalised GRU",
    "indrnn": "IndRNN",
    "indrnn_tanh": "IndRNN (tanh)",
    "slstm": "sLSTM",
    "mlstm": "mLSTM",
}


def count_parameters(model: nn.Module) -> int:
    """Numbers that training moves; a shared tensor counts once."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def describe(model: nn.Module) -> str:
    """``embedding 24 -> LSTM 128 x 2, both directions -> 18 answers, 212,114 parameters``."""
    parts: list[str]
    if isinstance(model, SequenceModel):
        pool = f"{model.settings.pool} step" if model.settings.pool == "last" else model.settings.pool
        middle = [stack_text(model.settings)] + ([pool] if model.spec.outputs == "sequence" else [])
        tied = ", tied" if model.settings.tied else ""
        size = model.settings.segment
        read = [f"segments of {size} steps"] if size > 1 else []
        chain = ", a CRF" if model.spec.chain else ""
        parts = [_front_text(model.front), *read, *middle, f"{_answers(model.spec.output_size)}{tied}{chain}"]
    elif isinstance(model, FeedForward):
        middle = [f"last {model.look_back} steps", f"{model.hidden} units", f"{model.hidden} units"]
        if model.after:
            middle[0] = f"{model.look_back} steps around"
        parts = [_front_text(model.front), *middle, _answers(model.spec.output_size)]
    elif isinstance(model, ForecastModel):
        spec = model.spec
        parts = [
            f"segments of {spec.segment} steps",
            stack_text(model.settings),
            f"{spec.horizon} steps x {_answers(spec.output_size)}",
        ]
    elif isinstance(model, Writer):
        one = replace(model.settings, bidirectional=False)
        looks = f"{model.settings.attention} attention" if model.attends else "the final state"
        tied = ", tied" if model.settings.tied else ""
        parts = [_front_text(model.front), stack_text(model.settings), looks, stack_text(one)]
        parts.append(f"{_answers(model.spec.output_size)}{tied}")
    elif isinstance(model, FeedForwardWriter):
        seen = [f"last {model.look_back} symbols", f"{2 * model.around + 1} steps around", "mean"]
        parts = [_front_text(model.front), *seen, f"{model.hidden} units", f"{model.hidden} units"]
        parts.append(_answers(model.spec.output_size))
    else:
        parts = [type(model).__name__]
    return f"{' -> '.join(parts)}, {count_parameters(model):,} parameters"


def stack_text(settings: ModelSettings) -> str:
    """``LSTM 128 x 2, both directions``."""
    layers = f" x {settings.layers}" if settings.layers > 1 else ""
    return f"{CELLS[settings.cell]} {settings.hidden}{layers}{', both directions' if settings.bidirectional else ''}"


def _front_text(front: Front) -> str:
    name = "embedding" if front.ids else ("linear" if front.embedding is not None else "values")
    if isinstance(front.embedding, Pictures):
        name = f"{len(front.embedding.convolutions) // 3} convolutions"
    characters = f" + characters {front.parts.size}" if front.parts else ""
    static = f" + static {front.static_size}" if front.static_size else ""
    return f"{name} {front.embedding_width}{characters}{static}"


def _answers(size: int) -> str:
    return f"{size:,} output{'s' if size > 1 else ''}"
