"""ConvLSTM against torch.nn.LSTM, a loop of convolutions, and finite differences."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from ostinato.nn import ConvLSTM
from ostinato.sequences import Ragged

torch.manual_seed(0)


def loop(layer: ConvLSTM, film: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """One film ``(T, C, h, w)`` by the paper's equation, gate by gate: outputs, and final h and c of each layer."""
    pad, size = layer.kernel_size // 2, layer.hidden_size
    ends: list[tuple[Tensor, Tensor]] = []
    steps = list(film)
    for number in range(layer.num_layers):
        own = {name: getattr(layer, f"{name}_l{number}", None) for name in ("bias_ih", "bias_hh", "weight_ch")}
        to_x = getattr(layer, f"weight_ih_l{number}").split(size)
        to_h = getattr(layer, f"weight_hh_l{number}").split(size)
        bias = [torch.zeros(size, dtype=film.dtype)] * 4
        if own["bias_ih"] is not None:
            bias = list((own["bias_ih"] + own["bias_hh"]).split(size))
        peep = [0.0] * 3 if own["weight_ch"] is None else list(own["weight_ch"].split(size))
        h = c = film.new_zeros(1, size, *film.shape[2:])
        told = []
        for x in steps:
            a = [F.conv2d(x[None], to_x[k], padding=pad) + F.conv2d(h, to_h[k], bias[k], padding=pad) for k in range(4)]
            i, f = torch.sigmoid(a[0] + peep[0] * c), torch.sigmoid(a[1] + peep[1] * c)
            c = f * c + i * torch.tanh(a[2])
            h = torch.sigmoid(a[3] + peep[2] * c) * torch.tanh(c)
            told.append(h[0])
        steps = told
        ends.append((h[0], c[0]))
    whole = torch.stack(steps) if steps else film.new_zeros(0, size, *film.shape[2:])
    return whole, torch.stack([h for h, _ in ends]), torch.stack([c for _, c in ends])


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("bias", [True, False])
def test_of_one_pixel_it_is_torch_lstm(layers: int, bias: bool) -> None:
    """Outputs, states and the gradients of inputs, initial state and every weight."""
    theirs = torch.nn.LSTM(3, 4, layers, bias=bias, dtype=torch.float64)
    ours = ConvLSTM(3, 4, 1, layers, bias, dtype=torch.float64)
    state = {name: value.reshape(getattr(ours, name).shape) for name, value in theirs.state_dict().items()}
    ours.load_state_dict(state)
    x = torch.randn(5, 2, 3, dtype=torch.float64, requires_grad=True)
    h, c = torch.randn(2, layers, 2, 4, dtype=torch.float64, requires_grad=True)
    weigh = torch.randn(5, 2, 4, dtype=torch.float64)

    output, (h_n, c_n) = theirs(x, (h, c))
    wanted = torch.autograd.grad((output * weigh).sum() + h_n.sum() + (c_n**2).sum(), [x, h, c, *theirs.parameters()])
    pictures, (h_o, c_o) = ours(x[..., None, None], (h[..., None, None], c[..., None, None]))
    said = (pictures[..., 0, 0] * weigh).sum() + h_o.sum() + (c_o**2).sum()
    named = dict(ours.named_parameters())
    found = torch.autograd.grad(said, [x, h, c, *(named[name] for name, _ in theirs.named_parameters())])

    assert torch.allclose(pictures[..., 0, 0], output, atol=1e-12)
    assert torch.allclose(h_o[..., 0, 0], h_n, atol=1e-12)
    assert torch.allclose(c_o[..., 0, 0], c_n, atol=1e-12)
    for ours_, theirs_ in zip(found, wanted, strict=True):
        assert torch.allclose(ours_.flatten(), theirs_.flatten(), atol=1e-12)


