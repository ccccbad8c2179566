"""The sequence model against torch.nn, sequence by sequence; batches, windows, settings."""

from __future__ import annotations

import itertools
from typing import Any, get_args, get_type_hints

import pytest
import torch
from model_batches import LENGTHS, answers, cut, make_batch, rows
from torch import Tensor, nn

from ostinato.data.examples import Batch
from ostinato.data.spec import Spec
from ostinato.errors import UsageError
from ostinato.models import ModelSettings, SequenceModel, build
from ostinato.models.settings import HEADED
from ostinato.tasks.settings import TaskSettings

CELLS = list(get_args(get_type_hints(ModelSettings)["cell"]))
POOLS = ["last", "mean", "max", "concat", "attention", "middle"]
SPECS = {
    "ids": Spec("ids", 9, "step", 4),
    "values": Spec("values", 3, "sequence", 2),
    "tokens": Spec("ids", 9, "step", 4, parts_size=6),
    "static ids": Spec("ids", 9, "sequence", 3, static_size=2),
    "static values": Spec("values", 1, "step", 1, static_size=2),
}


def make(spec: Spec, **settings: Any) -> SequenceModel:
    torch.manual_seed(3)
    model = build(spec, ModelSettings(**{"hidden": 5, "heads": 1, **settings}), TaskSettings())
    assert isinstance(model, SequenceModel)
    return model.eval()


def torch_layers(model: SequenceModel) -> list[nn.LSTM]:
    """The same weights in torch.nn's own layers."""
    layers = []
    for layer in model.stack.layers:
        twin = nn.LSTM(layer.input_size, layer.hidden_size, bidirectional=layer.bidirectional)
        twin.load_state_dict({name: layer.state_dict()[name] for name in twin.state_dict()})
        layers.append(twin)
    return layers


