"""Regularisers: the layer against a loop with masks from the definition, the same masks in every form and engine."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from test_noise import bits

from ostinato import nn
from ostinato.engines import ENGINES, Noise, explain, force
from ostinato.engines.noise import KINDS
from ostinato.errors import UsageError
from ostinato.sequences import Ragged, to_packed_sequence, to_padded

LENGTHS = [3, 0, 5, 1]
RATES = {
    "input_dropout": 0.3,
    "output_dropout": 0.25,
    "dropout": 0.2,
    "weight_dropout": 0.4,
    "recurrent_dropout": 0.35,
    "zoneout_h": 0.15,
    "zoneout_c": 0.45,
}
LAYERS: dict[str, Any] = {
    "rnn": nn.RNN,
    "lstm": nn.LSTM,
    "gru": nn.GRU,
    "gru_before": lambda *sizes, **more: nn.GRU(*sizes, reset_after=False, **more),
    "peephole": nn.PeepholeLSTM,
    "coupled": nn.CoupledLSTM,
    "lstm_norm": nn.LayerNormLSTM,
    "gru_norm": nn.LayerNormGRU,
    "indrnn": nn.IndRNN,
    "slstm": nn.SLSTM,
    "mlstm": nn.MLSTM,
    "min_gru": nn.MinGRU,
    "min_lstm": nn.MinLSTM,
    "qrnn": nn.QRNN,
    "sru": nn.SRU,
    "rg_lru": nn.RGLRU,
    "lru": nn.LRU,
}
WITHOUT = {"rnn": ["recurrent_dropout", "zoneout_c"], "indrnn": ["recurrent_dropout", "zoneout_c"]}
WITHOUT |= {kind: ["zoneout_c"] for kind in ("gru", "gru_before", "gru_norm", "slstm")}
WITHOUT |= {kind: ["zoneout_h", "zoneout_c", "weight_dropout"] for kind in ("mlstm", "qrnn", "sru")}
WITHOUT |= {kind: ["zoneout_c", "weight_dropout"] for kind in ("min_gru", "min_lstm", "rg_lru")}
WITHOUT |= {"lru": ["recurrent_dropout", "zoneout_h", "zoneout_c", "weight_dropout"]}


def noisy(kind: str, **more: Any) -> Any:
    """Two layers, both directions, with every regulariser that the cell can have."""
    torch.manual_seed(1)
    rates = {name: share for name, share in RATES.items() if name not in WITHOUT.get(kind, [])}
    return LAYERS[kind](3, 4, 2, bidirectional=True, **{"dtype": torch.float64, **rates, **more})


def batch() -> tuple[Ragged, Ragged]:
    torch.manual_seed(2)
    lengths = torch.tensor(LENGTHS)
    return Ragged(torch.randn(9, 3, dtype=torch.float64), lengths), Ragged(torch.rand(9) < 0.3, lengths)


class Drawn:
    """Masks straight from the definition, in plain whole numbers."""

    def __init__(self, seed: int, layer: int, direction: int) -> None:
        self.place = seed, layer, direction

    def gone(self, kind: str, step: int, sequence: int, units: int) -> torch.Tensor:
        seed, layer, direction = self.place
        edge = round(RATES[kind] * 2**32)
        place = (seed, KINDS.index(kind), layer, direction, step, sequence)
        return torch.tensor([bits(*place, unit) < edge for unit in range(units)])

    def scale(self, kind: str, step: int, sequence: int, units: int) -> torch.Tensor:
        return (~self.gone(kind, step, sequence, units)).double() / (1 - RATES[kind])


def lstm_with_noise(layer: Any, seed: int, x: Ragged, reset: Ragged) -> list[torch.Tensor]:
    """The outputs of every sequence, one at a time, a step at a time; ``h`` follows the cell state before zoneout."""
    outputs = []
    for b, (rows, flags) in enumerate(zip(x, reset, strict=True)):
        values, length = rows, len(rows)
        for number in range(layer.num_layers):
            both = Drawn(seed, number, 0)
            values = values * both.scale("input_dropout", 0, b, values.shape[1])
            if number:
                values = values * torch.stack([both.scale("dropout", t, b, values.shape[1]) for t in range(length)])
            sides = [lstm_one_way(layer, Drawn(seed, number, end), b, values, flags) for end in (0, 1)]
            values = torch.cat(sides, 1)
            if not length:
                break
        outputs.append(values)
    return outputs


def lstm_one_way(layer: Any, masks: Drawn, b: int, values: torch.Tensor, flags: torch.Tensor) -> torch.Tensor:
    _, number, end = masks.place
    w = layer.layer_weights()[2 * number + end]
    hh = w.hh * torch.stack([masks.scale("weight_dropout", 0, row, 4) for row in range(16)])
    h, c, found = torch.zeros(4).double(), torch.zeros(4).double(), {}
    length = len(values)
    for t in sorted(range(length), reverse=bool(end)):
        if flags[t] if not end else t + 1 < length and flags[t + 1]:
            h, c = torch.zeros(4).double(), torch.zeros(4).double()
        i, f, g, o = (w.ih @ values[t] + w["bias_ih"] + hh @ h + w["bias_hh"]).chunk(4)
        g = g.tanh() * masks.scale("recurrent_dropout", t, b, 4)
        if "ci" in w:
            i, f = i + w["ci"] * c, f + w["cf"] * c
        fresh = f.sigmoid() * c + i.sigmoid() * g
        if "co" in w:
            o = o + w["co"] * fresh
        h = torch.where(masks.gone("zoneout_h", t, b, 4), h, o.sigmoid() * fresh.tanh())
        c = torch.where(masks.gone("zoneout_c", t, b, 4), c, fresh)
        found[t] = h * masks.scale("output_dropout", 0, b, 4)
    return torch.stack([found[t] for t in range(length)]) if length else values.new_zeros(0, 4)


@pytest.mark.parametrize("kind", ["lstm", "peephole"])
def test_all_regularisers_equal_the_loop(kind: str) -> None:
    layer, (x, reset) = noisy(kind), batch()
    torch.manual_seed(3)
    seed = int(torch.randint(2**63 - 1, (), dtype=torch.int64))
    torch.manual_seed(3)
    output, _ = layer(x, reset=reset)
    wanted = lstm_with_noise(layer, seed, x, reset)
    for ours, theirs in zip(output, wanted, strict=True):
        torch.testing.assert_close(ours, theirs if len(ours) else ours, atol=1e-14, rtol=0)


SERVING = [(kind, engine) for kind in LAYERS for engine in ENGINES if engine not in {"torch", "reference"}]
"""Engines held to the reference, which is held to the loop above; the torch engine refuses what is tested here."""


@pytest.mark.parametrize(("kind", "engine"), SERVING)
@pytest.mark.parametrize("training", [True, False])
def test_engines_draw_the_masks_of_the_reference(kind: str, engine: str, training: bool) -> None:
    layer, (x, reset) = noisy(kind, dtype=torch.float32).train(training), batch()
    found = []
    for name in ("reference", engine):
        rows = x.values.float().requires_grad_()
        torch.manual_seed(7)
        with force(name):
            try:
                output, _ = layer(Ragged(rows, x.lengths), reset=reset)
            except UsageError as refusal:
                pytest.skip(f"engine '{engine}' does not serve '{kind}' with noise: {refusal}")
        slopes = torch.autograd.grad(output.values.square().sum(), [rows, *layer.parameters()], allow_unused=True)
        found.append([output.values, *(slope for slope in slopes if slope is not None)])
    for ours, wanted in zip(*found, strict=True):
        torch.testing.assert_close(ours, wanted, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", LAYERS)
def test_one_seed_one_mask_in_every_form(kind: str) -> None:
    """Ragged, packed, padded batches and the compiled operator get the masks of torch's seed; another seed others."""
    layer, (x, reset) = noisy(kind), batch()
    torch.compiler.reset()
    compiled = torch.compile(copy.deepcopy(layer), fullgraph=True, backend="aot_eager", dynamic=False)
    padded, flags = to_padded(x), to_padded(reset)

    def seeded(call: Any, seed: int = 4) -> torch.Tensor:
        torch.manual_seed(seed)
        return call()

    wanted = seeded(lambda: to_padded(layer(x, reset=reset)[0]))
    found = [
        seeded(lambda: layer(padded, lengths=LENGTHS, reset=flags)[0]),
        seeded(lambda: compiled(padded, lengths=torch.tensor(LENGTHS), reset=flags)[0]),
    ]
    for one in found:
        torch.testing.assert_close(one, wanted, atol=1e-14, rtol=0)
    assert not torch.allclose(seeded(lambda: to_padded(layer(x, reset=reset)[0]), 5), wanted)
    full = Ragged(torch.cat([x[0], x[2], x[3]]), torch.tensor([3, 5, 1]))
    plain = seeded(lambda: to_packed_sequence(layer(full)[0]).data)
    torch.testing.assert_close(seeded(lambda: layer(to_packed_sequence(full))[0].data), plain, atol=1e-14, rtol=0)


