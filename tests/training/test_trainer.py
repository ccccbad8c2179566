from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from training_toys import parity, toy

from ostinato.data.batching import batches
from ostinato.data.examples import SequenceExamples
from ostinato.errors import TrainingError, UsageError
from ostinato.sequences import Ragged
from ostinato.training import Callback, History, OptimizerSettings, Progress, Trainer, TrainingSettings, evaluate_loss
from ostinato.training.callbacks import Row
from ostinato.training.ledger import Ledger
from ostinato.training.tally import Tally

NOTHING = SequenceExamples(
    inputs=Ragged(torch.empty(0, dtype=torch.int64), torch.empty(0, dtype=torch.int64)),
    targets=torch.empty(0, dtype=torch.int64),
)


class Notes(Callback):
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.starts: list[Progress] = []
        self.steps: list[Progress] = []
        self.epochs: list[tuple[Progress, Row]] = []
        self.ends: list[History] = []

    def on_start(self, progress: Progress) -> None:
        self.starts.append(progress)

    def on_step(self, progress: Progress) -> None:
        self.steps.append(progress)

    def on_epoch(self, progress: Progress, row: Row) -> None:
        self.epochs.append((progress, row))

    def on_end(self, history: History) -> None:
        self.ends.append(history)


def make(outputs: str = "sequence", *callbacks: Callback, valid: Any = None, **settings: Any) -> Trainer:
    model, task = toy(outputs)
    group = settings.pop("optimizer", {})
    return Trainer(
        model,
        task,
        parity(200, 0, outputs),
        parity(50, 1, outputs) if valid is None else valid,
        TrainingSettings(**{"epochs": 2, "device": "cpu", **settings}),
        OptimizerSettings(**{"learning_rate": 0.02, **group}),
        callbacks=callbacks,
    )


