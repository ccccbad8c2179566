"""Fuzz: whatever a layer or an operator is given, it answers as the reference engine does, or says what is wrong.

A case is a dict of plain values and nothing else, so that it can be kept: ``corpus.jsonl`` holds those that once
failed, and a few of each sort. ``python tests/native/fuzz_layer.py --minutes 60`` draws cases from consecutive seeds
in a process of its own, which may die; a case that fails or kills it is printed as a line for the corpus.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from ostinato import nn
from ostinato.engines import force
from ostinato.errors import UsageError
from ostinato.sequences import Ragged

CORPUS = Path(__file__).with_name("corpus.jsonl")
BENT = {"rnn_relu", "indrnn"}
"""Layers whose gradients jump where a unit is 0."""
CLEAR = (ValueError, RuntimeError, TypeError, IndexError, NotImplementedError, UsageError)
"""What a wrong argument may raise (torch's own checks among them)."""
LAYERS: dict[str, tuple[str, dict[str, Any]]] = {
    "rnn": ("RNN", {}),
    "rnn_relu": ("RNN", {"nonlinearity": "relu"}),
    "lstm": ("LSTM", {}),
    "gru": ("GRU", {}),
    "gru_before": ("GRU", {"reset_after": False}),
    "peephole": ("PeepholeLSTM", {}),
    "coupled": ("CoupledLSTM", {}),
    "indrnn": ("IndRNN", {}),
    "lstm_projected": ("LSTM", {"proj_size": 3}),
    "peephole_projected": ("PeepholeLSTM", {"proj_size": 1}),
    "coupled_projected": ("CoupledLSTM", {"proj_size": 4}),
    "lstm_norm": ("LayerNormLSTM", {}),
    "gru_norm": ("LayerNormGRU", {}),
    "min_gru": ("MinGRU", {}),
    "min_lstm": ("MinLSTM", {}),
    "qrnn": ("QRNN", {}),
    "qrnn_1": ("QRNN", {"window": 1}),
    "sru": ("SRU", {}),
    "rg_lru": ("RGLRU", {}),
    "lru": ("LRU", {}),
}
NOISE = ("input_dropout", "output_dropout", "weight_dropout", "recurrent_dropout", "zoneout_h", "zoneout_c")
"""Not ``dropout``, whose masks torch's own generator draws where it is alone."""
SIZES = (1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 33, 40)
TOLERANCE = {torch.float64: 1e-9, torch.float32: 3e-4, torch.bfloat16: 0.2, torch.float16: 0.05}
Case = dict[str, Any]


class Wrong(Exception):  # noqa: N818
    """An answer that differs from the reference, or an error that says nothing."""


def draw(seed: int) -> Case:
    """The case of a seed. Most are right; one in three has something wrong with it."""
    dice = random.Random(seed)

    def rarely(usual: Any, *others: Any, share: float = 0.06) -> Any:
        return dice.choice(others) if dice.random() < share else usual

    layer, steps, batch = dice.choice(list(LAYERS)), dice.randint(0, 12), dice.choice((0, 1, 2, 3, 4, 5, 9, 14))
    units = dice.choice(SIZES) if "projected" not in layer else dice.choice(SIZES[3:])
    # What normalises a few nearly equal numbers divides by next to nothing: float32 has no digit to compare there.
    usual = "float64" if dice.random() < 0.4 or ("norm" in layer and units < 15) else "float32"
    form = dice.choice(("padded", "padded", "lengths", "lengths", "unbatched", "packed", "ragged"))
    return {
        "seed": seed,
        "layer": layer,
        "inputs": dice.choice(SIZES),
        "units": units,
        "layers": dice.choice((1, 1, 2)),
        "bidirectional": dice.random() < 0.4,
        "bias": dice.random() < 0.8,
        "batch_first": dice.random() < 0.4,
        "steps": steps,
        "batch": batch,
        "form": form,
        "lengths": [dice.randint(0 if form != "packed" else 1, max(steps, 1)) for _ in range(batch)],
        "dtype": rarely(usual, "bfloat16", "float16") if "norm" not in layer else usual,
        "input_dtype": rarely("same", "float32", "float64", "int64", "bool", "complex64", "bfloat16"),
        "input_size": rarely(0, 1, -1),
        "input_dims": rarely("right", "none", "one", "four", share=0.03),
        "stride": dice.choice(("plain", "plain", "transposed", "sliced", "expanded", "offset")),
        "values": rarely("normal", "nan", "inf", "huge", "denormal", "zero", share=0.25),
        "device": rarely("cpu", "meta", share=0.03),
        "state": dice.choice(("none", "given", "given", "strided"))
        if dice.random() < 0.9
        else dice.choice(("dtype", "size", "dims", "count", "meta")),
        "lengths_as": rarely("tensor", "list", "int32", "float", "long", "short", "negative", "2d", share=0.15),
        "packing": rarely("right", "rising", "short", "long", "negative", "zero", "int32", "empty", share=0.2),
        "reset": dice.choice(("none", "none", "given")) if dice.random() < 0.9 else dice.choice(("dtype", "size")),
        "threads": dice.choice((1, 1, 2, 3)),
        "grad": dice.choice(("no", "once", "once", "twice", "double", "changed", "inference", "frozen")),
        "autocast": dice.random() < 0.05,
        "operator": dice.random() < 0.15,
        "mistake": dice.randrange(14),
        "memory": dice.choice(("all", "low")),
        "noise": {name: dice.choice((0.25, 0.5, 1.0)) for name in NOISE if dice.random() < 0.2}
        if dice.random() < 0.4
        else {},
        "training": dice.random() < 0.8,
    }


def filled(case: Case, shape: tuple[int, ...], dtype: torch.dtype, number: int) -> Tensor:
    """Numbers of the case, strided as it says."""
    generator = torch.Generator().manual_seed(case["seed"] * 8 + number)
    wide = {"sliced": (*shape[:-1], 2 * shape[-1]), "expanded": (1, *shape[1:])}.get(case["stride"], shape)
    if case["stride"] == "transposed":
        wide = shape[::-1]
    values = torch.randn(wide, generator=generator)
    if case["stride"] == "offset":
        values = torch.cat([torch.zeros(1), values.flatten()])[1:].view(shape)
    spoil = {"nan": float("nan"), "inf": float("-inf"), "huge": 1e30, "denormal": 1e-41}.get(case["values"])
    if spoil is not None and values.numel() and number == 0:
        values.view(-1)[int(torch.randint(values.numel(), (), generator=generator))] = spoil
    if case["values"] == "zero":
        values = values * 0
    values = values.to(dtype) if not dtype.is_complex else torch.complex(values, values)
    if case["stride"] == "transposed":
        values = values.permute(*range(values.dim())[::-1])
    if case["stride"] == "sliced":
        values = values[..., ::2]
    return values.expand(shape) if case["stride"] == "expanded" else values


def lengths_of(case: Case) -> Any:
    """The lengths as the case gives them, some of them wrong."""
    lengths = torch.tensor(case["lengths"], dtype=torch.int64).clamp(max=case["steps"])
    match case["lengths_as"]:
        case "list":
            return lengths.tolist()
        case "int32":
            return lengths.int()
        case "float":
            return lengths.float()
        case "long":
            return lengths + 3
        case "short":
            return lengths[:-1]
        case "negative":
            return lengths - 4
        case "2d":
            return lengths.unsqueeze(0)
    return lengths


def packed(case: Case, width: int, dtype: torch.dtype) -> PackedSequence:
    """A PackedSequence, its batch sizes perhaps wrong."""
    lengths = sorted(case["lengths"], reverse=True)
    sizes = torch.tensor([sum(n > t for n in lengths) for t in range(max(lengths, default=0))], dtype=torch.int64)
    data = filled(case, (int(sizes.sum()), width), dtype, 0)
    if sizes.numel():
        match case["packing"]:
            case "rising":
                sizes[-1] += 5
            case "short":
                sizes = sizes[:-1]
            case "long":
                sizes = torch.cat([sizes, sizes[-1:]])
            case "negative":
                sizes[-1] = -sizes[-1]
            case "zero":
                sizes = torch.cat([sizes, torch.zeros(2, dtype=torch.int64)])
            case "int32":
                sizes = sizes.int()
            case "empty":
                sizes = sizes[:0]
    return PackedSequence(data, sizes)


def arguments(case: Case, layer: Any) -> tuple[list[Any], dict[str, Any], list[Tensor]]:
    """The arguments of the call, and what it can be differentiated by."""
    own = getattr(torch, case["dtype"])
    dtype = own if case["input_dtype"] == "same" else getattr(torch, case["input_dtype"])
    steps, batch, width = case["steps"], case["batch"], max(case["inputs"] + case["input_size"], 0)
    more: dict[str, Any] = {}
    if case["form"] == "packed":
        value: Any = packed(case, width, dtype)
        tensor, flags = value.data, value.data.shape[:1]
    elif case["form"] == "ragged":
        value = Ragged(filled(case, (sum(case["lengths"]), width), dtype, 0), torch.tensor(case["lengths"]).long())
        tensor, flags = value.values, value.values.shape[:1]
    else:
        shape: tuple[int, ...] = (batch, steps) if case["batch_first"] else (steps, batch)
        shape = (steps,) if case["form"] == "unbatched" else shape
        dims = {"none": (), "one": (width,), "four": (1, *shape, width)}.get(case["input_dims"], (*shape, width))
        value = tensor = filled(case, dims, dtype, 0) if dims else torch.zeros((), dtype=dtype)
        flags = torch.Size(shape)
        if case["form"] == "lengths":
            more["lengths"] = lengths_of(case)
    leaf = differentiable(case, tensor)
    moved = leaf.to(case["device"])
    if isinstance(value, PackedSequence):
        value = PackedSequence(moved, value.batch_sizes)
    else:
        value = Ragged(moved, value.lengths) if isinstance(value, Ragged) else moved
    if case["reset"] != "none":
        generator = torch.Generator().manual_seed(case["seed"])
        reset = torch.rand(flags, generator=generator) < 0.3
        more["reset"] = reset.float() if case["reset"] == "dtype" else reset[1:] if case["reset"] == "size" else reset
    hx, leaves = states(case, layer, own)
    return [value, hx], more, [leaf, *leaves]


def differentiable(case: Case, tensor: Tensor) -> Tensor:
    """The tensor, or one that a gradient goes to."""
    wanted = case["grad"] not in {"no", "inference"} and tensor.is_floating_point()
    return tensor.detach().requires_grad_() if wanted else tensor


def states(case: Case, layer: Any, dtype: torch.dtype) -> tuple[Any, list[Tensor]]:
    """The initial state, perhaps a wrong one."""
    if case["state"] == "none":
        return None, []
    rows = layer.num_layers * (2 if layer.bidirectional else 1)
    batch = len(case["lengths"]) if case["form"] in {"packed", "ragged"} else case["batch"]
    begin: tuple[int, ...] = (rows,) if case["form"] == "unbatched" else (rows, batch)
    shapes = [(*begin, *shape) for shape in layer.cell.state_shapes(layer.sizes())]
    if case["state"] == "size":
        shapes = [(*shape[:-1], shape[-1] + 1) for shape in shapes]
    if case["state"] == "dims":
        shapes = [(1, *shape) for shape in shapes]
    if case["state"] == "count":
        shapes.append(shapes[-1])
    dtype = torch.float32 if case["state"] == "dtype" and dtype != torch.float32 else dtype
    plain = case if case["state"] == "strided" else {**case, "stride": "plain"}
    parts = [differentiable(case, filled(plain, shape, dtype, 1 + i)) for i, shape in enumerate(shapes)]
    given = [part.to("meta") for part in parts] if case["state"] == "meta" else parts
    return (tuple(given) if len(given) > 1 else given[0]), parts


def built(case: Case) -> Any:
    """The layer."""
    name, options = LAYERS[case["layer"]]
    torch.manual_seed(case["seed"])
    layer = getattr(nn, name)(
        case["inputs"],
        case["units"],
        case["layers"],
        bias=case["bias"],
        batch_first=case["batch_first"],
        bidirectional=case["bidirectional"],
        dtype=getattr(torch, case["dtype"]),
        memory=case.get("memory", "all"),
        **case.get("noise", {}),
        **options,
    )
    return layer.train(case.get("training", True)).requires_grad_(case["grad"] != "frozen")


def flat(value: Any) -> list[Tensor]:
    """All tensors of an answer."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, PackedSequence):
        return [value.data]
    if isinstance(value, Ragged):
        return [value.values]
    return [tensor for part in value for tensor in flat(part)]


def answer(case: Case) -> list[Tensor]:
    """Outputs, final states and gradients of a case."""
    layer = built(case)
    given, more, leaves = arguments(case, layer)
    mode = torch.inference_mode() if case["grad"] == "inference" else torch.set_grad_enabled(case["grad"] != "no")
    with mode, torch.autocast("cpu", enabled=case["autocast"]):
        if case["seed"] % 2:  # a call that was made before goes by its plan
            drawn = torch.get_rng_state()
            layer(*given, **more)
            torch.set_rng_state(drawn)
        outputs = flat(layer(*given, **more))
    if case["grad"] in {"no", "inference"}:
        return outputs
    wanted = [leaf for leaf in [*leaves, *layer.parameters()] if leaf.requires_grad]
    loss = sum((out.float() * torch.arange(1, out.numel() + 1).view(out.shape).sin()).sum() for out in outputs)
    if not isinstance(loss, Tensor) or not loss.requires_grad or not wanted:  # no step: everything is constant
        return [*outputs, *map(torch.zeros_like, wanted * (2 if case["grad"] == "double" else 1))]
    if case["grad"] == "changed":  # what backward needs has changed: an error, never another answer
        with torch.no_grad():
            getattr(layer, "weight_hh_l0", layer.weight_ih_l0).add_(1)
    again, double = case["grad"] == "twice", case["grad"] == "double"
    first = torch.autograd.grad(loss, wanted, allow_unused=True, retain_graph=again or double, create_graph=double)
    if again:
        second = torch.autograd.grad(loss, wanted, allow_unused=True)
        compare(case, [g for g in first if g is not None], [g for g in second if g is not None], "a second backward")
    if double:
        # without a step some engines' gradients are constants, which is to say that the next ones are zero
        square = sum((g.square().sum() for g in first if g is not None), torch.zeros(()))
        more = torch.autograd.grad(square, wanted, allow_unused=True) if square.requires_grad else ()
        first += more or (None,) * len(wanted)
    order = wanted * (len(first) // len(wanted))
    return [*outputs, *(torch.zeros_like(x) if g is None else g for x, g in zip(order, first, strict=True))]


def compare(case: Case, mine: list[Tensor], right: list[Tensor], what: str) -> None:
    """The same shapes, dtypes and values; with NaN or infinite inputs, the same finite values where both are finite."""
    if len(mine) != len(right):
        raise Wrong(f"{what}: {len(mine)} tensors instead of {len(right)}")
    for number, (a, b) in enumerate(zip(mine, right, strict=True)):
        if a.shape != b.shape or (a.dtype != b.dtype and not case["autocast"]):
            raise Wrong(f"{what} {number}: {a.dtype} {tuple(a.shape)} instead of {b.dtype} {tuple(b.shape)}")
        if a.is_meta or not a.numel():
            continue
        a, b = a.detach().double(), b.detach().double()
        usual = case["values"] in {"normal", "zero", "denormal"}
        known = b.isfinite() if usual else a.isfinite() & b.isfinite()
        tolerance = TOLERANCE[getattr(torch, case["dtype"])] * (1 + 30 * (case["grad"] == "double"))
        if case["autocast"]:
            tolerance = max(tolerance, 0.2)
        scale = max(1.0, float(b[known].abs().max()) if bool(known.any()) else 1.0)
        if scale > 1e6:  # sums of huge numbers keep no digit
            continue
        coarse = case["autocast"] or case["dtype"] == "bfloat16"
        if coarse and case["layer"] in BENT and number:  # near 0 a rounding decides whether a unit is on
            continue
        error = float((a - b)[known].abs().max()) if bool(known.any()) else 0.0
        if not error <= tolerance * scale:
            raise Wrong(f"{what} {number}: off by {error:.3g} of {scale:.3g}")


def clean_sequences(case: Case, mine: list[Tensor], right: list[Tensor]) -> None:
    """A NaN of one sequence never reaches the outputs of another: where the reference is finite, so is the answer."""
    if bool((right[0].isfinite() & ~mine[0].isfinite()).any()):
        raise Wrong("a value that is no number reached an output it has no part in")


def attempt(case: Case) -> tuple[list[Tensor] | None, str]:
    """The answer, or the error."""
    try:
        return answer(case), ""
    except CLEAR as error:
        text = f"{type(error).__name__}: {error}"
        if not str(error).strip() or "INTERNAL ASSERT" in text:
            raise Wrong(f"an error that says nothing: {text}") from error
        return None, text


def run_layer(case: Case) -> str:
    """One case through the layer, held to the reference engine."""
    mine, error = attempt(case)
    with force("reference"):
        right, reference_error = attempt({**case, "grad": "once"} if case["grad"] == "changed" else case)
    if case["grad"] == "changed" and mine is not None and right is not None and len(mine) > 3:
        outputs = len(flat(mine[:1]))
        compare(case, mine[:outputs], right[:outputs], "outputs")
        return "changed weights"
    mixed = (
        case["autocast"] and case["dtype"] == "float64"
    )  # a product of bfloat16 and float64 is refused, if any is made
    if mine is None and right is not None and case["grad"] != "changed" and not mixed:
        raise Wrong(f"refused what the reference answers: {error}")
    if mine is None:
        return f"refused: {error.split(':')[0]}"
    if right is None:
        if case["autocast"] or "float16" in case["dtype"]:
            return "served beyond the reference"
        raise Wrong(f"answered what the reference refuses: {reference_error}")
    try:
        compare(case, mine, right, "result")
    except Wrong:
        if not case["autocast"]:
            raise
        with force("reference"):  # whose autocast rounds where the kernels need not
            exact, error = attempt({**case, "autocast": False})
        if exact is None:
            raise Wrong(f"off under autocast, and without it refused: {error}") from None
        compare(case, mine, exact, "result")
    # torch.nn's own LSTM of bfloat16, which autocast asks for, makes NaN of every infinite input
    if case["values"] in {"nan", "inf"} and not mine[0].is_meta and not case["autocast"]:
        clean_sequences(case, mine, right)
    return "answered"


def run_operator(case: Case) -> str:
    """The operator itself, one of its arguments wrong."""
    if case["layer"] not in {"rnn", "rnn_relu", "lstm", "gru"}:
        return "no operator"
    forward = torch.ops.ostinato.native_forward.default
    dtype = torch.float64 if case["dtype"] == "float64" else torch.float32
    units, directions = case["units"], 2 if case["bidirectional"] else 1
    gates, parts = {"lstm": (4, 2), "gru": (3, 1)}.get(case["layer"], (1, 1))
    value = packed({**case, "form": "packed"}, case["inputs"], dtype)
    x, sizes = value.data.contiguous(), value.batch_sizes
    batch = int(sizes[0]) if sizes.numel() and int(sizes[0]) > 0 else 1
    state = [filled(case, (directions, batch, units), dtype, 1 + i) for i in range(parts)]
    flags = torch.zeros(directions, x.shape[0], dtype=torch.bool)
    shapes = [(gates * units, case["inputs"]), (gates * units, units), (gates * units,), (gates * units,)] * directions
    weights = [filled(case, shape, dtype, 3) for shape in shapes]
    cell, form = case["layer"], [case["bidirectional"], False]
    changes: list[Any] = [
        lambda: x.__class__(x)[:, 1:],
        lambda: x.to(torch.int64),
        lambda: x[:-1],
        lambda: x.unsqueeze(0),
        lambda: x.to("meta"),
    ]
    mistake = case["mistake"]
    if mistake < len(changes):
        x = changes[mistake]()
    match mistake:
        case 5:
            state = state[:-1]
        case 6:
            state[0] = state[0][:, :-1]
        case 7:
            weights[0] = weights[0].t()
        case 8:
            weights = weights[:-1]
        case 9:
            weights[1] = weights[1].to(torch.float16)
        case 10:
            flags = flags[:, 1:]
        case 11:
            flags = flags.float()
        case 12:
            cell = "no such cell"
    try:
        places = torch.arange(x.shape[0]).flip(0) if case["seed"] % 2 else None
        result = forward([x, *state], [sizes, flags, None, places], weights, cell, [], 0, form, 1)
    except CLEAR as error:
        return f"operator refused: {type(error).__name__}"
    if any(not part.is_meta and part.shape[-1] != units * directions for part in result[:1]):
        raise Wrong("an operator's output has another width")
    return "operator answered"


def run(case: Case) -> str:
    """One case; raises :class:`Wrong`, or anything that no wrong argument may raise."""
    torch.set_num_threads(case["threads"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return run_operator(case) if case["operator"] else run_layer(case)


def work(first: int, count: int) -> None:
    """Run cases, each announced before it begins, so that the parent knows which one killed the process."""
    outcomes: Counter[str] = Counter()
    for seed in range(first, first + count):
        print(f"at {seed}", flush=True)
        try:
            outcomes[run(draw(seed))] += 1
        except Exception:
            print(f"found {seed} {json.dumps(traceback.format_exc(limit=-3))}", flush=True)
    print(f"outcomes {json.dumps(outcomes)}", flush=True)


def main() -> int:
    """Fuzz for some minutes; the exit status says whether something was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--work", type=int, default=0, help="run so many cases in this process")
    options = parser.parse_args()
    if options.work:
        work(options.first, options.work)
        return 0
    end, seed, cases, found = time.monotonic() + 60 * options.minutes, options.first, 0, 0
    outcomes: Counter[str] = Counter()
    while time.monotonic() < end:
        command = [sys.executable, __file__, "--first", str(seed), "--work", "500"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                kind, _, text = line.strip().partition(" ")
                if kind == "at":
                    seed, cases = int(text) + 1, cases + 1
                elif kind == "found":
                    found += 1
                    number, _, trace = text.partition(" ")
                    print(json.dumps(draw(int(number))), json.loads(trace), sep="\n", flush=True)
                elif kind == "outcomes":
                    outcomes.update(json.loads(text))
        if process.returncode:
            found += 1
            print(f"the process died ({process.returncode}) at", json.dumps(draw(seed - 1)), flush=True)
        print(f"{cases} cases to seed {seed - 1}, {found} findings: {dict(outcomes)}", flush=True)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
