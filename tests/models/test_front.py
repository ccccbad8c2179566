"""What goes into the stack: embeddings, characters of tokens, static inputs, dropout."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from model_batches import make_batch, rows
from torch import nn

from ostinato.data.examples import Batch
from ostinato.data.spec import Spec
from ostinato.models import ModelSettings
from ostinato.models.dropout import SymbolDropout, VariationalDropout
from ostinato.models.front import Front, embedding_size
from ostinato.models.parts import PartsEncoder, distinct
from ostinato.sequences import Ragged


def test_embedding_size_follows_the_vocabulary() -> None:
    # 1.6 * 2000 ** 0.56 = 112.9: between the bounds of 64 and 128.
    assert [embedding_size(size) for size in (1, 5, 64, 65, 500, 2_000, 10_000)] == [1, 5, 64, 64, 64, 112, 128]


@given(st.integers(1, 10**7), st.integers(1, 10**7))
def test_embedding_size_never_falls(one: int, other: int) -> None:
    small, large = sorted((one, other))
    assert 1 <= embedding_size(small) <= embedding_size(large) <= 128


@pytest.mark.parametrize(("vocabulary", "tied", "std"), [(200, False, 1.0), (5_000, False, 0.1), (200, True, 0.1)])
def test_rare_symbols_begin_small(vocabulary: int, tied: bool, std: float) -> None:
    torch.manual_seed(0)
    front = Front(Spec("ids", vocabulary, "step", vocabulary), ModelSettings(embedding=100, tied=tied))
    # 20,000 numbers or more: five standard errors of a standard deviation are 2.5 % of it.
    assert float(front.matrix.detach().std()) == pytest.approx(std, rel=0.025)


def test_values_go_straight_through() -> None:
    spec = Spec("values", 3, "step", 1)
    batch = make_batch(spec)
    front = Front(spec, ModelSettings(embedding_dropout=0.9)).train()
    assert front.size == 3
    assert torch.equal(front(batch).values, batch.inputs.values)
    assert not list(front.parameters())
    with pytest.raises(TypeError, match="no embedding matrix"):
        _ = front.matrix


def test_values_through_a_linear_layer() -> None:
    spec = Spec("values", 3, "step", 1)
    batch = make_batch(spec)
    front = Front(spec, ModelSettings(embedding=5))
    weight, bias = front.embedding.weight, front.embedding.bias
    torch.testing.assert_close(front(batch).values, batch.inputs.values @ weight.T + bias)


def test_everything_side_by_side() -> None:
    spec = Spec("ids", 9, "step", 1, static_size=2, parts_size=6)
    batch = make_batch(spec)
    front = Front(spec, ModelSettings(embedding=4))
    found = front(batch).to_list()
    assert front.size == 4 + 128 + 2
    vectors = Ragged(front.parts(batch.parts), batch.inputs.lengths)
    for row, ids in enumerate(batch.inputs):
        torch.testing.assert_close(found[row][:, :4], front.embedding.weight[ids])
        torch.testing.assert_close(found[row][:, 4:132], vectors[row])
        assert torch.equal(found[row][:, 132:], batch.static[row].expand(len(ids), 2))


def test_static_can_be_left_to_others() -> None:
    spec = Spec("ids", 9, "step", 1, static_size=2)
    assert Front(spec, ModelSettings(), static=False)(make_batch(spec)).values.shape[1] == 9


@pytest.mark.parametrize("static", [torch.zeros(4, 2), torch.zeros(5, 3)])
def test_static_of_a_wrong_size(static: torch.Tensor) -> None:
    spec = Spec("ids", 9, "step", 1, static_size=2)
    batch = make_batch(spec)
    with pytest.raises(ValueError, match=r"static inputs must be \(5, 2\)"):
        Front(spec, ModelSettings())(Batch(batch.inputs, batch.index, static=static))


def test_tokens_are_read_from_both_ends() -> None:
    torch.manual_seed(0)
    encoder = PartsEncoder(6, embedding=3, hidden=4)
    twin = nn.LSTM(3, 4, bidirectional=True)
    twin.load_state_dict(encoder.layer.state_dict())
    tokens = [[1, 2, 3], [5], [], [1, 2, 3], [3, 2, 1], []]
    found = encoder(Ragged.from_list([torch.tensor(token, dtype=torch.int64) for token in tokens]))
    assert found.shape == (6, 8)
    for row, token in enumerate(tokens):
        expected = twin(encoder.embedding.weight[token])[1][0].flatten() if token else torch.zeros(8)
        torch.testing.assert_close(found[row], expected, atol=1e-6, rtol=1e-5)


def test_no_tokens_at_all() -> None:
    empty = Ragged(torch.empty(0, dtype=torch.int64), torch.empty(0, dtype=torch.int64))
    assert PartsEncoder(6)(empty).shape == (0, 128)


def test_each_distinct_token_is_read_once() -> None:
    encoder = PartsEncoder(6)
    read: list[int] = []
    encoder.layer.register_forward_pre_hook(lambda _, inputs: read.append(len(inputs[0])))
    token = torch.tensor([1, 2])
    encoder(Ragged.from_list([token] * 1000))
    assert read == [1]


def test_a_repeated_token_learns_from_every_place() -> None:
    encoder = PartsEncoder(6)
    token = torch.tensor([1, 2])
    encoder(Ragged.from_list([token])).sum().backward()
    once = encoder.embedding.weight.grad.clone()
    encoder.zero_grad()
    encoder(Ragged.from_list([token] * 3)).sum().backward()
    torch.testing.assert_close(encoder.embedding.weight.grad, 3 * once)


@given(st.lists(st.lists(st.integers(0, 2), max_size=3), max_size=12))
def test_distinct_is_exact(sequences: list[list[int]]) -> None:
    ragged = Ragged(
        torch.tensor([number for sequence in sequences for number in sequence], dtype=torch.int64),
        torch.tensor([len(sequence) for sequence in sequences], dtype=torch.int64),
    )
    first, inverse = distinct(ragged)
    assert len(first) == len({tuple(sequence) for sequence in sequences})
    assert [sequences[first[number]] for number in inverse.tolist()] == sequences


def test_variational_dropout_drops_the_same_units_at_every_step() -> None:
    torch.manual_seed(0)
    dropout = VariationalDropout(0.4).train()
    steps = Ragged(torch.ones(300, 50), torch.tensor([100, 0, 200]))
    found = dropout(steps)
    masks = [sequence[0] for sequence in found if len(sequence)]
    for sequence, mask in zip((s for s in found if len(s)), masks, strict=True):
        assert torch.equal(sequence, mask.expand_as(sequence))
        torch.testing.assert_close(mask.unique(), torch.tensor([0.0, 1 / 0.6]))
    assert not torch.equal(*masks)


def test_variational_dropout_keeps_the_mean() -> None:
    torch.manual_seed(0)
    found = VariationalDropout(0.3).train()(Ragged(torch.ones(2000, 50), torch.ones(2000, dtype=torch.int64)))
    # 100,000 draws of variance 0.3 / 0.7: five standard errors are 0.0104.
    assert abs(float(found.values.mean()) - 1.0) < 0.0104


def test_symbol_dropout_puts_the_unknown_symbol() -> None:
    torch.manual_seed(0)
    ids = torch.randint(1, 9, (10_000,))
    dropout = SymbolDropout(0.2)
    found = dropout(ids)
    hit = found != ids
    assert (found[hit] == 0).all()
    # Five standard errors of a share of 0.2 over 10,000 draws.
    assert abs(float(hit.float().mean()) - 0.2) < 0.02
    assert torch.equal(dropout.eval()(ids), ids)


def test_dropout_leaves_raw_values_and_static_inputs_alone() -> None:
    spec = Spec("ids", 9, "step", 1, static_size=2)
    batch = make_batch(spec)
    torch.manual_seed(0)
    front = Front(spec, ModelSettings(embedding_dropout=0.5)).train()
    found = front(batch).values
    assert (found[:, :9] == 0).any()
    assert torch.equal(found[:, 9:], front.eval()(batch).values[:, 9:])


def test_dropout_shows_itself() -> None:
    assert repr(VariationalDropout(0.5)) == "VariationalDropout(p=0.5)"
    assert repr(SymbolDropout(0.5)) == "SymbolDropout(p=0.5, unknown=0)"


def test_a_token_means_the_same_in_any_batch() -> None:
    spec = Spec("ids", 9, "step", 1, parts_size=6)
    batch = make_batch(spec)
    front = Front(spec, ModelSettings()).eval()
    whole = front(batch)
    torch.testing.assert_close(front(rows(batch, [2])).values, whole[2], atol=1e-6, rtol=1e-5)
