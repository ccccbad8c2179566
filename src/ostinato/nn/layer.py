"""Layer: what all layers share. torch.nn's arguments and parameters, any form of sequences, any engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any, Generic, NamedTuple, Unpack, cast

import torch
from torch import Tensor

from ostinato.cells import CELLS, Cell, Sizes, State, Weights
from ostinato.cells.base import like
from ostinato.engines import Kernel, Noise, Stack, StackResult, Trace, dense_kernel, run_stack
from ostinato.engines.steps import Stored
from ostinato.nn.compiled import run_operators
from ostinato.nn.forms import F, Flags, Form, Lengths, checked_flags, form_of, ordered
from ostinato.nn.options import Options, split
from ostinato.nn.stream import Stream

Hidden = Tensor | tuple[Tensor, ...]
"""A state as torch.nn gives and takes it: ``h`` ``(L * D, B, H)``, for an LSTM ``(h, c)``."""

MODES = {"rnn": "RNN_TANH", "rnn_relu": "RNN_RELU", "lstm": "LSTM", "gru": "GRU", "gru_before": "GRU"}
"""The cells whose weights are laid out as torch's own, and torch's names for them."""


class Traced(NamedTuple, Generic[F]):
    """What :meth:`Layer.trace` gives: output and state as ``forward`` does, and the traces.

    There is a trace for each layer and direction, layer by layer, forward before reverse: the states after every step
    and the gates in it, by name, in the form of the input.
    """

    output: F
    state: Hidden
    traces: list[Trace]


def parameter(name: str) -> str:
    """torch.nn's name for a weight: ``weight_hh`` for ``hh``, ``bias_ih`` as it is."""
    return name if name.startswith("bias") else f"weight_{name}"


