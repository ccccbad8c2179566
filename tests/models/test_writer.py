"""The writing models: at once = step by step, against torch's own modules, whatever else is in the batch."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from ostinato.data.examples import Batch
from ostinato.data.spec import Spec
from ostinato.errors import UsageError
from ostinato.models import ModelSettings, build, writing
from ostinato.models.feed_forward_writer import FeedForwardWriter
from ostinato.models.writer import Writer
from ostinato.models.writing import WritingModel, shifted
from ostinato.sequences import Ragged
from ostinato.tasks import TaskSettings

SPEC = Spec("ids", 9, "text", 7, begin=1)
LENGTHS, TARGETS = torch.tensor([4, 1, 6, 0]), torch.tensor([3, 5, 1, 2])


def batch(spec: Spec = SPEC, seed: int = 0) -> Batch:
    draw = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, spec.input_size, (int(LENGTHS.sum()),), generator=draw)
    said = torch.randint(0, spec.output_size, (int(TARGETS.sum()),), generator=draw)
    return Batch(Ragged(ids, LENGTHS), torch.arange(4), targets=Ragged(said, TARGETS))


def writer(seed: int = 0, spec: Spec = SPEC, **settings: object) -> Writer:
    torch.manual_seed(seed)
    chosen = {"hidden": 5, "embedding": 6, "bidirectional": True, **settings}
    return Writer(spec, ModelSettings(**chosen)).double()  # type: ignore[arg-type]


def stepped(model: WritingModel, given: Batch) -> torch.Tensor:
    """The logits of the targets, a symbol at a time and a sequence at a time."""
    told = []
    for row in range(len(given)):
        alone = Batch(given.inputs.take(torch.tensor([row])), torch.tensor([row]))
        source = model.read(alone)
        state = source.first
        assert isinstance(given.targets, Ragged)
        for symbol in [model.begin_id, *given.targets[row].tolist()][:-1]:
            logits, state, _ = model.advance(torch.tensor([symbol]), state, source)
            told.append(logits)
    return torch.cat(told)


@pytest.mark.parametrize("attention", ["none", "multiplicative", "additive"])
@pytest.mark.parametrize(("cell", "layers"), [("lstm", 2), ("gru", 1), ("rnn", 1), ("slstm", 1)])
def test_at_once_is_step_by_step(attention: str, cell: str, layers: int) -> None:
    model = writer(attention=attention, cell=cell, layers=layers, hidden=8 if cell == "slstm" else 5).eval()
    torch.testing.assert_close(model(batch())[0], stepped(model, batch()), rtol=1e-9, atol=1e-10)


def test_without_memory_at_once_is_step_by_step() -> None:
    torch.manual_seed(0)
    model = FeedForwardWriter(SPEC, 4, 16).double().eval()
    torch.testing.assert_close(model(batch())[0], stepped(model, batch()), rtol=1e-9, atol=1e-10)


def test_it_is_what_torch_makes_of_it() -> None:
    """One sequence through torch.nn.LSTM and scaled_dot_product_attention with the same weights."""
    model = writer(tied=True).eval()
    given = batch()
    read, write = torch.nn.LSTM(6, 5, bidirectional=True).double(), torch.nn.LSTM(6, 5).double()
    read.load_state_dict(model.stack.layers[0].state_dict())
    write.load_state_dict(model.writer.layers[0].state_dict())
    assert isinstance(given.targets, Ragged)
    assert model.embedding is not None
    inputs = shifted(given.targets, 1).to_list()
    expected = []
    for source, fed in zip(given.inputs, inputs, strict=True):
        if not len(source):
            continue
        memory, (h, _) = read(F.embedding(source, model.front.matrix))
        first = torch.tanh(model.bridge(torch.cat([h[0], h[1]])))[None]
        states, _ = write(F.embedding(fed, model.embedding.weight) * 6**0.5, (first, torch.zeros_like(first)))
        keys = memory @ model.attention.key.weight.T  # type: ignore[union-attr]
        context = F.scaled_dot_product_attention(states[None], keys[None], memory[None], scale=1.0)[0]
        told = torch.tanh(model.combine(torch.cat([states, context], dim=-1)))
        expected.append(told @ model.embedding.weight.T + model.bias)
    logits = model(given)[0][: int(TARGETS[:3].sum())]
    torch.testing.assert_close(logits, torch.cat(expected), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("attention", ["none", "multiplicative", "additive"])
def test_no_answer_or_gradient_depends_on_the_batch(attention: str) -> None:
    model = writer(attention=attention)
    given = batch()
    loss = F.cross_entropy(model(given)[0], given.targets.values, reduction="sum")  # type: ignore[union-attr]
    whole = torch.autograd.grad(loss, list(model.parameters()))
    parts = [torch.zeros_like(weight) for weight in whole]
    for row in range(4):
        index = torch.tensor([row])
        alone = Batch(given.inputs.take(index), index, targets=given.targets.take(index))  # type: ignore[union-attr]
        single = F.cross_entropy(model(alone)[0], alone.targets.values, reduction="sum")  # type: ignore[union-attr]
        gradients = torch.autograd.grad(single, list(model.parameters()))
        parts = [one + other for one, other in zip(parts, gradients, strict=True)]
    for one, other in zip(whole, parts, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-9)


def test_the_first_symbol_without_targets() -> None:
    model = writer().eval()
    given = batch()
    alone = Batch(given.inputs, given.index)
    starts = TARGETS.cumsum(0) - TARGETS
    torch.testing.assert_close(model(alone)[0], model(given)[0][starts], rtol=1e-9, atol=1e-10)


def test_one_matrix_in_and_out() -> None:
    spec = Spec("ids", 9, "text", 9, begin=1, shared=True)
    tied, loose = writer(spec=spec, tied=True), writer(spec=spec, tied=False)
    assert tied.matrix is tied.front.matrix
    sizes = [sum(weight.numel() for weight in model.parameters()) for model in (tied, loose)]
    assert sizes[1] - sizes[0] == 9 * 6
    tied.matrix.data.mul_(0.0)
    torch.testing.assert_close(tied.eval()(batch(spec))[0], tied.bias.expand(int(TARGETS.sum()), -1))


def test_scheduled_sampling_feeds_the_models_own_symbols(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "RAMP", 1)
    model = writer(scheduled_sampling=0.999999)
    given = batch()
    fed: list[torch.Tensor] = []
    run = model.run
    monkeypatch.setattr(model, "run", lambda inputs, source: fed.append(inputs.values) or run(inputs, source))
    model.train()(given)
    assert len(fed) == 1  # nothing of its own before it has learned anything
    model(given)
    assert isinstance(given.targets, Ragged)
    gold = shifted(given.targets, 1)
    guessed = run(gold, model.read(given)).argmax(-1)
    starts = [0, 3, 8, 9]
    expected = [1 if place in starts else int(guessed[place - 1]) for place in range(len(gold.values))]
    assert fed[-1].tolist() == expected
    model.eval()(given)
    assert fed[-1].tolist() == gold.values.tolist()
    assert "seen" in model.state_dict()
    assert "seen" not in writer().state_dict()


def test_settings_that_cannot_be() -> None:
    with pytest.raises(UsageError, match="scheduled_sampling is a share"):
        writer(scheduled_sampling=1.5)
    with pytest.raises(UsageError, match=r"model\.attention cannot be 'luong'"):
        build(SPEC, ModelSettings(attention="luong"), TaskSettings())  # type: ignore[arg-type]
