"""Ragged LSTM through the kernel for equal lengths: padded steps that hold the cell state exactly.

On the CPU PyTorch has a fast LSTM (oneDNN) for equal lengths only; its kernel for packed rows is three to ten times
slower in training. So the rows are padded, and one more input column says where: it is 0 on a real step and 1 on a
padded one, and its weights are ``-HOLD`` for the input gate and ``+HOLD`` for the forget gate. There ``i = 0`` and
``f = 1`` exactly, in floating point, and so::

    c_t = 1 * c_{t-1} + 0 * g = c_{t-1}
    dL/dc_{t-1} = f * dL/dc_t = dL/dc_t          dL/di = dL/df = dL/dg = 0, since i(1 - i) = f(1 - f) = i = 0

The last cell state is thus that of the last real step, to the bit, and no gradient of a padded step is anything but
zero. The output of a padded step is not held (o and tanh(c) go on), but nothing reads it: outputs and the last hidden
state are gathered from real steps. On real steps the column adds 0.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ostinato.cells import LSTMState, State, Weights
from ostinato.engines.request import Request
from ostinato.sequences.ragged import steps_of

HOLD = 1e30
"""Far beyond any pre-activation of a float32 network; from 100 on the gradients of both gates vanish exactly."""

FILLED_IN_TRAINING, FILLED_IN_INFERENCE = 0.2, 0.5
"""Least share of real steps among padded ones at which padding was measured to be faster than packing."""


def pays_to_pad(request: Request, batch_sizes: Tensor) -> bool:
    """Whether oneDNN's LSTM serves this request, and sequences laid out as ``batch_sizes`` fill the padding enough."""
    if not onednn_serves(request):
        return False
    data = request.rows.data
    filled = data.shape[0] / (batch_sizes.numel() * int(batch_sizes[0]))
    return filled >= (FILLED_IN_TRAINING if torch.is_grad_enabled() else FILLED_IN_INFERENCE)


def onednn_serves(request: Request) -> bool:
    """Whether PyTorch has a oneDNN kernel for equal lengths of this request: a float32 LSTM on the CPU, unprojected."""
    data, weights = request.rows.data, request.weights
    if request.cell.name != "lstm" or weights.hr is not None or data.device.type != "cpu":
        return False
    if torch.is_autocast_enabled("cpu") or not data.dtype == weights.ih.dtype == torch.float32:
        return False
    return torch._C._has_mkldnn and torch._C._get_mkldnn_enabled()


def padded_lstm(weights: Weights, data: Tensor, batch_sizes: Tensor, state: State) -> tuple[Tensor, State]:
    """Packed rows ``(N, I)`` of sequences of at least one step, ``state`` ``(B, H)``; gives rows ``(N, H)``, state."""
    steps, batch = batch_sizes.numel(), int(batch_sizes[0])
    real = steps_of(torch.arange(steps) * batch, batch_sizes)
    marked = torch.cat([data, data.new_zeros(data.shape[0], 1)], 1)
    padding = data.new_zeros(steps * batch, marked.shape[1])
    padding[:, -1] = 1
    padded = padding.index_copy(0, real, marked).reshape(steps, batch, -1)
    hidden = weights.hh.shape[1]
    column = torch.cat(
        [data.new_full((hidden, 1), -HOLD), data.new_full((hidden, 1), HOLD), data.new_zeros(2 * hidden, 1)]
    )
    widened = [torch.cat([weights.ih, column], 1), weights.hh]
    biases = [] if weights.bias_ih is None or weights.bias_hh is None else [weights.bias_ih, weights.bias_hh]
    hx = [part.unsqueeze(0) for part in state]
    output, _, c = torch._VF.lstm(
        padded, hx, widened + biases, bool(biases), 1, 0.0, torch.is_grad_enabled(), False, False
    )
    output = output.flatten(0, 1)
    lengths = (batch_sizes.unsqueeze(0) > torch.arange(batch).unsqueeze(1)).sum(1)
    last = output.index_select(0, (lengths - 1) * batch + torch.arange(batch))
    return output.index_select(0, real), LSTMState(last, c.squeeze(0))