@pytest.mark.parametrize("peephole", [None, (5, 4)])
@pytest.mark.parametrize("batch_first", [True, False])
def test_each_film_as_alone(peephole: tuple[int, int] | None, batch_first: bool) -> None:
    """Unequal lengths in any order, 0 among them, against the equation film by film; padding of NaN is never read."""
    layer = ConvLSTM(2, 3, 3, 2, peephole=peephole, batch_first=batch_first, dtype=torch.float64)
    for name, weight in layer.named_parameters():
        if name.startswith("weight_ch"):
            torch.nn.init.normal_(weight)
    lengths = [2, 0, 6, 3]
    films = [torch.randn(length, 2, 5, 4, dtype=torch.float64) for length in lengths]
    padded = torch.full((4, 6, 2, 5, 4), float("nan"), dtype=torch.float64)
    for film, place in zip(films, padded, strict=True):
        place[: len(film)] = film
    given = padded if batch_first else padded.transpose(0, 1)
    output, (h, c) = layer(given, lengths=lengths)
    output = output if batch_first else output.transpose(0, 1)
    ragged, (h_r, c_r) = layer(Ragged.from_list(films))
    for number, film in enumerate(films):
        steps, ends, cells = loop(layer, film)
        assert torch.allclose(output[number, : len(film)], steps, atol=1e-12)
        assert output[number, len(film) :].eq(0).all()
        assert torch.allclose(ragged[number], steps, atol=1e-12)
        for state, wanted in ((h, ends), (h_r, ends), (c, cells), (c_r, cells)):
            assert torch.allclose(state[:, number], wanted, atol=1e-12)


def test_pieces_equal_the_whole() -> None:
    layer = ConvLSTM(1, 2, 5, 2)
    film = torch.randn(7, 3, 1, 6, 5)
    whole, end = layer(film)
    first, state = layer(film[:4])
    rest, state = layer(film[4:], state)
    assert torch.allclose(torch.cat([first, rest]), whole, atol=1e-6)
    for one, two in zip(state, end, strict=True):
        assert torch.allclose(one, two, atol=1e-6)


def test_gradients() -> None:
    """Against finite differences in float64, peepholes and unequal lengths among them."""
    layer = ConvLSTM(1, 2, 3, 1, peephole=(3, 2), dtype=torch.float64)
    torch.nn.init.normal_(layer.weight_ch_l0)
    names = [name for name, _ in layer.named_parameters()]
    film = torch.randn(3, 2, 1, 3, 2, dtype=torch.float64, requires_grad=True)
    state = torch.randn(2, 1, 2, 2, 3, 2, dtype=torch.float64, requires_grad=True)

    def run(film: Tensor, state: Tensor, *weights: Tensor) -> tuple[Tensor, ...]:
        given = (film, (state[0], state[1]))
        output, (h, c) = torch.func.functional_call(
            layer, dict(zip(names, weights, strict=True)), given, {"lengths": [3, 1]}
        )
        return output, h, c

    assert torch.autograd.gradcheck(run, (film, state, *layer.parameters()))


def test_nothing_to_read() -> None:
    layer = ConvLSTM(1, 2)
    for shape, steps, batch in (((0, 3, 1, 4, 4), 0, 3), ((5, 0, 1, 4, 4), 5, 0)):
        output, (h, c) = layer(torch.randn(shape))
        assert output.shape == (steps, batch, 2, 4, 4)
        assert h.shape == c.shape == (1, batch, 2, 4, 4)
        assert h.eq(0).all()


@pytest.mark.parametrize(
    ("options", "told"),
    [({"kernel_size": 2}, "odd"), ({"num_layers": 0}, "at least 1"), ({"peephole": (0, 3)}, "at least 1")],
)
def test_sizes_that_cannot_be(options: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        ConvLSTM(1, 2, **options)  # type: ignore[arg-type]


def test_inputs_that_do_not_fit() -> None:
    layer = ConvLSTM(1, 2, peephole=(4, 4))
    with pytest.raises(ValueError, match="not of 3 dimensions"):
        layer(torch.randn(2, 3, 4))
    with pytest.raises(ValueError, match=r"frames must be \(1, height, width\), found \(2, 4, 4\)"):
        layer(torch.randn(2, 1, 2, 4, 4))
    with pytest.raises(ValueError, match=r"peepholes are for frames of \(4, 4\), found \(5, 4\)"):
        layer(torch.randn(2, 1, 1, 5, 4))
    with pytest.raises(ValueError, match="initial c must be"):
        layer(torch.randn(2, 1, 1, 4, 4), (torch.zeros(1, 1, 2, 4, 4), torch.zeros(1, 1, 2, 4, 3)))
    with pytest.raises(ValueError, match="knows its own lengths"):
        layer(Ragged.from_list([torch.randn(2, 1, 4, 4)]), lengths=[2])
    assert "peephole=(4, 4)" in repr(layer)
