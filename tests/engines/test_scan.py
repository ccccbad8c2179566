"""The scan kernels and their operators: instruction sets, widths, threads, and what torch asks of an operator."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from ostinato.cells import CELLS, Sizes, Weights
from ostinato.engines import Request, choose, force, run
from ostinato.engines import scan_operators as operators
from ostinato.engines.core import MISSING
from ostinato.engines.scan_equations import scanned
from ostinato.engines.scan_operators import KERNELS, run_scan, scan, scan_backward
from ostinato.sequences import Ragged, pack

pytestmark = pytest.mark.skipif(MISSING is not None, reason=f"the scan engine cannot serve: {MISSING}")

WIDTHS = [1, 2, 3, 7, 15, 16, 17, 31, 33, 64, 65, 130]
SIZES = [5, 5, 4, 2, 2, 1, 1]
SLOTS = 7
ISAS = [] if MISSING is not None else operators.native.isas()

TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-5}
"""Of max |a - b| / max(1, max |b|): some ten rounded operations a step, sums over 20 rows."""


@pytest.fixture(autouse=True)
def poisoned(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a kernel does not write is NaN."""
    new = operators.Call.new
    monkeypatch.setattr(operators.Call, "new", lambda call, shape: new(call, shape).fill_(float("nan")))


@pytest.fixture(params=ISAS)
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    before = operators.native.isa()
    assert operators.native.choose_isa(request.param)
    yield request.param
    operators.native.choose_isa(before)


@pytest.fixture(params=[1, 2, 3])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def draw(kernel: str, units: int, rows: int, slots: int, dtype: torch.dtype = torch.float64) -> list[Any]:
    """Operands that are float32 numbers, so that both dtypes start alike."""
    k = KERNELS[kernel]

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape).to(dtype).requires_grad_()

    vectors = None
    if k.vectors:
        vectors = (torch.randn(k.vectors, units) * 0.5).to(dtype)
        vectors = (-vectors.abs() - 0.1 if kernel == "rg_lru" else vectors).requires_grad_()
    return [normal(rows, k.gates * units), normal(rows, units) if k.skips else None, vectors,
            normal(slots, k.states * units)]  # fmt: skip


def compare(operands: list[Any], flow: tuple[Any, Any], kernel: str, reverse: bool) -> None:
    """Values and gradients of the operator against the equations in float64."""
    exact = [None if part is None else part.detach().double().requires_grad_() for part in operands]
    wanted = scanned(tuple(exact), flow, kernel, reverse=reverse)
    found = run_scan(*operands, *flow, kernel, reverse, True)
    with torch.no_grad():
        silent = run_scan(*operands, *flow, kernel, reverse, False)
    upstream = [torch.randn_like(part) for part in found]
    leaves, others = ([part for part in side if part is not None] for side in (operands, exact))
    slopes = torch.autograd.grad(found, leaves, upstream)
    right = torch.autograd.grad(wanted, others, [part.double() for part in upstream])
    for ours, theirs in zip((*found, *silent, *slopes), (*wanted, *wanted, *right), strict=True):
        assert ours.shape == theirs.shape
        error = (ours.double() - theirs).detach().abs().max() / theirs.detach().abs().max().clamp(min=1)
        assert float(error) <= TOLERANCE[ours.dtype], f"off by {float(error):.3g}"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("kernel", KERNELS)