@pytest.mark.parametrize("kind", LAYERS)
def test_outside_training_only_the_expectation_is_left(kind: str) -> None:
    layer, (x, _) = noisy(kind).eval(), batch()
    torch.manual_seed(1)
    plain = LAYERS[kind](3, 4, 2, bidirectional=True, dtype=torch.float64)
    before = torch.get_rng_state()
    found = layer(x)[0].values
    assert torch.equal(torch.get_rng_state(), before)
    held = any(layer.noise.rates[name] for name in ("zoneout_h", "zoneout_c"))
    assert torch.allclose(found, plain(x)[0].values) != held
    torch.compiler.reset()
    compiled = torch.compile(copy.deepcopy(layer), fullgraph=True, backend="aot_eager", dynamic=False)
    again = compiled(to_padded(x), lengths=torch.tensor(LENGTHS))[0]
    torch.testing.assert_close(again, to_padded(layer(x)[0]), atol=1e-14, rtol=0)


def test_expectation_of_zoneout() -> None:
    """``s = z s' + (1 - z) s~`` for both parts, where ``h~`` comes of the cell state before zoneout."""
    torch.manual_seed(1)
    layer = nn.LSTM(3, 4, zoneout_h=0.15, zoneout_c=0.45, dtype=torch.float64).eval()
    cell = nn.LSTMCell(3, 4, dtype=torch.float64)
    cell.load_state_dict({name.removesuffix("_l0"): weight for name, weight in layer.state_dict().items()})
    x, h, c = torch.randn(6, 2, 3).double(), torch.randn(2, 4).double(), torch.randn(2, 4).double()
    output, (last_h, last_c) = layer(x, (h.unsqueeze(0), c.unsqueeze(0)))
    for t in range(6):
        fresh_h, fresh_c = cell(x[t], (h, c))
        h, c = 0.15 * h + 0.85 * fresh_h, 0.45 * c + 0.55 * fresh_c
        torch.testing.assert_close(output[t], h, atol=1e-14, rtol=0)
    torch.testing.assert_close(last_h[0], h, atol=1e-14, rtol=0)
    torch.testing.assert_close(last_c[0], c, atol=1e-14, rtol=0)


