"""Inputs out of the ordinary, right and wrong ones: the layers do as torch.nn does, or say what is wrong."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_sequence

from ostinato import nn
from ostinato.engines import force
from ostinato.sequences import Ragged

NAMES = ["RNN", "LSTM", "GRU"]
Given = tuple[Tensor, tuple[Tensor, Tensor], list[Tensor]]
"""Input, the parts of a state (of which some layers take the first), and what the gradients go to."""


def leaf(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64).requires_grad_()


def plain(x: Tensor, *leaves: Tensor) -> Given:
    """An input with a state of its own."""
    h, c = leaf(2, 3, 5), leaf(2, 3, 5)
    return x, (h, c), [*leaves, h, c]


def strided() -> Given:
    wide = leaf(3, 8, 11)
    return plain(wide.transpose(0, 1)[1::2, :, 1::2], wide)


def expanded() -> Given:
    small, h = leaf(1, 1, 5), leaf(1, 1, 5)
    return small.expand(4, 3, 5), (h.expand(2, 3, 5), h.expand(2, 3, 5)), [small, h]


def overlapping() -> Given:
    line = leaf(40)
    return plain(line.as_strided((4, 3, 5), (5, 2, 1)), line)


def reversed_in_memory() -> Given:
    base = leaf(5, 3, 4)
    return plain(base.permute(2, 1, 0), base)


def given_thrice() -> Given:
    """The input is the state too, both parts of it."""
    x = leaf(2, 3, 5)
    return x, (x, x), [x]


def parts_of_one() -> Given:
    """Input and states are views of the same memory."""
    base = leaf(8, 3, 5)
    return base[:4], (base[4:6], base[5:7]), [base]


def not_differentiated() -> Given:
    x, h = leaf(4, 3, 5), leaf(2, 3, 5)
    return x.detach(), (h, h.detach()), [h]


def no_sequence() -> Given:
    x, h, c = leaf(4, 0, 5), leaf(2, 0, 5), leaf(2, 0, 5)
    return x, (h, c), [x, h, c]


def one_step() -> Given:
    x = leaf(1, 3, 5)
    return plain(x, x)


def computed() -> Given:
    """Neither input nor state is a leaf."""
    x, h = leaf(4, 3, 5), leaf(2, 3, 5)
    return x.sin(), (h.cos(), h * 2), [x, h]


ODD: list[Callable[[], Given]] = [
    strided,
    expanded,
    overlapping,
    reversed_in_memory,
    given_thrice,
    parts_of_one,
    not_differentiated,
    no_sequence,
    one_step,
    computed,
]


def pair(name: str, **options: Any) -> tuple[Any, Any]:
    torch.manual_seed(1)
    theirs = getattr(torch.nn, name)(5, 5, **options)
    ours = getattr(nn, name)(5, 5, **options)
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def values_of(layer: Any, x: Tensor, state: tuple[Tensor, Tensor] | None, **more: Any) -> list[Tensor]:
    hidden = None if state is None else state if layer.mode == "LSTM" else state[0]
    output, final = layer(x, hidden, **more)
    return [output, *(final if isinstance(final, tuple) else (final,))]


def close(ours: list[Any], theirs: list[Any]) -> None:
    for mine, wanted in zip(ours, theirs, strict=True):
        assert (mine is None) == (wanted is None)
        if wanted is not None:
            torch.testing.assert_close(mine, wanted, atol=1e-12, rtol=1e-12, equal_nan=True)


@pytest.mark.parametrize("upstream", ["plain", "expanded", "one part"])
@pytest.mark.parametrize("odd", ODD, ids=lambda odd: odd.__name__)
@pytest.mark.parametrize("name", NAMES)
def test_odd_and_right(name: str, odd: Callable[[], Given], upstream: str) -> None:
    """The numbers and gradients of torch.nn."""
    layers = pair(name, bidirectional=True, dtype=torch.float64)
    results = []
    for layer in layers:
        torch.manual_seed(2)
        x, state, leaves = odd()
        values = values_of(layer, x, state)
        above = [torch.full((), 0.7, dtype=torch.float64).expand_as(value) for value in values]
        if upstream == "plain":
            above = [value.detach().cos() for value in values]
        if upstream == "one part":
            values, above = values[-1:], above[-1:]
        wanted = [*leaves, *layer.parameters()]
        results.append([*values, *torch.autograd.grad(values, wanted, above, allow_unused=True)])
    close(*results)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, 1e300])
@pytest.mark.parametrize("place", ["input", "state", "weight"])
@pytest.mark.parametrize("name", NAMES)
def test_what_is_not_finite_spreads_as_in_torch(name: str, place: str, number: float) -> None:
    """To the same places of the outputs; where a gradient of torch.nn is finite, it is the same."""
    ours, theirs = pair(name, dtype=torch.float64)
    torch.manual_seed(2)
    x, h = torch.randn(4, 3, 5, dtype=torch.float64), torch.randn(1, 3, 5, dtype=torch.float64)
    if place == "input":
        x[1, 2, 0] = number
    if place == "state":
        h[0, 1, 3] = number
    results = []
    for layer in (ours, theirs):
        if place == "weight":
            with torch.no_grad():
                layer.weight_hh_l0[2, 1] = number
        given = x.clone().requires_grad_()
        values = values_of(layer, given, (h, h))
        gradients = torch.autograd.grad([value.sum() for value in values], [given, *layer.parameters()])
        results.append((values, gradients))
    close(results[0][0], results[1][0])
    for mine, wanted in zip(results[0][1], results[1][1], strict=True):
        finite = wanted.isfinite()
        torch.testing.assert_close(mine[finite], wanted[finite], atol=1e-12, rtol=1e-12)


X = torch.zeros(4, 3, 5)
H = torch.zeros(1, 3, 5)
WRONG: dict[str, tuple[Any, Any, str]] = {
    "whole numbers": (X.long(), None, "input dtype .torch.int64. does not match"),
    "truth values": (X.bool(), None, "input dtype .torch.bool. does not match"),
    "complex numbers": (X.to(torch.complex64), None, "input dtype .torch.complex64. does not match"),
    "other precision": (X.double(), None, "input dtype .torch.float64. does not match"),
    "less precision": (X.half(), None, "input dtype .torch.float16. does not match"),
    "no numbers": (X.to("meta"), None, "found input tensor at meta and parameter tensor at cpu"),
    "too narrow": (X[..., :4], None, "Expected 5, got 4"),
    "no width": (X[..., :0], None, "Expected 5, got 0"),
    "no dimension": (torch.zeros(()), None, "2D or 3D, got 0D"),
    "one dimension": (X[0, 0], None, "2D or 3D, got 1D"),
    "four dimensions": (X[None], None, "2D or 3D, got 4D"),
    "state of no numbers": (X, H.to("meta"), "hidden h on cpu as the input, got it on meta"),
    "state of other precision": (X, H.double(), "hidden h of torch.float32 as the input, got torch.float64"),
    "state of whole numbers": (X, H.long(), "hidden h of torch.float32 as the input, got torch.int64"),
    "state of two layers": (X, H.repeat(2, 1, 1), r"size \(1, 3, 5\), got \[2, 3, 5\]"),
    "state of more sequences": (X, H.repeat(1, 2, 1), r"size \(1, 3, 5\), got \[1, 6, 5\]"),
    "state of one sequence": (X, H[:, :1], r"size \(1, 3, 5\), got \[1, 1, 5\]"),
    "state too narrow": (X, H[..., :4], r"size \(1, 3, 5\), got \[1, 3, 4\]"),
    "state of two dimensions": (X, H[0], "h should also be 3-D but got 2-D"),
    "state of four dimensions": (X, H[None], "h should also be 3-D but got 4-D"),
    "state of a batch": (X[:, 0], H, "h should also be 2-D but got 3-D"),
    "packed, too narrow": (pack_sequence([X[:, 0, :4]]), None, "Expected 5, got 4"),
    "packed, other precision": (pack_sequence([X[:, 0].double()]), None, "input dtype .torch.float64. does not match"),
    "packed, other state": (pack_sequence([X[:, 0]]), H, r"size \(1, 1, 5\), got \[1, 3, 5\]"),
}


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("name", NAMES)
def test_wrong_as_in_torch(name: str, case: str) -> None:
    """An error of the same sort, with what was expected and what came."""
    ours, theirs = pair(name)
    x, h, message = WRONG[case]
    state = (h, h) if name == "LSTM" and h is not None else h
    kind: type[Exception] = ValueError if "dtype" in message or "2D" in message else RuntimeError
    if name != "LSTM" or "packed" not in case:  # of these torch.nn.LSTM notices some later, and some not
        with pytest.raises(kind):
            theirs(x, state)
    with pytest.raises(kind, match=message):
        ours(x, state)


@pytest.mark.parametrize("case", [case for case in WRONG if not re.search("packed|dimension|batch", case)])
@pytest.mark.parametrize("kind", ["LSTM", "MinGRU", "SLSTM", "LayerNormGRU"])
def test_wrong_in_every_form(kind: str, case: str) -> None:
    """The same message with lengths and of a Ragged, whichever engine would serve."""
    x, h, message = WRONG[case]
    layer = getattr(nn, kind)(5, 5)
    state = h
    if h is not None:
        parts = len(layer.cell.State._fields)
        state = h if parts == 1 else (h,) * parts
    with pytest.raises((ValueError, RuntimeError), match=message):
        layer(x, state, lengths=[4, 2, 0])
    with pytest.raises((ValueError, RuntimeError), match=message):
        layer(Ragged(x.flatten(0, 1), torch.tensor([4, 4, 4])), state)


def test_one_state_for_two_parts() -> None:
    for layer, state, message in (
        (nn.LSTM(5, 5), H, r"hx must be h and c, 2 tensor\(s\), but got 1"),
        (nn.LSTM(5, 5), (H,), "but got 1"),
        (nn.LSTM(5, 5), (H, H, H), "but got 3"),
        (nn.GRU(5, 5), (H, H), r"hx must be h, 1 tensor\(s\), but got 2"),
    ):
        with pytest.raises(RuntimeError, match=message):
            layer(X, state)


def test_autocast_takes_states_of_its_own_precision() -> None:
    layer, h = nn.GRU(5, 5), torch.randn(1, 3, 5)
    with torch.autocast("cpu", dtype=torch.bfloat16), force("reference"):
        found = layer(X, h.bfloat16())[0].float()
    torch.testing.assert_close(found, layer(X, h.bfloat16().float())[0], atol=0.02, rtol=0)


def test_a_copy_does_not_share_and_the_input_is_not_changed() -> None:
    layer = nn.LSTM(5, 5, num_layers=2, bidirectional=True)
    x, h = torch.randn(4, 3, 5), torch.randn(4, 3, 5)
    kept = copy.deepcopy((x, h))
    output, (after, _) = layer(x, (h, h), lengths=[4, 0, 2])
    output.sum().backward()
    with torch.no_grad():
        output.zero_()
        after.zero_()
    assert torch.equal(x, kept[0])
    assert torch.equal(h, kept[1])
