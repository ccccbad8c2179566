"""Attention against torch's own, and against float64 loops."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from ostinato.nn.attention import AdditiveAttention, MultiplicativeAttention

LENGTHS = torch.tensor([5, 1, 3, 0])


def data(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    queries = torch.randn(4, 3, 6, generator=draw, dtype=torch.float64, requires_grad=True)
    memory = torch.randn(4, 5, 7, generator=draw, dtype=torch.float64, requires_grad=True)
    return queries, memory, torch.arange(5) < LENGTHS[:, None]


def test_multiplicative_is_torchs() -> None:
    torch.manual_seed(0)
    attention = MultiplicativeAttention(6, 7).double()
    queries, memory, mask = data()
    context, shares = attention(queries, attention.keys(memory), memory, mask)
    keys = memory @ attention.key.weight.T
    told = F.scaled_dot_product_attention(queries[:3], keys[:3], memory[:3], attn_mask=mask[:3, None], scale=1.0)
    torch.testing.assert_close(context[:3], told, rtol=1e-12, atol=1e-12)
    assert torch.equal(context[3], torch.zeros(3, 7, dtype=torch.float64))
    torch.testing.assert_close(shares.sum(-1)[:3], torch.ones(3, 3, dtype=torch.float64))
    mine = torch.autograd.grad(context[:3].square().sum(), [queries, memory, attention.key.weight], retain_graph=True)
    theirs = torch.autograd.grad(told.square().sum(), [queries, memory, attention.key.weight])
    for one, other in zip(mine, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)


def test_additive_is_a_loop() -> None:
    torch.manual_seed(1)
    attention = AdditiveAttention(6, 7).double()
    queries, memory, mask = data(1)
    context, shares = attention(queries, attention.keys(memory), memory, mask)
    w, u, b = (part.detach() for part in (attention.query.weight, attention.key.weight, attention.key.bias))
    v, asked, steps = attention.score.weight[0].detach(), queries.detach(), memory.detach()
    for sequence, length in enumerate(LENGTHS.tolist()):
        for question in range(3):
            scores = [
                float(v @ torch.tanh(w @ asked[sequence, question] + u @ steps[sequence, t] + b)) for t in range(length)
            ]
            total = sum(math.exp(score) for score in scores)
            told = [math.exp(score) / total for score in scores]
            assert shares[sequence, question].tolist() == pytest.approx(told + [0.0] * (5 - length), abs=1e-12)
            mix = sum((told[t] * steps[sequence, t] for t in range(length)), torch.zeros(7, dtype=torch.float64))
            torch.testing.assert_close(context[sequence, question], mix, rtol=1e-10, atol=1e-12)
    assert torch.autograd.gradcheck(lambda q, m: attention(q, attention.keys(m), m, mask)[0], (queries, memory))


@pytest.mark.parametrize("kind", [MultiplicativeAttention, AdditiveAttention])
def test_padding_is_never_read(kind: type) -> None:
    torch.manual_seed(2)
    attention = kind(6, 7).double()
    queries, memory, mask = data(2)
    other = torch.where(mask[..., None], memory, torch.full_like(memory, 1e6))
    first = attention(queries, attention.keys(memory), memory, mask)
    second = attention(queries, attention.keys(other), other, mask)
    torch.testing.assert_close(first, second, rtol=0, atol=0)
