"""The scan kernels beside what their authors publish for PyTorch, and beside the memory's own rate, in one run.

``python -m benchmarks.scan [--threads N] [--sizes T,B,H ...]`` prints, for every kernel and size, the times of forward
and of forward with backward, the ratio to the fastest published form, and the share of the bandwidth that a PyTorch
triad over arrays larger than the caches reaches between the same repetitions. Bytes are counted once: gates, skip and
output; in backward also states and gradients. The products before the scan are in neither side.

For minGRU and minLSTM the published form is the scan of logarithms by cumulative sums (Feng et al. 2024, appendix B);
for the others a loop over steps, which is what their authors' code does on a CPU. Both sides are first checked against
the equations in float64.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import softplus

from ostinato.engines.scan_equations import scanned
from ostinato.engines.scan_operators import KERNELS, scan

SIZES = ["100,32,128", "1000,32,256", "1000,1,512", "128,64,1024"]
REPEATS = 15
LIMITS = {"loop": 1e-4, "logarithms": 2e-2}
"""How far a peer may be from float64: float32 logarithms that grow with time lose digits."""


def in_logarithms(pre: Tensor, first: Tensor, kernel: str, steps: int) -> Tensor:
    """Outputs ``(N, H)`` of minGRU or minLSTM, from positive states."""
    gates = pre.unflatten(0, (steps, -1)).chunk(KERNELS[kernel].gates, -1)
    if kernel == "min_gru":
        log_write, log_keep = -softplus(-gates[0]), -softplus(gates[0])
    else:
        odds = softplus(-gates[1]) - softplus(-gates[0])
        log_write, log_keep = -softplus(-odds), -softplus(odds)
    candidate = gates[-1]
    log_candidate = torch.where(candidate >= 0, (torch.relu(candidate) + 0.5).log(), -softplus(-candidate))
    decay = torch.cat([torch.zeros_like(log_keep[:1]), log_keep.cumsum(0)])
    values = torch.cat([first.log().unsqueeze(0), log_write + log_candidate])
    return (decay + torch.logcumsumexp(values - decay, 0)).exp()[1:].flatten(0, 1)


def seconds(calls: dict[str, Callable[[], object]]) -> dict[str, list[float]]:
    """All calls in turn, again and again, the first round unread: what disturbs one disturbs the others.

    With one thread the processor's time is read, which does not count what other programs take.
    """
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    found: dict[str, list[float]] = {name: [] for name in calls}
    for repeat in range(REPEATS + 1):
        for name, call in calls.items():
            begin = clock()
            call()
            if repeat:
                found[name].append(clock() - begin)
    return found


def operands(kernel: str, steps: int, batch: int, units: int) -> list[Any]:
    """Random ones; states are positive, as logarithms need them."""
    k, rows = KERNELS[kernel], steps * batch
    vectors = -0.1 - torch.rand(k.vectors, units) * 0.5 if k.vectors else None
    skip = torch.randn(rows, units) if k.skips else None
    return [torch.randn(rows, k.gates * units), skip, vectors, torch.rand(batch, k.states * units) + 0.1]


def compare(kernel: str, steps: int, batch: int, units: int) -> None:
    """One line a kernel and size."""
    torch.manual_seed(0)
    k, given, sizes = KERNELS[kernel], operands(kernel, steps, batch, units), torch.full((steps,), batch)
    peer = "logarithms" if kernel.startswith("min_") else "loop"

    def ours(parts: list[Any]) -> Tensor:
        return scan(*parts, sizes, None, kernel, False, torch.is_grad_enabled())[0]

    def theirs(parts: list[Any]) -> Tensor:
        if peer == "logarithms":
            return in_logarithms(parts[0], parts[3], kernel, steps)
        return scanned((parts[0], parts[1], parts[2], parts[3]), (sizes, None), kernel, reverse=False)[0]

    exact = [None if part is None else part.double() for part in given]
    wanted = scanned((exact[0], exact[1], exact[2], exact[3]), (sizes, None), kernel, reverse=False)[0]  # type: ignore[arg-type]
    for name, side, limit in (("ours", ours, 1e-4), (peer, theirs, LIMITS[peer])):
        off = float((side(given).double() - wanted).abs().max() / wanted.abs().max().clamp(min=1))
        assert off < limit, f"{name} is off by {off:.2g} in {kernel}"
    leaves = [None if part is None else part.clone().requires_grad_() for part in given]
    upstream = torch.randn_like(wanted, dtype=torch.float32)

    def learn(side: Callable[[list[Any]], Tensor]) -> object:
        return torch.autograd.grad(side(leaves), [part for part in leaves if part is not None], upstream)

    def look(side: Callable[[list[Any]], Tensor]) -> object:
        with torch.no_grad():
            return side(given)

    a, b, c = (torch.ones(24 << 20) for _ in range(3))
    times = seconds(
        {
            "triad": lambda: torch.add(a, b, alpha=3, out=c),
            "forward": lambda: look(ours),
            "peer forward": lambda: look(theirs),
            "both": lambda: learn(ours),
            "peer both": lambda: learn(theirs),
        }
    )
    best = {name: min(samples) for name, samples in times.items()}
    middle = {name: statistics.median(samples) for name, samples in times.items()}
    output = 1 if k.apart else k.states
    reads = k.gates + k.skips
    forward, both = reads + output, 3 * reads + 2 * output + 2 * k.states + (k.apart and k.states)
    rate, row = 3 * 4 * a.numel() / best["triad"], 4 * steps * batch * units
    print(
        f"{kernel:14}{steps:6}{batch:5}{units:6}   forward {best['forward'] * 1e3:8.3f} ms, "
        f"{middle['peer forward'] / middle['forward']:6.1f} x {peer}, {forward * row / best['forward'] / rate:4.0%}"
        f"   both {best['both'] * 1e3:8.3f} ms, {middle['peer both'] / middle['both']:6.1f} x, "
        f"{both * row / best['both'] / rate:4.0%} of {rate / 1e9:.1f} GB/s",
        flush=True,
    )


def main() -> None:
    """All kernels and sizes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--sizes", nargs="+", default=SIZES, metavar="T,B,H")
    parser.add_argument("--kernels", nargs="+", default=list(KERNELS), choices=list(KERNELS))
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    print(f"{chosen.threads} thread(s), float32; shares are of the bandwidth of a triad in the same run")
    for size in chosen.sizes:
        for kernel in chosen.kernels:
            compare(kernel, *map(int, size.split(",")))


if __name__ == "__main__":
    main()
