"""Device and precision: where a training runs and with how many bits."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

from ostinato.errors import UsageError, nearest

PRECISIONS: dict[str, torch.dtype] = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


def choose_device(name: str) -> torch.device:
    """``auto``: CUDA where there is one, then MPS, then the CPU; else the device that was named.

    Raises:
        UsageError: the name is unknown, or this machine (or this PyTorch) has no such device.
    """
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        return torch.device(next(kind for kind, here in available.items() if here))
    kind = name.split(":", 1)[0]
    if kind not in available:
        raise UsageError(f"training.device '{name}' is unknown.{nearest(kind, ['auto', *available])}")
    if not available[kind]:
        raise UsageError(f"training.device is '{name}', but PyTorch sees no {kind} here; use training.device=cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"training.device '{name}' is not a device; write '{kind}' or '{kind}:0'") from error
    if kind == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UsageError(f"training.device is '{name}', but this machine has {torch.cuda.device_count()} CUDA devices")
    return device


class Precision:
    """Automatic mixed precision: products in ``dtype`` where that is safe, weights and sums in float32.

    ``auto`` is bfloat16 on CUDA devices that have it, float16 on older ones, float32 elsewhere. float16 comes with a
    loss scale that adapts (:attr:`scaler`, which is off otherwise); it is part of a checkpoint.

    Raises:
        UsageError: an unknown precision, or float16 away from CUDA.
    """

    def __init__(self, name: str, device: torch.device) -> None:
        if name == "auto":
            name = "float32"
            if device.type == "cuda":
                name = "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float16"
        if name not in PRECISIONS:
            raise UsageError(f"training.precision '{name}' is unknown.{nearest(name, ['auto', *PRECISIONS])}")
        if name == "float16" and device.type != "cuda":
            raise UsageError(f"training.precision=float16 needs a CUDA device, not {device.type}; use bfloat16")
        self.device, self.dtype = device, PRECISIONS[name]
        self.scaler = torch.amp.GradScaler(device.type, enabled=name == "float16")

    def autocast(self) -> AbstractContextManager[object]:
        """Around every forward and loss; costs nothing at float32."""
        if self.dtype == torch.float32:
            return nullcontext()
        return torch.autocast(self.device.type, self.dtype)
