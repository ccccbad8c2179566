from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from training_toys import parity, toy

from ostinato.data.examples import Batch
from ostinato.data.spec import Spec
from ostinato.errors import UsageError
from ostinato.sequences import Ragged
from ostinato.training import TrainingSettings
from ostinato.training.bptt import Bptt, why_not_carried
from ostinato.training.device import Precision

CPU = torch.device("cpu")


class Decay(nn.Module):
    """``h_t = a h_{t-1} + x_t``: its gradients are a line of arithmetic."""

    def __init__(self, outputs: str, a: float = 0.5) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor(a, dtype=torch.float64))
        self.outputs = outputs

    def forward(self, batch: Batch, state: tuple[Tensor, ...] | None = None) -> tuple[Tensor, tuple[Tensor, ...]]:
        before = torch.zeros(len(batch), dtype=torch.float64) if state is None else state[0][0, :, 0]
        steps, last = [], []
        for b, sequence in enumerate(batch.inputs.to_list()):
            h = before[b]
            for x in sequence[:, 0]:
                h = self.a * h + x
                steps.append(h)
            last.append(h)
        state = (torch.stack(last)[None, :, None],)
        return (torch.stack(steps if self.outputs == "step" else last)[:, None], state)


class Half:
    """Loss ``h ** 2 / 2``, mean over the answers."""

    decoder = ""

    def __init__(self, outputs: str) -> None:
        self.spec = Spec(inputs="values", input_size=1, outputs=outputs, output_size=1)

    def loss(self, output: Tensor, batch: Batch) -> tuple[Tensor, int]:
        assert len(output) == (len(batch.inputs.values) if self.spec.outputs == "step" else len(batch))
        return (output**2 / 2).mean(), len(output)


def gradients(outputs: str, sequences: list[list[float]], **settings: int) -> list[tuple[float, float, int, int]]:
    """Loss, gradient, answers and steps of each update."""
    model, task = Decay(outputs), Half(outputs)
    values = [torch.tensor(sequence, dtype=torch.float64)[:, None] for sequence in sequences]
    batch = Batch(inputs=Ragged.from_list(values), index=torch.arange(len(values)))
    bptt = Bptt(model, task, TrainingSettings(**settings), Precision("float32", CPU))
    result = []
    for loss, answers, steps in bptt.losses(batch):
        gradient = torch.autograd.grad(loss, model.a)[0] if answers else torch.tensor(0.0)
        result.append((loss.item(), gradient.item(), answers, steps))
    return result


# With x = 1, 2, 3, 4, 5 and a = 1/2: h = 1, 2.5, 4.25, 6.125, 8.0625.
H = [1.0, 2.5, 4.25, 6.125, 8.0625]


def test_the_whole_sequence_carries_the_gradient_to_its_start() -> None:
    # dh1 = 0, dh2 = h1 = 1, dh3 = h2 + a dh2 = 3
    [(loss, gradient, answers, steps)] = gradients("step", [[1, 2, 3]])
    assert loss == pytest.approx((1 + 2.5**2 + 4.25**2) / 6)
    assert gradient == pytest.approx((0 + 2.5 * 1 + 4.25 * 3) / 3)
    assert (answers, steps) == (3, 3)


def test_a_window_carries_the_state_but_no_gradient() -> None:
    first, second, third = gradients("step", [[1, 2, 3, 4, 5]], window=2)
    assert first[1] == pytest.approx((0 + H[1] * H[0]) / 2)
    # dh3 = h2, for h2 is a constant here; dh4 = h3 + a h2
    assert second[0] == pytest.approx((H[2] ** 2 + H[3] ** 2) / 4)
    assert second[1] == pytest.approx((H[2] * H[1] + H[3] * (H[2] + 0.5 * H[1])) / 2)
    assert third[1:] == pytest.approx((H[4] * H[3], 1, 1))


def test_burn_in_has_no_loss_but_takes_part_in_the_gradient() -> None:
    first, second, third = gradients("step", [[1, 2, 3, 4, 5]], window=2, burn_in=1)
    assert first[:3] == pytest.approx((H[1] ** 2 / 2, H[1] * H[0], 1))
    assert second[:3] == pytest.approx((H[3] ** 2 / 2, H[3] * (H[2] + 0.5 * H[1]), 1))
    assert third[2] == 0  # the last window is all burn-in


def test_burn_in_without_a_window_is_the_start_of_the_sequence() -> None:
    [(loss, _, answers, _)] = gradients("step", [[1, 2, 3]], burn_in=2)
    assert (loss, answers) == (pytest.approx(4.25**2 / 2), 1)