@pytest.mark.parametrize(
    ("outputs", "settings"),
    [
        ("sequence", {}),
        ("sequence", {"window": 3}),
        ("step", {}),
        ("step", {"window": 3, "burn_in": 1}),
        ("step", {"precision": "bfloat16"}),
        ("sequence", {"optimizer": {"name": "sgd", "learning_rate": 0.5, "schedule": "constant"}}),
        ("sequence", {"optimizer": {"name": "adamw", "weight_decay": 0.01, "schedule": "plateau", "warmup": 0.1}}),
    ],
)
def test_learns_what_no_look_at_single_steps_can(outputs: str, settings: dict[str, Any]) -> None:
    trainer = make(outputs, epochs=15, patience=0, **settings)
    before = evaluate_loss(trainer.model, trainer.task, trainer.valid)
    history = trainer.fit()
    assert before > 0.6  # the loss of a coin is log 2 = 0.69, and its accuracy 0.5
    best = history.rows[history.best_epoch - 1]["metrics"]
    assert best["accuracy"] == 1.0
    assert best["loss"] < 0.35
    assert evaluate_loss(trainer.model, trainer.task, trainer.valid) == pytest.approx(best["loss"], rel=1e-5)


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_is_the_hand_written_loop(schedule: str) -> None:
    trainer = make(epochs=3, optimizer={"schedule": schedule, "clip_norm": 0.5}, valid=NOTHING)
    model, task = toy()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    history = trainer.fit()
    losses = []
    for epoch in range(3):
        order, total, answers = batches(trainer.train, 32, 0, epoch), 0.0, 0
        for step, index in enumerate(order):
            if schedule == "cosine":
                share = (epoch + (step + 0.5) / len(order)) / 3
                optimizer.param_groups[0]["lr"] = 0.02 * (1 + math.cos(math.pi * share)) / 2
            batch = trainer.train.take(index)
            optimizer.zero_grad()
            loss, count = task.loss(model(batch)[0], batch)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            optimizer.step()
            total, answers = total + loss.item() * count, answers + count
        losses.append(total / answers)
    assert [row["loss"] for row in history.rows] == pytest.approx(losses, rel=1e-5)
    for ours, theirs in zip(trainer.model.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


def scripted(values: list[float], watch: str = "", **settings: Any) -> tuple[Trainer, History]:
    """A training whose validation gives these values, one an epoch; the weights count the epochs."""
    trainer = make(epochs=len(values), watch=watch, **settings)
    script = iter(values)
    if watch != "loss":
        trainer.task.metrics = lambda outputs, examples: {"accuracy": next(script), "score": 0.0, "loss": 1.0}
    return trainer, trainer.fit()


def test_stops_when_nothing_gets_better_and_keeps_the_best_weights() -> None:
    kept: list[dict[str, Any]] = []

    class Keep(Callback):
        def on_epoch(self, progress: Progress, row: Row) -> None:
            kept.append({name: value.clone() for name, value in trainer.model.state_dict().items()})

    trainer = make(epochs=9, patience=2, valid=parity(50, 1))
    trainer.callbacks = (Keep(),)
    script = iter([0.1, 0.5, 0.4, 0.5, 0.9])
    trainer.task.metrics = lambda outputs, examples: {"accuracy": next(script), "loss": 1.0}
    history = trainer.fit()
    assert (history.stopped, history.best_epoch, len(history.rows)) == ("patience", 2, 4)
    for name, value in trainer.model.state_dict().items():
        assert torch.equal(value, kept[1][name])
    assert not torch.equal(kept[1]["head.weight"], kept[3]["head.weight"])
    assert not trainer.model.training


@pytest.mark.parametrize(("patience", "kept"), [(0, 4), (9, 2)])
def test_the_last_epoch_is_kept_where_it_is_asked_for_without_patience(patience: int, kept: int) -> None:
    trainer = make(epochs=4, patience=patience, keep="last", valid=parity(50, 1))
    script = iter([0.1, 0.9, 0.4, 0.5])
    trainer.task.metrics = lambda outputs, examples: {"accuracy": next(script), "loss": 1.0}
    weights: list[torch.Tensor] = []

    class Keep(Callback):
        def on_epoch(self, progress: Progress, row: Row) -> None:
            weights.append(trainer.model.state_dict()["head.weight"].clone())

    trainer.callbacks = (Keep(),)
    assert trainer.fit().best_epoch == kept
    assert torch.equal(trainer.model.state_dict()["head.weight"], weights[kept - 1])
    assert not torch.equal(weights[1], weights[3])


def test_of_equals_the_one_with_the_lower_loss_is_best() -> None:
    trainer = make(epochs=4, patience=0)
    script = iter([(0.5, 3.0), (0.9, 2.0), (0.9, 1.0), (0.9, 1.5)])

    def metrics(outputs: Any, examples: Any) -> dict[str, float]:
        accuracy, loss = next(script)
        return {"accuracy": accuracy, "loss": loss}

    trainer.task.metrics = metrics
    assert trainer.fit().best_epoch == 3


def test_what_is_watched() -> None:
    assert scripted([0.1, 0.3, 0.2])[1].best_epoch == 2
    assert scripted([0.1, math.nan, 0.05])[1].best_epoch == 1
    assert scripted([math.nan, math.nan])[1].best_epoch == 2
    _, history = scripted([0.0, 0.0, 0.0], watch="loss")
    losses = [row["metrics"]["loss"] for row in history.rows]
    assert history.best_epoch == int(np.argmin(losses)) + 1
    assert [row["watched"] for row in history.rows] == losses
    assert not scripted([0.2, 0.1], watch="score")[0].higher_is_better
    with pytest.raises(UsageError, match=r"watch 'acuracy' is no metric of 'toy'. Did you mean 'accuracy'\?"):
        make(watch="acuracy").fit()


def test_the_plateau_lowers_the_rate_of_the_next_epoch() -> None:
    plateau = {"schedule": "plateau", "every": 1, "decay": 0.5}
    rows = scripted([0.3, 0.2, 0.4, 0.1, 0.1], optimizer=plateau)[1].rows
    assert [row["learning_rate"] for row in rows] == pytest.approx([0.02, 0.02, 0.01, 0.01, 0.005])


def test_without_validation_the_last_weights_are_kept() -> None:
    notes = Notes()
    trainer = make("sequence", notes, epochs=3, patience=1, valid=NOTHING, optimizer={"learning_rate": 1e-9})
    history = trainer.fit()
    assert (history.stopped, history.best_epoch, len(history.rows)) == ("epochs", 3, 3)
    assert [row["metrics"] for row in history.rows] == [{}, {}, {}]
    assert [row["watched"] for row in history.rows] == [row["loss"] for row in history.rows]
    assert notes.ends == [history]


def test_progress() -> None:
    notes = Notes()
    history = make("step", notes, window=2, epoch_size=64).fit()
    [start] = notes.starts
    assert (start.epoch, start.epochs, start.step) == (1, 2, 0)
    assert math.isnan(start.loss)
    assert math.isnan(start.seconds_left)
    first = [progress for progress in notes.steps if progress.epoch == 1]
    assert [progress.step for progress in first] == list(range(1, first[0].steps + 1))
    assert len(first) == first[0].steps  # two batches of 32, in windows of 2
    assert 2 <= len(first) <= 6
    assert all(progress.updates_per_second > 0 for progress in first)
    assert all(progress.steps_per_second > progress.updates_per_second for progress in first)
    assert all(progress.seconds_left >= 0 for progress in notes.steps)
    assert first[0].metrics == {}
    second = [progress for progress in notes.steps if progress.epoch == 2]
    assert second[0].metrics == history.rows[0]["metrics"]
    assert second[-1].learning_rate < first[0].learning_rate <= 0.02
    assert [progress.metrics for progress, _ in notes.epochs] == [row["metrics"] for row in history.rows]
    assert [row for _, row in notes.epochs] == history.rows


class Clock:
    """A second passes with every look at it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def test_the_budget_of_minutes_ends_training_and_the_schedule_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ostinato.training.trainer.perf_counter", Clock())
    notes = Notes()
    history = make("sequence", notes, epochs=1000, minutes=2.0, patience=0).fit()
    assert history.stopped == "minutes"
    assert len(history.rows) < 10
    assert history.seconds == pytest.approx(120.0, abs=20.0)
    assert history.rows[-1]["metrics"]["accuracy"] >= 0.0  # an epoch cut short is validated too
    rates = [progress.learning_rate for progress in notes.steps]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < 0.1 * rates[0]
    assert all(progress.seconds_left <= 120.0 for progress in notes.steps)


def test_a_budget_that_is_over_at_once_makes_one_update() -> None:
    notes = Notes()
    history = make("sequence", notes, minutes=1e-9).fit()
    assert (len(notes.steps), len(history.rows), history.stopped) == (1, 1, "minutes")


def test_a_diverging_training_names_the_place_and_restores_the_last_good_weights() -> None:
    trainer = make(optimizer={"name": "sgd", "learning_rate": 1e30, "clip_norm": 0.0, "schedule": "constant"})
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    with pytest.raises(TrainingError, match=r"epoch 1, step \d.*learning_rate.*clip_norm"):
        trainer.fit()
    for name, value in trainer.model.state_dict().items():
        assert torch.equal(value, before[name])


def test_a_gradient_that_is_not_finite_never_reaches_the_weights() -> None:
    trainer = make()
    trainer.model.head.weight.register_hook(lambda gradient: gradient * float("inf"))
    with pytest.raises(TrainingError, match=r"epoch 1, step 1: the norm of the gradient is (nan|inf)"):
        trainer.fit()


def test_a_validation_that_is_not_finite_stops_too() -> None:
    trainer = make()
    loss = trainer.task.loss
    trainer.task.loss = lambda output, batch: loss(output if trainer.model.training else output * math.nan, batch)
    with pytest.raises(TrainingError, match="epoch 1, validation: the loss is nan"):
        trainer.fit()


def test_batches_without_answers_teach_nothing() -> None:
    trainer = make(valid=NOTHING)
    loss = trainer.task.loss
    trainer.task.loss = lambda output, batch: (loss(output, batch)[0] * math.nan, 0)
    before = trainer.model.head.weight.detach().clone()
    history = trainer.fit()
    assert [row["loss"] for row in history.rows] == [None, None]
    assert torch.equal(trainer.model.head.weight, before)


def test_an_accelerator_is_asked_for_its_losses_now_and_then() -> None:
    ledger = Ledger(first_loss=2.0)
    tally = Tally(ledger, torch.device("cuda"))
    for step in range(15):
        ledger.step = step
        tally.add(torch.tensor(1.0), 2, torch.tensor(1.0) if step % 2 else None)
    assert ledger.answers == 0
    tally.settle()
    assert (ledger.loss, ledger.answers, ledger.mean_loss) == (30.0, 30, 1.0)
    ledger.step = 15
    tally.add(torch.tensor(2.1e6), 1, None)
    with pytest.raises(TrainingError, match=r"epoch 1, step 16: the loss exploded to 2.1e\+06 \(it began at 2\)"):
        tally.settle()
    for _ in range(15):
        tally.add(torch.tensor(1.0), 1, torch.tensor(math.inf))
    with pytest.raises(TrainingError, match="the norm of the gradient is inf"):
        tally.add(torch.tensor(1.0), 1, None)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"epochs": 0}, "training.epochs is 0; it must be 1 or more"),
        ({"batch_size": 0}, "training.batch_size is 0"),
        ({"window": -1}, "training.window is -1; it must be 0 or more"),
        ({"minutes": math.nan}, "training.minutes is nan"),
        ({"seed": -1}, "training.seed is -1"),
    ],
)
def test_wrong_settings_say_what_they_must_be(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make(**wrong)


def test_nothing_to_learn_from() -> None:
    model, task = toy()
    empty = SequenceExamples(inputs=Ragged(torch.empty(0, dtype=torch.int64), torch.zeros(3, dtype=torch.int64)))
    for train, message in ((NOTHING, "has no examples"), (empty, "every training sequence is empty")):
        with pytest.raises(UsageError, match=message):
            Trainer(model, task, train, NOTHING, TrainingSettings(device="cpu"), OptimizerSettings())
