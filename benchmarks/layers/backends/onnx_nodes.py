"""ONNX Runtime: a graph of one LSTM, GRU or RNN node, written by hand. Inference only."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from benchmarks.layers.backends.common import Arm, fastest
from benchmarks.layers.equations import EQUATIONS
from benchmarks.layers.problem import Arrays, Problem

LSTM, GRU = (0, 3, 1, 2), (1, 0, 2)
ORDERS = {"lstm": LSTM, "lstm_peephole": LSTM, "gru": GRU, "gru_before": GRU, "elman": (0,)}
"""ONNX's gates (i, o, f, c and z, r, h) among ours (i, f, g, o and r, z, n)."""
NODES = {"lstm_peephole": "LSTM", "gru_before": "GRU"}
"""The operators of the cells whose layers are called otherwise."""
OPSET = 22


def node(problem: Problem) -> Arm:
    """The node in a session of its own, on all threads or on one, whichever is faster."""
    numbers, names = problem.numbers(), ["y", *EQUATIONS[problem.cell].states]
    model = _model(problem, numbers).SerializeToString()
    bound = {threads: _bound(problem, numbers, model, threads) for threads in {1, int(os.environ["OMP_NUM_THREADS"])}}
    best = fastest({threads: call for threads, (call, _) in bound.items()})
    call, binding = bound[best]

    def answers() -> Arrays:
        call()
        y, *state = binding.copy_outputs_to_cpu()
        return dict(zip(names, (y[:, 0], *(part[0] for part in state)), strict=True))

    return Arm(call, answers, {"opset": OPSET, "threads": best})


def _bound(problem: Problem, numbers: Arrays, model: bytes, threads: int) -> tuple[Callable[[], Any], Any]:
    """A call of a session of so many threads, inputs and results bound to buffers that stay; and the binding."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    feeds = {"x": numbers["x"]} | {f"{part}0": numbers[f"{part}0"][None] for part in EQUATIONS[problem.cell].states}
    if problem.ragged:
        feeds["lengths"] = numbers["lengths"].astype(np.int32)
    binding = session.io_binding()
    for name, value in feeds.items():
        binding.bind_ortvalue_input(name, onnxruntime.OrtValue.ortvalue_from_numpy(value))
    for name, shape in _shapes(problem).items():
        binding.bind_ortvalue_output(name, onnxruntime.OrtValue.ortvalue_from_shape_and_type(shape, np.float32))
    return lambda: session.run_with_iobinding(binding), binding


def _shapes(problem: Problem) -> dict[str, list[int]]:
    """Of the results; the axis of size 1 is that of the directions."""
    whole = {"y": [problem.T, 1, problem.B, problem.H]}
    return whole | {part: [1, problem.B, problem.H] for part in EQUATIONS[problem.cell].states}


def _model(problem: Problem, numbers: Arrays) -> Any:
    """The graph: weights as constants, so that the session can pack them once."""
    equation = EQUATIONS[problem.cell]

    def turned(name: str) -> np.ndarray:
        gates = numbers[name].reshape(len(ORDERS[problem.cell]), problem.H, -1)
        return gates[list(ORDERS[problem.cell])].reshape(numbers[name].shape)[None]

    biases = np.concatenate([turned("bias_ih"), turned("bias_hh")], 1)
    weights = {"W": turned("weight_ih"), "R": turned("weight_hh"), "bias": biases}
    names = ["x", *weights, "lengths" if problem.ragged else "", *(f"{part}0" for part in equation.states)]
    if problem.cell == "lstm_peephole":
        weights["P"] = np.concatenate([numbers[name] for name in ("weight_ci", "weight_co", "weight_cf")])[None]
        names.append("P")
    exact = {"linear_before_reset": 1} if problem.cell == "gru" else {}
    kind = NODES.get(problem.cell, equation.layer)
    made = helper.make_node(kind, names, list(_shapes(problem)), hidden_size=problem.H, **exact)
    inputs = {"x": [problem.T, problem.B, problem.I]}
    inputs |= {f"{part}0": [1, problem.B, problem.H] for part in equation.states}
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()]
    if problem.ragged:
        values.append(helper.make_tensor_value_info("lengths", TensorProto.INT32, [problem.B]))
    results = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in _shapes(problem).items()
    ]
    constants = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph([made], "layer", values, results, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
