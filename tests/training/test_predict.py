from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from training_toys import parity, toy

from ostinato.data.examples import Batch, SequenceExamples
from ostinato.sequences import Ragged
from ostinato.training import evaluate_loss, predict
from ostinato.training.predict import Assessment


def examples_of(lengths: list[int], outputs: str) -> SequenceExamples:
    generator = torch.Generator().manual_seed(sum(lengths))
    values = torch.randint(0, 2, (sum(lengths),), generator=generator)
    inputs = Ragged(values, torch.tensor(lengths, dtype=torch.int64))
    targets = Ragged(values, inputs.lengths) if outputs == "step" else torch.tensor([n % 2 for n in lengths])
    return SequenceExamples(inputs=inputs, targets=targets)


def one_by_one(model: Any, task: Any, examples: SequenceExamples) -> dict[str, np.ndarray]:
    """The definition: every example alone, in order."""
    answers = []
    with torch.no_grad():
        for number in range(len(examples)):
            batch = examples.take(torch.tensor([number]))
            if len(batch.inputs.values) or task.spec.outputs != "step":
                answers.append(task.outputs(model.eval()(batch)[0], batch))
    return {key: np.concatenate([answer[key] for answer in answers]) for key in answers[0]}


@given(
    lengths=st.lists(st.integers(0, 12), min_size=1, max_size=9).filter(any),
    outputs=st.sampled_from(["sequence", "step"]),
    window=st.integers(0, 13),
    batch_size=st.integers(1, 10),
    most=st.sampled_from([3, 10, 10_000]),
)
def test_answers_do_not_depend_on_batch_window_or_memory(
    lengths: list[int], outputs: str, window: int, batch_size: int, most: int
) -> None:
    model, task = toy(outputs)
    examples = examples_of(lengths, outputs)
    expected = one_by_one(model, task, examples)
    model.train()
    assessment = Assessment(model, task, examples, window=window, batch_size=batch_size)
    assessment.most_steps = most
    loss, answers = assessment.run()
    assert model.training
    assert answers.keys() == expected.keys()
    np.testing.assert_allclose(answers["probability"], expected["probability"], rtol=1e-5, atol=1e-6)
    whole = examples.take(torch.arange(len(lengths)))
    with torch.no_grad():
        reference = task.loss(model.eval()(whole)[0], whole)[0].item()
    assert loss == pytest.approx(reference, rel=1e-4)
    assert evaluate_loss(model, task, examples, window=window, batch_size=batch_size) == pytest.approx(loss, rel=1e-4)


def test_rows_without_targets_are_predicted_in_order() -> None:
    model, task = toy("step")
    examples = parity(40, 0, "step")
    bare = SequenceExamples(inputs=examples.inputs)
    answers = predict(model, task, bare, batch_size=7, window=2)
    np.testing.assert_allclose(answers["probability"], one_by_one(model, task, examples)["probability"], rtol=1e-5)
    assert len(answers["label"]) == len(examples.inputs.values)


def test_one_example_and_none() -> None:
    model, task = toy()
    [answer] = predict(model, task, parity(1, 0), device="cpu")["label"]
    assert answer in (0, 1)
    assert np.isnan(evaluate_loss(model, task, _nothing()))
    assert predict(model, task, _nothing()) == {}


def _nothing() -> SequenceExamples:
    none = torch.empty(0, dtype=torch.int64)
    return SequenceExamples(inputs=Ragged(none, none), targets=none)


class Recorder(torch.nn.Module):
    """Notes the lengths it is run over."""

    def __init__(self, **settings: Any) -> None:
        super().__init__()
        self.settings, self.runs = SimpleNamespace(**settings), []

    def forward(self, batch: Batch, state: tuple[Tensor, ...] | None = None) -> tuple[Tensor, tuple[Tensor, ...]]:
        self.runs.append((batch.inputs.lengths.tolist(), state is not None))
        rows = len(batch.inputs.values) if self.settings.step else len(batch)
        return torch.zeros(rows, 2), (torch.zeros(1, len(batch), 1),)


def test_what_is_run_in_windows_and_what_whole() -> None:
    task = toy("step")[1]
    causal = Recorder(step=True)
    predict(causal, task, examples_of([5, 1, 3], "step"), window=2)
    assert causal.runs == [([2, 2, 1], False), ([2, 1], True), ([1], True)]
    both = Recorder(step=True, bidirectional=True)
    predict(both, task, examples_of([5, 1, 3], "step"), window=2)
    assert both.runs == [([1, 3, 5], False)]
    pooled = Recorder(step=False, pool="mean")
    predict(pooled, toy("sequence")[1], examples_of([5, 1, 3], "sequence"), window=2)
    assert pooled.runs == [([1, 3, 5], False)]
    small = Recorder(step=True)
    predict(small, task, examples_of([5, 1, 3], "step"), batch_size=2)
    assert small.runs == [([1, 3], False), ([5], False)]


def test_outputs_of_a_wrong_size_are_an_error() -> None:
    model, task = toy()
    task.outputs = lambda output, batch: {"label": np.zeros(len(batch) + 1)}
    with pytest.raises(ValueError, match="output 'label' has 4 rows for 3 examples"):
        predict(model, task, examples_of([2, 3, 4], "sequence"))


def test_outputs_an_example_of_a_task_with_an_answer_a_step() -> None:
    model, task = toy("step")
    task.outputs = lambda output, batch: {"index": batch.index.numpy()}
    answers = predict(model, task, examples_of([3, 4, 2], "step"), batch_size=1)
    assert answers["index"].tolist() == [0, 1, 2]


MILLION = """
import resource, sys, torch
sys.path.insert(0, {tests!r})
torch.set_num_threads(1)
from types import SimpleNamespace
from training_toys import ToyTask, spec
from ostinato.data.examples import SequenceExamples
from ostinato.sequences import Ragged
from ostinato.training import predict

class Model(torch.nn.Module):
    settings = SimpleNamespace(bidirectional=False, pool="last")
    def __init__(self):
        super().__init__()
        self.gru, self.head = torch.nn.GRU(3, 16), torch.nn.Linear(16, 2)
    def forward(self, batch, state=None):
        x = torch.nn.functional.one_hot(batch.inputs.values, 3).float()[:, None]
        y, h = self.gru(x, None if state is None else state[0])
        return self.head(y[:, 0]), (h,)

n = 1_000_000
torch.manual_seed(0)
inputs = Ragged(torch.randint(0, 3, (n,)), torch.tensor([n]))
model = Model()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
answers = predict(model, ToyTask(spec("step")), SequenceExamples(inputs=inputs), window=1000)
grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
assert answers["probability"].shape == (n, 2)
print(round(grown))
"""


@pytest.mark.slow
def test_a_million_steps_fit_into_little_memory() -> None:
    script = MILLION.format(tests=str(Path(__file__).parent))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 200  # MiB; the inputs and the answers themselves are 8 + 8 + 16
