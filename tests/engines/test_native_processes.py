"""The native engine in several processes: layers sent to others, after a fork, and distributed data parallel."""

from __future__ import annotations

import multiprocessing
import os
import signal
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

from ostinato import nn
from ostinato.engines.core import MISSING

pytestmark = pytest.mark.skipif(MISSING is not None, reason="the C++ module is not built")

PROCESSES = 2


def gradients(module: Any, x: torch.Tensor) -> list[torch.Tensor]:
    module.zero_grad()
    module(x)[0].square().sum().backward()
    return [parameter.grad for parameter in module.parameters()]


def train(rank: int, folder: str, layer: Any, x: torch.Tensor, queue: Any) -> None:
    """One of the processes: its part of the batch, the gradients summed over all."""
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", f"file://{folder}/meet", rank=rank, world_size=PROCESSES)
    try:
        found = gradients(DistributedDataParallel(layer), x[:, rank::PROCESSES])
        queue.put((rank, [gradient.numpy() * PROCESSES for gradient in found]))
    finally:
        distributed.destroy_process_group()


def test_distributed_data_parallel(tmp_path: Path) -> None:
    """Two processes, each sent the layer, each with half of the batch: the gradients of the whole batch."""
    torch.manual_seed(0)
    layer = nn.LSTM(3, 8, num_layers=2, bidirectional=True, dtype=torch.float64)
    x = torch.randn(9, 6, 3, dtype=torch.float64)
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    others = [context.Process(target=train, args=(r, str(tmp_path), layer, x, queue)) for r in range(PROCESSES)]
    for other in others:
        other.start()
    answers = [queue.get(timeout=120) for _ in others]
    for other in others:
        other.join(60)
        assert other.exitcode == 0
    for _, found in answers:
        for ours, wanted in zip(found, gradients(layer, x), strict=True):
            torch.testing.assert_close(torch.from_numpy(ours), wanted, atol=1e-12, rtol=0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_after_a_fork() -> None:
    """A child has none of its parent's threads, and makes its own."""
    torch.manual_seed(0)
    layer, x, upstream = nn.LSTM(16, 64), torch.randn(50, 16, 16), torch.randn(50, 16, 64)

    def work() -> list[torch.Tensor]:
        """Nothing but the kernels: OpenMP, which PyTorch's own operators use, does not survive a fork."""
        output = layer(x)[0]
        return [output, *torch.autograd.grad(output, list(layer.parameters()), upstream)]

    torch.set_num_threads(2)
    try:
        wanted = work()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # Python's, of forks in processes with threads
            child = os.fork()
        if not child:
            code = 1
            try:
                signal.alarm(60)
                found = work()
                torch.set_num_threads(1)  # comparing large tensors would wait for OpenMP's lost threads
                code = 0 if all(map(torch.equal, found, wanted)) else 2
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        assert all(map(torch.equal, work(), wanted))
    finally:
        torch.set_num_threads(1)