def by_hand(model: SequenceModel, steps: Tensor) -> tuple[Tensor, Tensor]:
    """Outputs of the last layer and its final hidden states, of one sequence ``(T, I)``."""
    h = torch.zeros(1)
    for layer in torch_layers(model):
        steps, (h, _) = layer(steps)
    return steps, h.flatten()


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("pool", POOLS)
def test_sequence_answer_is_the_pooled_stack(pool: str, bidirectional: bool) -> None:
    spec = Spec("ids", 9, "sequence", 4)
    model = make(spec, pool=pool, bidirectional=bidirectional, layers=2, forget_bias=0.5)
    batch = make_batch(spec)
    output, _ = model(batch)
    for row, ids in enumerate(batch.inputs):
        if not len(ids):
            continue
        steps, last = by_hand(model, model.front.embedding.weight[ids])
        if pool == "last":
            pooled = last
        elif pool == "attention":
            first, _, second = model.head.pool.score
            scores = torch.stack([(second.weight @ torch.tanh(first.weight @ h + first.bias))[0] for h in steps])
            pooled = sum(a * h for a, h in zip(torch.softmax(scores, 0), steps, strict=True))
        else:
            mean, most = steps.mean(0), steps.amax(0)
            middle = steps[(len(steps) + 1) // 2 - 1]
            parts = {"mean": [mean], "max": [most], "concat": [last, mean, most], "middle": [middle]}
            pooled = torch.cat(parts[pool])
        expected = model.head.linear.weight @ pooled + model.head.linear.bias
        torch.testing.assert_close(output[row], expected, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_step_answers_are_the_stack_step_by_step(bidirectional: bool) -> None:
    spec = Spec("values", 3, "step", 4, static_size=2)
    model = make(spec, bidirectional=bidirectional, layers=2)
    batch = make_batch(spec)
    output, _ = model(batch)
    for row, (values, found) in enumerate(zip(batch.inputs, answers(spec, batch, output), strict=True)):
        if not len(values):
            continue
        steps, _ = by_hand(model, torch.cat([values, batch.static[row].expand(len(values), -1)], 1))
        torch.testing.assert_close(found, model.head.linear(steps), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("hidden", [6, 8])
def test_tied_answers_use_the_embedding(hidden: int) -> None:
    spec = Spec("ids", 9, "step", 9, causal=True)
    model = make(spec, hidden=hidden, embedding=6, tied=True)
    matrix = model.front.embedding.weight
    batch = make_batch(spec, [4])
    output, _ = model(batch)
    # Inputs are scaled by sqrt(E), as the matrix starts at a standard deviation of 1 / sqrt(E).
    steps, _ = by_hand(model, matrix[batch.inputs.values] * 6**0.5)
    assert (model.head.bottleneck is None) == (hidden == 6)
    steps = steps if hidden == 6 else steps @ model.head.bottleneck.weight.T
    torch.testing.assert_close(output, steps @ matrix.T + model.head.bias, atol=1e-6, rtol=1e-5)
    assert len({value.data_ptr() for value in model.state_dict().values()}) == len(model.state_dict())


def test_tied_matrix_learns_from_both_sides() -> None:
    spec = Spec("ids", 9, "step", 9)
    model = make(spec, tied=True)
    batch = make_batch(spec, [2])
    model(batch)[0][:, 0].sum().backward()
    untouched = sorted(set(range(1, 9)) - set(batch.inputs.values.tolist()))
    gradient = model.front.embedding.weight.grad
    assert gradient[0].abs().sum() > 0
    assert gradient[untouched].abs().sum() == 0


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize(("pool", "bidirectional"), list(itertools.product(POOLS, [False, True])))
def test_a_batch_says_what_each_alone_says(name: str, pool: str, bidirectional: bool) -> None:
    spec = SPECS[name]
    model = make(spec, pool=pool, bidirectional=bidirectional, learned_state=True)
    batch = make_batch(spec)
    together, state = model(batch)
    for row, found in enumerate(answers(spec, batch, together)):
        alone, alone_state = model(rows(batch, [row]))
        torch.testing.assert_close(found, alone, atol=1e-6, rtol=1e-5)
        for part, alone_part in zip(state, alone_state, strict=True):
            torch.testing.assert_close(part[:, row], alone_part[:, 0], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", SPECS)
def test_order_and_mates_do_not_matter(name: str) -> None:
    spec = SPECS[name]
    model = make(spec, bidirectional=True, layers=2)
    batch = make_batch(spec)
    order = [4, 2, 0, 3, 1, 2]
    found = answers(spec, rows(batch, order), model(rows(batch, order))[0])
    expected = answers(spec, batch, model(batch)[0])
    for place, row in enumerate(order):
        torch.testing.assert_close(found[place], expected[row], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("name", SPECS)
def test_windows_give_what_the_whole_gives(name: str, cell: str) -> None:
    spec = SPECS[name]
    model = make(spec, cell=cell, layers=2, learned_state=cell not in HEADED)
    batch = make_batch(spec)
    whole, final = model(batch)
    state, pieces = None, []
    for start in range(0, max(LENGTHS), 2):
        window = cut(batch, start, start + 2)
        output, state = model(window, state)
        pieces.append(answers(spec, window, output))
    for row, expected in enumerate(answers(spec, batch, whole)):
        found = torch.cat([piece[row] for piece in pieces]) if spec.outputs == "step" else pieces[-1][row]
        torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)
    for part, expected in zip(state, final, strict=True):
        assert part.shape[:3] == (2, len(LENGTHS), 1 if cell == "mlstm" and part is not state[0] else 5)
        torch.testing.assert_close(part, expected, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(
    ("cell", "layers", "bidirectional", "pool", "init", "learned_state"),
    [
        (cell, layers, bidirectional, pool, init, learned)
        for number, (cell, layers, bidirectional, pool, init, learned) in enumerate(
            itertools.product(CELLS, [1, 3], [False, True], POOLS, ["torch", "orthogonal", "chrono"], [False, True])
        )
        if number % 7 == 0 and (init != "chrono" or "rnn" not in cell)
    ],
)
def test_every_setting_learns(
    cell: str, layers: int, bidirectional: bool, pool: str, init: str, learned_state: bool
) -> None:
    for spec in SPECS.values():
        model = make(
            spec,
            cell=cell,
            layers=layers,
            bidirectional=bidirectional,
            pool=pool,
            init=init,
            max_lag=20 if init == "chrono" else 0,
            learned_state=learned_state and cell not in HEADED,
            dropout=0.2,
            embedding_dropout=0.3,
            embedding=4,
            symbol_dropout=0.1,
        ).train()
        batch = make_batch(spec)
        output, state = model(batch)
        assert state[0].shape == (layers * (1 + bidirectional), len(LENGTHS), 5)
        assert all(part.shape[:2] == state[0].shape[:2] for part in state)
        assert torch.isfinite(output).all()
        output.square().sum().backward()
        still = [name for name, weight in model.named_parameters() if weight.grad is None]
        assert not still
        assert all(torch.isfinite(weight.grad).all() for weight in model.parameters())


@pytest.mark.parametrize("name", SPECS)
def test_embedded_goes_on_from_embed(name: str) -> None:
    spec = SPECS[name]
    model = make(spec)
    batch = make_batch(spec)
    embedded = model.embed(batch)
    assert embedded.values.shape == (sum(LENGTHS), model.front.size)
    free = embedded.map(lambda values: values.detach().requires_grad_())
    output, _ = model(batch, embedded=free)
    torch.testing.assert_close(output, model(batch)[0])
    # An answer depends on the steps up to its own and on no other sequence's.
    answers(spec, batch, output)[2][-1].sum().backward()
    touched = free.values.grad.abs().sum(1) > 0
    first, stop = int(embedded.offsets[2]), int(embedded.offsets[3])
    assert touched[first:stop].all()
    assert not touched[:first].any()
    assert not touched[stop:].any()


@pytest.mark.parametrize("lengths", [[], [0], [0, 0], [1]])
@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("name", SPECS)
def test_odd_batches(name: str, pool: str, lengths: list[int]) -> None:
    spec = SPECS[name]
    model = make(spec, pool=pool, bidirectional=True)
    output, state = model(make_batch(spec, lengths))
    assert output.shape == (sum(lengths) if spec.outputs == "step" else len(lengths), spec.output_size)
    assert torch.isfinite(output).all()
    assert all(part.shape == (2, len(lengths), 5) for part in state)


def test_dropout_is_random_in_training_only_and_repeats_with_its_seed() -> None:
    spec = Spec("ids", 9, "step", 4)
    model = make(spec, layers=2, dropout=0.5, embedding_dropout=0.4, symbol_dropout=0.3)
    batch = make_batch(spec)

    def run(seed: int) -> Tensor:
        torch.manual_seed(seed)
        return model(batch)[0]

    assert torch.equal(run(0), run(1))
    model.train()
    assert torch.equal(run(0), run(0))
    assert not torch.equal(run(0), run(1))


def test_a_state_that_cannot_be_continued_is_refused() -> None:
    spec = Spec("values", 3, "sequence", 2)
    batch = make_batch(spec)
    both = make(spec, bidirectional=True)
    with pytest.raises(UsageError, match=r"model\.bidirectional=false"):
        both(batch, both(batch)[1])
    pooled = make(spec, pool="mean")
    with pytest.raises(UsageError, match=r"pooling 'mean'.*model\.pool=last"):
        pooled(batch, pooled(batch)[1])


@pytest.mark.parametrize(
    ("spec", "settings", "message"),
    [
        (Spec("ids", 9, "step", 9, causal=True), {"bidirectional": True}, r"cannot read from the end.*=false"),
        (Spec("values", 3, "step", 3), {"tied": True}, r"inputs are values.*model\.tied=false"),
        (Spec("ids", 9, "step", 4), {"tied": True}, r"9 go in and 4 come out.*model\.tied=false"),
        (Spec("ids", 9, "sequence", 9), {"tied": True}, r"model\.tied=false"),
        (Spec("ids", 9, "step", 4), {"cell": "gru", "forget_bias": 2.0}, r"no forget gate"),
        (
            Spec("ids", 9, "step", 4),
            {"init": "chrono", "max_lag": 9, "forget_bias": 2.0},
            r"leave model\.forget_bias out",
        ),
        (Spec("ids", 9, "step", 4), {"init": "chrono"}, r"model\.max_lag="),
        (Spec("ids", 9, "step", 4), {"init": "chrono", "max_lag": 9, "cell": "rnn"}, r"has none.*orthogonal"),
        (Spec("ids", 9, "step", 4), {"init": "chrono", "max_lag": 9, "cell": "indrnn"}, r"has none.*orthogonal"),
        (Spec("ids", 9, "step", 4), {"max_lag": 9}, r"leave model\.max_lag out"),
        (Spec("ids", 9, "step", 4), {"cell": "mlstm", "hidden": 6}, r"cannot be cut into 4 heads: set model\.heads"),
        (Spec("ids", 9, "step", 4), {"cell": "slstm", "learned_state": True}, r"model\.learned_state=false"),
        (Spec("ids", 9, "step", 4), {"cell": "lsmt"}, r"model\.cell cannot be 'lsmt'\. Did you mean 'lstm'\?"),
        (Spec("ids", 9, "step", 4), {"pool": "sum"}, r"model\.pool cannot be 'sum'"),
        (Spec("ids", 9, "step", 4), {"init": "zeros"}, r"model\.init cannot be 'zeros'"),
        (Spec("ids", 9, "step", 4), {"hidden": 0}, r"model\.hidden must be at least 1, not 0"),
        (Spec("ids", 9, "step", 4), {"layers": 0}, r"model\.layers must be at least 1"),
        (Spec("ids", 9, "step", 4), {"embedding": -1}, r"model\.embedding must be at least 0"),
        (Spec("ids", 9, "step", 4), {"dropout": 1.0}, r"model\.dropout is a share"),
        (Spec("ids", 9, "step", 4), {"embedding_dropout": 1.0}, r"model\.embedding_dropout is a share"),
        (Spec("ids", 9, "step", 4), {"symbol_dropout": -0.1}, r"model\.symbol_dropout is a share"),
    ],
)
def test_settings_that_make_no_sense(spec: Spec, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        build(spec, ModelSettings(**settings), TaskSettings())


def test_a_batch_that_lacks_something_is_refused() -> None:
    tokens, static = SPECS["tokens"], SPECS["static ids"]
    bare = Batch(make_batch(tokens).inputs, torch.arange(len(LENGTHS)))
    with pytest.raises(ValueError, match="no parts"):
        make(tokens)(bare)
    with pytest.raises(ValueError, match=r"static inputs must be \(5, 2\), found none"):
        make(static)(bare)
