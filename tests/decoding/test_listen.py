"""A live sound says what the whole one says, whatever its blocks."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ostinato.data import Column, Kind, Table
from ostinato.data.settings import AudioSettings, DataSettings
from ostinato.decoding.listen import Listener
from ostinato.errors import UsageError
from ostinato.models import FeedForward, ModelSettings, SequenceModel, build
from ostinato.tasks import Classify, TaskSettings, Transcribe
from ostinato.training import predict
from speech_toys import RATE, sentences


def task_of(unit: str = "char", **audio: object) -> tuple[Transcribe, Table]:
    texts, sounds = sentences(6)
    columns = [Column("sound", Kind.AUDIO, sounds), Column("text", Kind.TEXT, texts)]
    table = Table({c.name: c for c in columns}, None, np.arange(1, 7))
    settings = AudioSettings(rate=RATE, **audio)  # type: ignore[arg-type]
    data = DataSettings(target="text", unit=unit, subwords=10, audio=settings)  # type: ignore[arg-type]
    return Transcribe.fit(table, data, TaskSettings(beam=1)), table


def model_of(task: Transcribe, **settings: object) -> SequenceModel:
    torch.manual_seed(1)
    model = build(task.spec, ModelSettings(hidden=12, **settings), TaskSettings())  # type: ignore[arg-type]
    assert isinstance(model, SequenceModel)
    with torch.no_grad():
        for weight in model.parameters():  # so that it says much
            weight.mul_(4.0)
    return model.eval()


@pytest.mark.parametrize(
    ("unit", "audio", "settings"),
    [
        ("char", {}, {"cell": "lstm", "layers": 2}),
        ("char", {"stack": 3}, {"cell": "gru", "embedding": 7}),
        ("subword", {"features": "mfcc"}, {"cell": "gru_norm"}),
        ("word", {"stack": 2}, {"cell": "indrnn"}),
    ],
)
def test_streamed_is_whole(unit: str, audio: dict[str, object], settings: dict[str, object]) -> None:
    task, table = task_of(unit, **audio)
    model = model_of(task, **settings)
    outputs = predict(model, task, task.examples(table))
    texts, words = task.texts(outputs), task.words(outputs)
    assert sum(map(len, texts)) > 20
    random = np.random.default_rng(0)
    for row, sound in enumerate(table["sound"].values):
        listener = Listener(model, task)
        cuts = np.sort(random.integers(0, len(sound), 7))
        said = [listener.hear(block) for block in np.split(sound, cuts)]
        assert "".join([*said, listener.end()]) == texts[row]
        assert listener.words == words[row]


def test_whole_numbers_are_samples_too() -> None:
    task, table = task_of()
    model = model_of(task)
    sound = np.round(np.clip(table["sound"].values[0], -1, 1) * 32767).astype(np.int16)
    one, other = Listener(model, task), Listener(model, task)
    assert one.hear(sound) + one.end() == other.hear(sound / 32768.0) + other.end()
    assert one.rate == RATE
    for bad in (np.zeros((2, 2)), np.zeros(3, np.int32)):
        with pytest.raises(ValueError, match="samples must be"):
            one.hear(bad)
    with pytest.raises(ValueError, match="no number"):
        one.hear(np.array([np.nan]))


def test_silence_and_nothing() -> None:
    task, _ = task_of()
    listener = Listener(model_of(task), task)
    assert listener.end() == ""
    assert listener.words == []


def test_who_cannot_listen() -> None:
    task, table = task_of()
    with pytest.raises(UsageError, match=r"reads backwards.*model\.bidirectional=false"):
        Listener(model_of(task, bidirectional=True), task)
    with pytest.raises(UsageError, match="cannot go step by step"):
        Listener(FeedForward(task.spec, 3), task)
    labels = Table({**table.columns, "what": Column("what", Kind.CATEGORY, list("xyxyxy"))})
    data = DataSettings(target="what", inputs=("sound",), audio=AudioSettings(rate=RATE))
    other = Classify.fit(labels, data, TaskSettings())
    with pytest.raises(UsageError, match=r"only a transcriber of sound listens.*'classify'"):
        Listener(model_of(task), other)
    beside = Table({**table.columns, "age": Column("age", Kind.NUMBER, np.arange(6.0))})
    aged = Transcribe.fit(beside, DataSettings(target="text", audio=AudioSettings(rate=RATE)), TaskSettings())
    with pytest.raises(UsageError, match="other columns beside the sound"):
        Listener(model_of(aged), aged)