def test_sequences_that_end_earlier_leave_the_windows() -> None:
    # Longest first within a window: the second sequence's states are 1 (and 2.5), as the first one's.
    updates = gradients("step", [[1], [1, 2, 3, 4, 5], [1, 2, 3]], window=2)
    assert [update[2] for update in updates] == [5, 3, 1]
    assert updates[0][0] == pytest.approx((1 + 1 + 2.5**2 + 1 + 2.5**2) / 10)
    assert updates[1][0] == pytest.approx((H[2] ** 2 + H[3] ** 2 + H[2] ** 2) / 6)
    assert updates[2][0] == pytest.approx(H[4] ** 2 / 2)


def test_an_answer_a_sequence_carries_its_gradient_over_the_last_window_only() -> None:
    [(loss, gradient, answers, _)] = gradients("sequence", [[1, 2, 3, 4, 5]], window=2)
    assert loss == pytest.approx(H[4] ** 2 / 2)
    assert gradient == pytest.approx(H[4] * (H[3] + 0.5 * H[2]))
    assert answers == 1


def test_short_and_long_sequences_in_one_batch_keep_their_order() -> None:
    weights = [1.0, 10.0, 100.0, 1000.0]
    sequences = [[1, 2, 3], [1], [1, 2, 3, 4, 5], [1, 2]]
    ends = [H[2], H[0], H[4], H[1]]
    slopes = [H[1] + 0.5 * H[0], 0.0, H[3] + 0.5 * H[2], H[0]]

    class Weighted(Half):
        def loss(self, output: Tensor, batch: Batch) -> tuple[Tensor, int]:
            return (output[:, 0] * torch.tensor(weights, dtype=torch.float64)).sum(), len(output)

    model = Decay("sequence")
    inputs = Ragged.from_list([torch.tensor(s, dtype=torch.float64)[:, None] for s in sequences])
    bptt = Bptt(model, Weighted("sequence"), TrainingSettings(window=2), Precision("float32", CPU))
    [(loss, _, _)] = bptt.losses(Batch(inputs=inputs, index=torch.arange(4)))
    assert loss.item() == pytest.approx(sum(w * h for w, h in zip(weights, ends, strict=True)))
    loss.backward()
    assert float(model.a.grad) == pytest.approx(sum(w * s for w, s in zip(weights, slopes, strict=True)))


@given(
    lengths=st.lists(st.integers(0, 9), min_size=1, max_size=4).filter(any),
    window=st.integers(1, 10),
    first=st.integers(0, 9),
)
def test_going_on_in_the_middle_of_a_batch_gives_the_rest(lengths: list[int], window: int, first: int) -> None:
    model, task = toy("step")
    examples = parity(len(lengths), 0, "step")
    inputs = Ragged(torch.arange(sum(lengths)) % 3, torch.tensor(lengths))
    targets = Ragged(torch.arange(sum(lengths)) % 2, torch.tensor(lengths))
    batch = Batch(inputs=inputs, targets=targets, index=torch.arange(len(lengths)))
    assert len(examples) == len(lengths)
    settings, precision = TrainingSettings(window=window), Precision("float32", CPU)
    bptt = Bptt(model, task, settings, precision)
    whole, states = [], []
    for loss, answers, _ in bptt.losses(batch):
        whole.append((loss.item(), answers))
        states.append(bptt.state)
    assert len(whole) == bptt.updates(max(lengths)) == bptt.steps(torch.tensor(lengths), [torch.arange(len(lengths))])
    assert sum(answers for _, answers in whole) == sum(lengths)
    assert bptt.state is None
    again = Bptt(model, task, settings, precision)
    again.state = states[first - 1] if 0 < first <= len(states) else None
    assert [(loss.item(), answers) for loss, answers, _ in again.losses(batch, first)] == whole[first:]
    assert again.state is None


def test_settings_that_do_not_fit_say_so() -> None:
    def make(outputs: str = "step", settings: dict[str, object] | None = None, **training: int) -> None:
        model, task = toy(outputs)
        model.settings = SimpleNamespace(**{"bidirectional": False, "pool": "last", **(settings or {})})
        Bptt(model, task, TrainingSettings(**training), Precision("float32", CPU))

    make(window=3, burn_in=2)
    make("sequence", {"pool": "mean"})
    make("step", {"pool": "mean"}, window=3)
    with pytest.raises(UsageError, match=r"burn_in \(3\) leaves no step of a window of 3"):
        make(window=3, burn_in=3)
    with pytest.raises(UsageError, match="needs a task with an answer a step"):
        make("sequence", burn_in=3)
    with pytest.raises(UsageError, match=r"reads backwards.*bidirectional=false; or set training.window=0"):
        make(settings={"bidirectional": True}, window=3)
    with pytest.raises(UsageError, match="pool=last"):
        make("sequence", {"pool": "mean"}, window=3)
    horizon = SimpleNamespace(spec=Spec(inputs="values", input_size=1, outputs="horizon", output_size=1, horizon=4))
    assert "look-back" in why_not_carried(nn.Linear(1, 1), horizon)