def test_at_the_ends_of_the_scale() -> None:
    """All held: the state never moves. All candidates dropped: the cell only forgets. No W_hh: nothing is read."""
    x, state = torch.randn(5, 2, 3), (torch.randn(1, 2, 4), torch.randn(1, 2, 4))
    output, after = nn.LSTM(3, 4, zoneout_h=1.0, zoneout_c=1.0)(x, state)
    assert torch.equal(output, state[0].expand(5, 2, 4))
    assert torch.equal(after[1], state[1])
    forgetful = nn.LSTM(3, 4, recurrent_dropout=1.0)
    kept = forgetful.trace(x, state).traces[0]
    torch.testing.assert_close(kept.states.c[-1], kept.gates.f.prod(0) * state[1][0], atol=1e-6, rtol=0)
    blind = nn.GRU(3, 4, weight_dropout=1.0, bias=False)
    alone = torch.stack([blind(x[t : t + 1], torch.zeros(1, 2, 4))[1][0] for t in range(5)])
    h, gates = torch.zeros(2, 4), blind.trace(x).traces[0].gates
    for t in range(5):
        h = (1 - gates.z[t]) * gates.n[t] + gates.z[t] * h
    torch.testing.assert_close((1 - gates.z) * gates.n, alone, atol=1e-6, rtol=0)
    torch.testing.assert_close(blind(x)[1][0], h, atol=1e-6, rtol=0)
    assert not nn.IndRNN(3, 4, output_dropout=1.0)(x)[0].any()
    torch.testing.assert_close(
        nn.IndRNN(3, 4, input_dropout=1.0, bias=False)(x)[0], torch.zeros(5, 2, 4), atol=0, rtol=0
    )


@pytest.mark.parametrize("kind", LAYERS)
def test_derivatives_with_noise(kind: str) -> None:
    torch.manual_seed(1)
    rates = {name: share for name, share in RATES.items() if name not in WITHOUT.get(kind, []) and name != "dropout"}
    layer = LAYERS[kind](3, 4, dtype=torch.float64, **rates)
    names = list(dict(layer.named_parameters()))

    def values(rows: torch.Tensor, *weights: torch.Tensor) -> torch.Tensor:
        torch.manual_seed(6)
        given = Ragged(rows, torch.tensor([3, 1]))
        return torch.func.functional_call(layer, dict(zip(names, weights, strict=True)), (given,))[0].values

    leaves = [torch.randn(4, 3).double(), *(weight.detach().clone() for weight in layer.parameters())]
    assert torch.autograd.gradcheck(values, [leaf.requires_grad_() for leaf in leaves])