def test_every_instruction_set_and_width(isa: str, kernel: str, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    sizes = torch.tensor(SIZES)
    for units in WIDTHS:
        for reverse in (False, True):
            for reset in (None, torch.rand(sum(SIZES)) < 0.3):
                compare(draw(kernel, units, sum(SIZES), SLOTS, dtype), (sizes, reset), kernel, reverse)


@pytest.mark.parametrize("kernel", KERNELS)
def test_threads_share_slots_or_units(threads: int, kernel: str) -> None:
    """Enough work for three threads: many slots of unequal lengths, then a few of many units."""
    torch.manual_seed(1)
    for sizes, units in (([40] * 9 + [21] * 20 + [3] * 7, 130), ([2] * 80 + [1] * 20, 643)):
        rows = sum(sizes)
        for reset in (None, torch.rand(rows) < 0.1):
            compare(draw(kernel, units, rows, sizes[0] + 1), (torch.tensor(sizes), reset), kernel, False)


@pytest.mark.parametrize("kernel", KERNELS)
def test_large_results_past_the_caches(isa: str, kernel: str) -> None:
    torch.manual_seed(2)
    operands = draw(kernel, 256, 40 * 120, 120)
    assert operands[0].numel() * 8 > 16 << 20
    compare(operands, (torch.tensor([120] * 40), None), kernel, False)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("kernel", KERNELS)
def test_every_derivative(kernel: str, reverse: bool) -> None:
    torch.manual_seed(3)
    operands = draw(kernel, 3, 9, 4)
    there = [part for part in operands if part is not None]
    flow = torch.tensor([3, 3, 2, 1]), torch.tensor([0, 1, 0, 0, 0, 1, 0, 0, 1]).bool()

    def values(*given: torch.Tensor) -> Any:
        parts = iter(given)
        return run_scan(*(None if part is None else next(parts) for part in operands), *flow, kernel, reverse, True)

    assert torch.autograd.gradcheck(values, there)
    assert torch.autograd.gradgradcheck(values, there)
    third = values(*there)[0].square().sum()
    for _ in range(3):
        third = torch.autograd.grad(third, there[0], create_graph=True)[0].square().sum()
    wanted = scanned(tuple(operands), flow, kernel, reverse=reverse)[0].square().sum()
    for _ in range(3):
        wanted = torch.autograd.grad(wanted, there[0], create_graph=True)[0].square().sum()
    torch.testing.assert_close(third, wanted, atol=0, rtol=1e-9)


@pytest.mark.parametrize("kernel", KERNELS)
def test_under_torch_func(kernel: str) -> None:
    """vmap over every operand or some, grad, vmap of grad, grad of grad, against a loop."""
    torch.manual_seed(4)
    many = [draw(kernel, 5, 9, 4) for _ in range(3)]
    flow = torch.tensor([3, 3, 2, 1]), torch.tensor([0, 1, 0, 0, 0, 1, 0, 0, 1]).bool()
    names = [k for k, part in enumerate(many[0]) if part is not None]

    def values(*given: torch.Tensor) -> Any:
        full: list[Any] = [None] * 4
        for k, part in zip(names, given, strict=True):
            full[k] = part
        return run_scan(*full, *flow, kernel, False, True)

    def loss(*given: torch.Tensor) -> torch.Tensor:
        return sum(part.square().sum() for part in values(*given))  # type: ignore[return-value]

    inputs = [[one[k].detach() for one in many] for k in names]
    every = tuple(range(len(names)))
    for dims in ((0,) * len(names), (None, *(1,) * (len(names) - 1)), (1, *(None,) * (len(names) - 1))):
        stacked = [part[0] if dim is None else torch.stack(part, dim) for part, dim in zip(inputs, dims, strict=True)]
        mapped = torch.func.vmap(values, in_dims=dims)(*stacked)
        slopes = torch.func.vmap(torch.func.grad(loss, argnums=every), in_dims=dims)(*stacked)
        for b in range(3):
            alone = [part[0 if dim is None else b] for part, dim in zip(inputs, dims, strict=True)]
            for ours, wanted in zip(mapped, values(*alone), strict=True):
                torch.testing.assert_close(ours[b], wanted, atol=1e-13, rtol=0)
            leaves = [part.clone().requires_grad_() for part in alone]
            for ours, wanted in zip(slopes, torch.autograd.grad(loss(*leaves), leaves), strict=True):
                torch.testing.assert_close(ours[b], wanted, atol=1e-12, rtol=0)

    def steep(x: torch.Tensor) -> torch.Tensor:
        return torch.func.grad(loss)(x, *[part[0] for part in inputs[1:]]).square().sum()

    leaf = inputs[0][0].clone().requires_grad_()
    slope = torch.autograd.grad(loss(leaf, *[part[0] for part in inputs[1:]]), leaf, create_graph=True)[0]
    wanted = torch.autograd.grad(slope.square().sum(), leaf)[0]
    torch.testing.assert_close(torch.func.grad(steep)(inputs[0][0]), wanted, atol=1e-11, rtol=1e-11)


@pytest.mark.parametrize("kernel", KERNELS)
def test_operators_are_well_made(kernel: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # opcheck wants results that are the same twice, and what is not there holds nothing
    operands = draw(kernel, 5, sum(SIZES), SLOTS, torch.float32)
    flow = torch.tensor(SIZES), torch.rand(sum(SIZES)) < 0.3
    torch.library.opcheck(scan, (*operands, *flow, kernel, False, True))
    y, last, kept = scan(*operands, *flow, kernel, False, True)
    states = kept if KERNELS[kernel].apart else y
    upstream = [torch.randn_like(part).requires_grad_() for part in (y, last)]
    # Its derivative is a loop over the batch sizes, which are data: it cannot be traced with open sizes.
    checks = ("test_schema", "test_autograd_registration", "test_faketensor")
    given = (*upstream, *operands, states.detach(), *flow, kernel, False)
    torch.library.opcheck(scan_backward, given, test_utils=checks)


@pytest.mark.parametrize("kernel", KERNELS)
def test_compiled_whole(kernel: str) -> None:
    torch.compiler.reset()
    torch.manual_seed(5)
    operands = draw(kernel, 5, sum(SIZES), SLOTS)
    there = [part for part in operands if part is not None]

    def loss(*given: Any) -> torch.Tensor:
        y, last, _ = scan(*given, torch.tensor(SIZES), None, kernel, False, True)
        return y.square().sum() + last.sum()

    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    found = torch.autograd.grad(compiled(*operands), there)
    for ours, wanted in zip(found, torch.autograd.grad(loss(*operands), there), strict=True):
        torch.testing.assert_close(ours, wanted, atol=1e-13, rtol=0)


def test_numbers_beyond_reason() -> None:
    """Huge gates saturate as in the equations, with finite gradients; a NaN stays with its unit and its sequence."""
    torch.manual_seed(6)
    for kernel in KERNELS:
        operands = draw(kernel, 17, sum(SIZES), SLOTS, torch.float32)
        if kernel != "lru":
            operands[0] = (operands[0].detach() * 10 ** (torch.rand_like(operands[0]) * 4)).requires_grad_()
        y, last, _ = scan(*operands, torch.tensor(SIZES), None, kernel, False, True)
        wanted = scanned(tuple(operands), (torch.tensor(SIZES), None), kernel, reverse=False)
        for ours, theirs in zip((y, last), wanted, strict=True):
            bound = TOLERANCE[torch.float32] * max(1.0, float(theirs.detach().abs().max()))
            torch.testing.assert_close(ours, theirs, atol=bound, rtol=0)
        there = [part for part in operands if part is not None]
        assert all(slope.isfinite().all() for slope in torch.autograd.grad(y.sum() + last.sum(), there))
        hurt = [None if part is None else part.detach().clone() for part in operands]
        hurt[0][6, 3] = float("nan")  # the second sequence in its second step, the fourth unit
        broken = scan(*hurt, torch.tensor(SIZES), None, kernel, False, False)[0]
        rows = torch.arange(sum(SIZES))[:, None].expand(-1, broken.shape[1])
        units = (torch.arange(broken.shape[1]) % 17).expand(sum(SIZES), -1)
        assert (broken.isnan() <= (rows >= 6) & (units == 3)).all()
        assert broken[6, 3].isnan() or kernel == "sru_projected"
        assert torch.equal(broken[~broken.isnan()], y[~broken.isnan()])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("kernel", ["min_gru", "min_lstm", "qrnn"])
def test_infinite_gates_decide(isa: str, kernel: str, dtype: torch.dtype) -> None:
    """Every combination of gates, infinite and huge ones among them: where the equations are finite, so is the answer.

    A state of usual size stays beside a candidate of 1e30 that a closed gate keeps out.
    """
    some = torch.tensor([-math.inf, -1e30, -100.0, -1.0, 0.5, 100.0, 1e30, math.inf], dtype=dtype)
    pre = torch.cartesian_prod(*[some] * KERNELS[kernel].gates).requires_grad_()
    first = torch.full((len(pre), 1), 0.75, dtype=dtype, requires_grad=True)
    sizes = torch.tensor([len(pre)])
    results = []
    for y, last in (
        scan(pre, None, None, first, sizes, None, kernel, False, True)[:2],
        scanned((pre, None, None, first), (sizes, None), kernel, reverse=False),
    ):
        results.append([y, last, *torch.autograd.grad(y.sum() + last.sum(), [pre, first])])
    for ours, theirs in zip(*results, strict=True):
        finite = theirs.isfinite()
        assert finite.double().mean() > 0.5
        torch.testing.assert_close(ours[finite], theirs[finite], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("rows", [[], [0, 0]])
def test_nothing_to_do(rows: list[int]) -> None:
    for kernel in KERNELS:
        operands = draw(kernel, 3, 0, len(rows))
        flow = torch.zeros(0, dtype=torch.int64), torch.zeros(0, dtype=torch.bool)
        y, last = run_scan(*operands, *flow, kernel, False, True)
        assert y.shape[0] == 0
        assert torch.equal(last, operands[3])
        assert torch.equal(torch.autograd.grad(last.sum(), operands[3])[0], torch.ones_like(last))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a[0].half(), "float32 or float64, not torch.float16"),
        (lambda a: a[0][:, :-1], "expected"),
        (lambda a: a[0].to("meta"), "Cannot|cannot|meta|on the CPU"),
    ],
)
def test_operands_that_do_not_fit(change: Any, message: str) -> None:
    operands = [None if part is None else part.detach() for part in draw("min_gru", 4, sum(SIZES), SLOTS)]
    operands[0] = change(operands)
    with pytest.raises((ValueError, RuntimeError, NotImplementedError), match=message):
        scan(*operands, torch.tensor(SIZES), None, "min_gru", False, False)[0].sum().item()