class Layer(torch.nn.RNNBase):
    """Base of the layers: a cell over time, in one or both directions, ``L`` of them on top of each other.

    A subclass of ``torch.nn.RNNBase``, not of ``torch.nn.LSTM``: torch.compile refuses to look into the latter. Its
    parameters have ``torch.nn``'s names: ``weight_``, the cell's own name of it, ``_l`` and the number of the layer,
    and ``_reverse`` for the second direction; ``bias_`` in the place of ``weight_`` for biases.

    Args:
        input_size: ``I``.
        hidden_size: ``H``.
        num_layers: ``L``.
        bias: whether there are biases.
        batch_first: whether tensors are ``(B, T, I)``; states never are.
        dropout: share of the outputs dropped between layers, in training, anew at every step.
        bidirectional: whether a second direction reads from the end.
        proj_size: ``P``, size of the projected output, 0 for none; only where the cell can.
        device: of the parameters.
        dtype: of the parameters.
        options: how the layer begins (:class:`~ostinato.nn.start.Start`: ``init``, ``forget_bias``, ``max_lag``,
            ``learned_state``) and further regularisers (:class:`~ostinato.engines.Noise`: ``input_dropout``,
            ``output_dropout``, ``weight_dropout``, ``recurrent_dropout``, ``zoneout_h``, ``zoneout_c``), and
            ``memory="low"`` to keep less for backward and compute it again (:class:`~ostinato.nn.options.Options`).

    Raises:
        ValueError: arguments do not fit each other or the cell.
        TypeError: an option is not known.
    """

    cell_name: str  # of the class, or of an instance whose arguments choose it
    num_heads = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        **options: Unpack[Options],
    ) -> None:
        self.start, self.noise, self.memory = split(options, self.cell, dropout=dropout, bias=bias)
        if proj_size and not self.cell.projects:
            raise ValueError(f"proj_size argument is only supported for LSTM, not for cell '{self.cell_name}'")
        mode = MODES.get(self.cell_name, "RNN_TANH")
        super().__init__(
            mode, input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size, "meta"
        )
        self.mode = MODES.get(self.cell_name, self.cell_name.upper())
        self._build(device, dtype)

    def _build(self, device: torch.device | str | None, dtype: torch.dtype | None) -> None:
        """The cell's own parameters in the place of those that RNNBase made, under RNNBase's book-keeping."""

        def add(name: str, shape: tuple[int, ...]) -> str:
            self.register_parameter(name, torch.nn.Parameter(torch.zeros(shape, device=device, dtype=dtype)))
            return name

        self._parameters.clear()
        self._names: list[tuple[str, ...]] = []  # the cell's own, for each entry of _all_weights
        self._all_weights: list[list[str]] = []
        for layer in range(self.num_layers):
            shapes = self.cell.shapes(self.sizes(layer))
            for end in ("", "_reverse")[: self.directions]:
                named = {f"{parameter(name)}_l{layer}{end}": shape for name, shape in shapes.items()}
                self._all_weights.append([add(name, shape) for name, shape in named.items()])
                self._names.append(tuple(shapes))
        self._flat_weights_names = [name for names in self._all_weights for name in names]
        self._init_flat_weights()
        self.reset_parameters()
        if self.start.learned_state:
            for name, shape in zip(self.cell.State._fields, self.cell.state_shapes(self.sizes()), strict=True):
                add(f"{name}_0", (self._rows(), 1, *shape))

    @property
    def cell(self) -> Cell[Any, Any]:
        """The equation."""
        return CELLS[self.cell_name]

    @property
    def directions(self) -> int:
        """``D``."""
        return 2 if self.bidirectional else 1

    def sizes(self, layer: int = 0) -> Sizes:
        """What the shapes of one layer's weights and states depend on."""
        output = self.proj_size or self.hidden_size
        width = self.directions * output if layer else self.input_size
        return Sizes(width, self.hidden_size, output, self.bias, self.num_heads)

    @property
    def active_noise(self) -> Noise | None:
        """The regularisers that act now, in training or outside it."""
        same = self.noise.dropout == self.dropout  # an attribute of RNNBase, which may be set anew
        noise = self.noise if same else replace(self.noise, dropout=self.dropout)
        return noise.at(training=self.training)

    def flatten_parameters(self) -> None:
        """Lay the parameters out for cuDNN, where it knows the cell."""
        if self.cell_name in MODES:
            super().flatten_parameters()

    def reset_parameters(self) -> None:
        """Draw all parameters anew, as the layer was told to begin."""
        if self._flat_weights[0].is_meta:  # type: ignore[union-attr]
            return
        super().reset_parameters()
        for number, (names, fulls) in enumerate(zip(self._names, self._all_weights, strict=True)):
            sizes = self.sizes(number // self.directions)
            for name, full in zip(names, fulls, strict=True):
                self.start.draw(name, getattr(self, full), self.cell, sizes)
        for name in self.cell.State._fields if self.start.learned_state else ():
            if f"{name}_0" in self._parameters:
                torch.nn.init.zeros_(getattr(self, f"{name}_0"))

    def layer_weights(self) -> list[Weights]:
        """The weights of every layer and direction, layer by layer, forward before reverse."""
        return [
            Weights(**{name: getattr(self, full) for name, full in zip(names, fulls, strict=True)})
            for names, fulls in zip(self._names, self._all_weights, strict=True)
        ]

    def forward(
        self, input: F, hx: Hidden | None = None, *, lengths: Lengths | None = None, reset: Flags | None = None
    ) -> tuple[F, Hidden]:
        """Run the layer over time.

        Args:
            input: ``(T, B, I)``, with ``batch_first`` ``(B, T, I)``, unbatched ``(T, I)``; a ``PackedSequence``; or a
                ``Ragged`` ``(N, I)``. The output has the same form, with ``D * H`` in the place of ``I``.
            hx: the initial state ``(L * D, B, H)``, for an LSTM ``(h, c)``; None is zero, or the learned state.
            lengths: with a tensor, the lengths ``(B,)``, each from 0 to ``T``, in any order: the output is 0 beyond
                them, the final state is that of each sequence's last step, and nothing beyond them is read.
            reset: bool, one flag a step, in the form of the input: an episode begins at this step, so that the state
                is the initial one again before it. With two directions neither crosses from episode to episode.

        Returns:
            The output and the final state. ``T = 0``, ``B = 0`` and lengths of 0 are no special case: a sequence
            without a step ends in its initial state.

        Raises:
            ValueError, RuntimeError: shapes or dtypes do not fit, as in ``torch.nn``.
        """
        if isinstance(input, Tensor) and input.dim() in {2, 3}:
            compiling = torch.compiler.is_compiling()
            if lengths is None and reset is None and (compiling or 0 not in input.shape):
                kernel = self._kernel(input)
                if kernel is not None:
                    return self._dense(kernel, input, hx)
            if compiling:
                return self._compiled(input, hx, lengths, reset)
        form = self._form(input, lengths)
        output, state = self._run(form, hx, reset)
        return output, self._hidden(form, state)

    def trace(
        self, input: F, hx: Hidden | None = None, *, lengths: Lengths | None = None, reset: Flags | None = None
    ) -> Traced[F]:
        """As ``forward``, and with the states and gates of every step, by name: ``traced.traces[0].gates.f``."""
        form = self._form(input, lengths)
        result = self._stack(form, *self._begin(form, hx, reset), trace=True)
        traces = []
        for states, gates in result.traces:
            named = [cast("Any", type(part))(*map(form.restore, part)) for part in (states, gates)]
            traces.append(Trace(*named))
        return Traced(form.restore(result.output), self._hidden(form, result.state), traces)

    def stream(self, batch: int = 1, weights: Stored | None = None) -> Stream:
        """The layer a step at a time, for ``batch`` live sequences or as many as come; see :class:`Stream`.

        Args:
            batch: the number of streams open at first.
            weights: how it keeps its copy of the weights: ``float32``, ``float64``, ``bfloat16`` or ``int8``; None: as
                in the layer.

        Raises:
            ValueError: the layer is bidirectional, or an argument is not one of those.
        """
        return Stream(self, batch, weights)

    def _run(self, form: Form[F], hx: Hidden | None, reset: Flags | None) -> tuple[F, State]:
        """The engines' answer, the output in the form of the input and the state in the order of the sequences."""
        kernel = None if torch.compiler.is_compiling() else self._kernel(form.given)
        state, flags = self._begin(form, hx, reset)
        if kernel is None or not kernel.ragged:
            result = self._stack(form, state, flags)
            return form.restore(result.output), result.state
        flow: dict[str, Any] = {"batch_sizes": form.batch_sizes, "reset": flags}
        if form.places is None or (self.dropout and self.training and self.num_layers > 1):
            output, *after = self._called(kernel, form.data, state, **flow)
            found = form.restore(output)
        else:
            output, *after = self._called(kernel, form.spread, state, **flow, places=form.places.index)
            found = form.wrap(output)
        last = like(state, after)
        return found, last if form.in_order else ordered(last, form.slots)

    def _begin(self, form: Form[F], hx: Hidden | None, reset: Flags | None) -> tuple[State, Tensor | None]:
        """The initial state by slot, and the flags of the packed rows."""
        state = self._initial(hx, len(form.order), form.given, unbatched=form.unbatched)
        if hx is not None and not form.in_order:  # else it is the same for all
            state = ordered(state, form.order)
        return state, None if reset is None else form.flags(reset)

    def _stack(self, form: Form[F], state: State, reset: Tensor | None, *, trace: bool = False) -> StackResult:
        """A stack's answer by packed rows, its state in the order of the sequences."""
        stack = Stack(
            cell=self.cell,
            weights=self.layer_weights(),
            rows=form.rows,
            state=state,
            reset=reset,
            bidirectional=self.bidirectional,
            trace=trace,
            low=self.memory == "low",
            noise=self.active_noise,
        )
        result = run_stack(stack)
        return result if form.in_order else result._replace(state=ordered(result.state, form.slots))

    def _kernel(self, data: Tensor) -> Kernel | None:
        """The call for the whole stack, if nothing is asked but what torch.nn knows, and an engine has one."""
        noise = self.active_noise
        if self.memory != "all" or not (noise is None or noise.plain):
            return None
        return dense_kernel(self.cell_name, data, projected=self.proj_size > 0)

    def _dense(self, kernel: Kernel, input: Tensor, hx: Hidden | None) -> tuple[Tensor, Hidden]:
        """Equal lengths and nothing else asked: one call for the stack, as torch.nn does."""
        unbatched = input.dim() == 2
        dense = input.unsqueeze(1) if unbatched else input
        batch_first = self.batch_first and not unbatched
        self.check_input(dense, None)
        state: State | None = None
        if hx is not None or self.start.learned_state or kernel.needs_state:
            state = self._initial(hx, dense.shape[0 if batch_first else 1], dense, unbatched=unbatched)
        output, *after = self._called(kernel, dense, state, batch_first=batch_first)
        if unbatched:
            output, after = output.squeeze(1), [part.squeeze(1) for part in after]
        return output, tuple(after) if len(after) > 1 else after[0]

    def _called(
        self, kernel: Kernel, data: Tensor, state: State | None, *, batch_first: bool = False, **flow: Tensor | None
    ) -> Sequence[Tensor]:
        """The kernel's answer: the output and the parts of the final state."""
        hidden = state if state is None else tuple(state) if len(state) > 1 else state[0]
        own = self._parameters
        names = self._flat_weights_names
        # a parametrised weight is no parameter but an attribute that is computed
        weights = [own[name] if name in own else getattr(self, name) for name in names]
        # In eval mode too a gradient may be wanted; cuDNN then needs train=True, and no dropout makes it harmless.
        share, train = (self.dropout, True) if self.training else (0.0, torch.is_grad_enabled())
        options = (self.bias, self.num_layers, share, train, self.bidirectional, batch_first)
        return kernel.call(data, hidden, weights, *options, **flow)

    def _compiled(
        self, input: Tensor, hx: Hidden | None, lengths: Lengths | None, reset: Flags | None
    ) -> tuple[Tensor, Hidden]:
        """Under torch.compile and torch.export: an operator a layer and direction, over padded tensors."""
        if lengths is not None:
            lengths = torch.as_tensor(lengths)
        if reset is not None:
            reset = checked_flags(reset, input.shape[:-1])
        unbatched = input.dim() == 2
        turned = self.batch_first and not unbatched
        if unbatched:
            input, reset = input.unsqueeze(1), None if reset is None else reset.unsqueeze(1)
        elif turned:
            input, reset = input.transpose(0, 1), None if reset is None else reset.transpose(0, 1)
        self.check_input(input, None)
        output, after = run_operators(
            self.cell_name,
            self.layer_weights(),
            input,
            self._initial(hx, input.shape[1], input, unbatched=unbatched),
            (lengths, reset),
            bidirectional=self.bidirectional,
            noise=self.active_noise,
        )
        if unbatched:
            output, after = output.squeeze(1), like(after, (part.squeeze(1) for part in after))
        return output.transpose(0, 1) if turned else output, tuple(after) if len(after) > 1 else after[0]

    def _form(self, input: F, lengths: Lengths | None) -> Form[Any]:
        """The input as packed rows, once its shape and dtype are those that the layer takes."""
        if isinstance(input, Tensor) and input.dim() not in {2, 3}:
            raise ValueError(f"{type(self).__name__}: Expected input to be 2D or 3D, got {input.dim()}D instead")
        return form_of(input, lengths, batch_first=self.batch_first, check=self.check_input)

    def check_input(self, input: Tensor, batch_sizes: Tensor | None) -> None:
        """Raise where torch.nn does, and name the devices if they differ."""
        super().check_input(input, batch_sizes)
        weight = self._parameters.get(self._flat_weights_names[0])  # None where it is parametrised
        if weight is not None and weight.device != input.device:
            found = f"found input tensor at {input.device} and parameter tensor at {weight.device}"
            raise RuntimeError(f"Input and parameter tensors are not at the same device, {found}")

    def _initial(self, hx: Hidden | None, batch: int, data: Tensor, *, unbatched: bool) -> State:
        """The initial state as ``cell.State`` of ``(L * D, B, ·)``."""
        cell, rows = self.cell, self._rows()
        names = cell.State._fields
        shapes = [(rows, batch, *shape) for shape in cell.state_shapes(self.sizes())]
        if hx is None:
            if self.start.learned_state:
                begin = [cast("Tensor", getattr(self, f"{name}_0")) for name in names]
                return cast("State", cell.State(*(part.expand(-1, batch, -1) for part in begin)))
            return cast("State", cell.State(*(data.new_zeros(shape) for shape in shapes)))
        given = tuple(hx) if isinstance(hx, tuple | list) else (hx,)
        if len(given) != len(names):
            raise RuntimeError(f"hx must be {' and '.join(names)}, {len(names)} tensor(s), but got {len(given)}")
        for part, name, shape in zip(given, names, shapes, strict=True):
            wanted = len(shape) - unbatched
            if part.dim() != wanted:
                kind = "unbatched 2-D" if unbatched else "batched 3-D"
                raise RuntimeError(f"For {kind} input, {name} should also be {wanted}-D but got {part.dim()}-D tensor")
            shown = shape[:1] + shape[2:] if unbatched else shape
            if part.shape != shown:
                raise RuntimeError(f"Expected hidden {name} size {shown}, got {list(part.shape)}")
            if part.device != data.device:
                raise RuntimeError(f"Expected hidden {name} on {data.device} as the input, got it on {part.device}")
            if part.dtype != data.dtype and not torch._C._is_any_autocast_enabled():
                raise RuntimeError(f"Expected hidden {name} of {data.dtype} as the input, got {part.dtype}")
        return cast("State", cell.State(*(part.unsqueeze(1) if unbatched else part for part in given)))

    def _hidden(self, form: Form[F], state: State) -> Hidden:
        """A state as torch.nn gives it."""
        parts = tuple(part.squeeze(1) for part in state) if form.unbatched else tuple(state)
        return parts if len(parts) > 1 else parts[0]

    def _rows(self) -> int:
        """``L * D``."""
        return self.num_layers * self.directions

    def extra_repr(self) -> str:
        """torch.nn's, and the choices torch does not have."""
        shown = super().extra_repr()
        for choices in (self.start, self.noise):
            for one in fields(choices):
                value = getattr(choices, one.name)
                if one.name != "dropout" and value != one.default:
                    shown += f", {one.name}={value!r}"
        return shown if self.memory == "all" else f"{shown}, memory={self.memory!r}"