def test_under_vmap() -> None:
    """Gradients a sequence, all with the same masks or each with its own, as vmap is told."""
    torch.manual_seed(1)
    layer, x = nn.LSTM(3, 4, dtype=torch.float64, **{**RATES, "dropout": 0.0}), torch.randn(3, 5, 3).double()
    weights = {name: weight.detach() for name, weight in layer.named_parameters()}

    def loss(given: dict[str, torch.Tensor], rows: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(layer, given, (rows,))[0].square().sum()

    def slopes(randomness: str) -> dict[str, torch.Tensor]:
        torch.manual_seed(9)
        return torch.func.vmap(torch.func.grad(loss), (None, 0), randomness=randomness)(weights, x)

    same, different = slopes("same"), slopes("different")
    for b in range(3):
        torch.manual_seed(9)
        for name, wanted in torch.func.grad(loss)(weights, x[b]).items():
            torch.testing.assert_close(same[name][b], wanted, atol=1e-12, rtol=0)
    assert not torch.allclose(same["weight_hh_l0"], different["weight_hh_l0"])


def test_masks_around_the_recurrence_leave_the_engine_free() -> None:
    """Only what happens within the recurrence needs the reference engine; both engines then see the same masks."""
    free = nn.LSTM(3, 4, 2, dropout=0.2, input_dropout=0.3, output_dropout=0.3, weight_dropout=0.5)
    assert "reference" not in explain(free).split("trace")[0]
    x = torch.randn(5, 2, 3)
    found = []
    for engine in ("reference", "torch", "native"):
        torch.manual_seed(8)
        with force(engine):
            found.append(free(x)[0])
    torch.testing.assert_close(found[1:], found[:1] * 2, atol=1e-6, rtol=0)
    held = nn.LSTM(3, 4, zoneout_h=0.1)
    with force("torch"):
        for layer in (held, held.eval()):
            assert "PyTorch's kernels have neither recurrent dropout nor zoneout" in explain(layer)


def test_kept_over_a_sequence_and_drawn_at_every_step() -> None:
    torch.manual_seed(0)
    x = torch.randn(200, 3, 8)
    shown = nn.IndRNN(8, 64, nonlinearity="tanh", output_dropout=0.5)(x)[0] != 0
    assert torch.equal(shown, shown[:1].expand(200, 3, 64))
    assert len(shown[0].unique(dim=0)) == 3
    assert abs(float(shown[0].double().mean()) - 0.5) < 6 * 0.5 / 192**0.5
    held = nn.GRU(8, 64, zoneout_h=0.5).trace(x).traces[0].states.h
    still = (held[1:] == held[:-1]).double().mean((0, 1))
    assert float((still - 0.5).abs().max()) < 6 * 0.5 / 597**0.5


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (
            lambda: nn.RNN(3, 4, recurrent_dropout=0.1),
            ValueError,
            "recurrent_dropout= has nothing to act on",
        ),
        (lambda: nn.GRU(3, 4, zoneout_c=0.1), ValueError, "zoneout_c= has nothing to act on in cell 'gru'"),
        (lambda: nn.MLSTM(3, 4, zoneout_h=0.1), ValueError, "zoneout_h= has nothing to act on in cell 'mlstm'"),
        (lambda: nn.MLSTM(3, 4, weight_dropout=0.1), ValueError, "weight_dropout= has nothing to act on"),
        (lambda: nn.LSTM(3, 4, zoneout_h=1.5), ValueError, "zoneout_h should be a number in range"),
        (lambda: nn.LSTM(3, 4, input_dropout="half"), ValueError, "input_dropout should be a number in range"),
        (lambda: nn.LSTM(3, 4, zone_out_h=0.1), TypeError, "no option 'zone_out_h'. Did you mean 'zoneout_h'"),
        (lambda: nn.GRU(3, 4, forget_bias=1.0), ValueError, "forget_bias= is for an LSTM"),
        (lambda: nn.SLSTM(3, 4, learned_state=True), ValueError, "learned_state= is not for cell 'slstm'"),
        (lambda: nn.SLSTM(3, 4, num_heads=3), ValueError, "hidden_size 4 cannot be cut into 3 heads"),
        (lambda: nn.LayerNormGRU(3, 4, proj_size=2), ValueError, "proj_size argument is only supported for LSTM"),
        (lambda: nn.IndRNN(3, 4, nonlinearity="elu"), ValueError, "Unknown nonlinearity 'elu'"),
    ],
)
def test_options_that_do_not_fit(build: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        build()


def test_shown() -> None:
    layer = nn.PeepholeLSTM(3, 4, 2, dropout=0.5, zoneout_h=0.1, weight_dropout=0.2)
    assert repr(layer) == "PeepholeLSTM(3, 4, num_layers=2, dropout=0.5, weight_dropout=0.2, zoneout_h=0.1)"
    assert layer.noise == Noise(dropout=0.5, zoneout_h=0.1, weight_dropout=0.2)
    assert "num_heads=2" in repr(nn.SLSTM(3, 4, num_heads=2))
    assert "nonlinearity='tanh'" in repr(nn.IndRNN(3, 4, nonlinearity="tanh"))