@pytest.mark.parametrize(
    ("sizes", "reset", "message"),
    [
        (torch.tensor([5, 6]), None, "never rise"),
        (torch.tensor([8, 8, 4]), None, "never rise"),
        (torch.tensor([7, 6]), None, "add up"),
        (torch.tensor([7.0]), None, "int64"),
        (torch.tensor(SIZES), torch.zeros(3, dtype=torch.bool), "bool tensor"),
        (torch.tensor(SIZES), torch.zeros(20), "bool tensor"),
    ],
)
def test_rows_that_do_not_fit(sizes: torch.Tensor, reset: Any, message: str) -> None:
    operands = draw("min_gru", 4, sum(SIZES), SLOTS)
    with torch.no_grad(), pytest.raises(ValueError, match=message):
        scan(*operands, sizes, reset, "min_gru", False, False)
    with pytest.raises(ValueError, match="missing"), torch.no_grad():
        scan(operands[0], operands[0], None, operands[3], torch.tensor(SIZES), None, "min_gru", False, False)
    apart = draw("qrnn", 4, sum(SIZES), SLOTS)
    with pytest.raises(ValueError, match="keep=True"):
        scan(*apart, torch.tensor(SIZES), None, "qrnn", False, False)


def request(cell: str, inputs: int, hidden: int, heads: int = 1, **more: Any) -> Request:
    """Non-zero states, unequal lengths, flags."""
    torch.manual_seed(7)
    sizes, lengths = Sizes(inputs, hidden, hidden, heads=heads), [5, 0, 7, 2, 1]
    weights = {name: torch.randn(shape).double() * 0.5 for name, shape in CELLS[cell].shapes(sizes).items()}
    rows = pack(Ragged(torch.randn(15, inputs).double(), torch.tensor(lengths)))
    state = CELLS[cell].State(*(torch.randn(5, *shape).double() for shape in CELLS[cell].state_shapes(sizes)))
    return Request(CELLS[cell], Weights(**weights), rows, state, torch.rand(15) < 0.3, **more)


@pytest.mark.parametrize(
    ("cell", "inputs", "hidden", "heads"),
    [("sru", 6, 6, 1), ("rg_lru", 6, 6, 1), ("rg_lru", 6, 6, 3), ("rg_lru", 4, 6, 2), ("qrnn", 6, 6, 1)],
)
@pytest.mark.parametrize("reverse", [False, True])
def test_widths_and_heads_against_the_reference(cell: str, inputs: int, hidden: int, heads: int, reverse: bool) -> None:
    """Inputs as wide as the state, and gates in blocks, which the parity suite has not."""
    asked = request(cell, inputs, hidden, heads, reverse=reverse)
    leaves = [asked.rows.data, *asked.state, *asked.weights.values()]
    for leaf in leaves:
        leaf.requires_grad_()
    results = []
    for engine in ("scan", "reference"):
        with force(engine):
            result = run(asked)
        values = [result.output, *result.state]
        torch.manual_seed(8)
        upstream = [torch.randn_like(part) for part in values]
        slopes = torch.autograd.grad(values, leaves, upstream, allow_unused=True, materialize_grads=True)
        results.append([*values, *slopes])
    for ours, wanted in zip(*results, strict=True):
        torch.testing.assert_close(ours, wanted, atol=1e-12, rtol=0)


def test_what_it_refuses() -> None:
    asked = request("min_gru", 3, 4)
    assert choose(asked).engine.name == "scan"
    engine = choose(asked).engine
    assert "not a recurrence element by element" in str(engine.refuses(request("gru", 3, 4)))
    assert "states and gates" in str(engine.refuses(request("min_gru", 3, 4, trace=True)))
    half = Request(asked.cell, Weights(**{k: w.half() for k, w in asked.weights.items()}), asked.rows, asked.state)
    assert "float32 or float64" in str(engine.refuses(half))
    assert "C++ scan" in engine.how(asked)


def test_autocast() -> None:
    """Products in bfloat16, the recurrence in float32."""
    for cell in ("min_gru", "sru", "qrnn", "rg_lru", "lru"):
        asked = request(cell, 6, 6)
        single = Request(
            asked.cell,
            Weights(**{name: weight.float() for name, weight in asked.weights.items()}),
            asked.rows.with_data(asked.rows.data.float()),
            CELLS[cell].State(*(part.float() for part in asked.state)),
        )
        with torch.autocast("cpu", torch.bfloat16), force("scan"):
            low = run(single).output
        high = run(single).output
        assert low.dtype == torch.float32
        assert 0 < float((low - high).abs().max()) < 0.1 * float(high.abs().max())
