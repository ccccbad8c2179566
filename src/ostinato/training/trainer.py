"""Trainer: one training of one model from one seed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter

import torch
from torch import Tensor, nn

from ostinato.data.batching import batches
from ostinato.data.examples import Examples
from ostinato.errors import ModelFolderError, TrainingError, UsageError, nearest
from ostinato.tasks.base import Task
from ostinato.training.bptt import Bptt
from ostinato.training.callbacks import Callback, Progress
from ostinato.training.check import check
from ostinato.training.checkpoint import Checkpoint, Checkpoints
from ostinato.training.device import Precision, choose_device
from ostinato.training.history import History, Row, Stopped
from ostinato.training.interrupt import Interrupts
from ostinato.training.ledger import Ledger
from ostinato.training.optimizer import build_optimizer
from ostinato.training.predict import Assessment
from ostinato.training.schedule import Schedule
from ostinato.training.settings import OptimizerSettings, TrainingSettings
from ostinato.training.snapshot import (
    check_same,
    copy_weights,
    identity,
    machine,
    optimizer_tensors,
    part,
    random_states,
    restore_optimizer,
    restore_random,
    seeded,
    stored,
)
from ostinato.training.speed import Speed
from ostinato.training.tally import Tally, diverged
from ostinato.training.update import Updater
from ostinato.training.words import HIGHER


class Trainer:
    """Fits a model: batches of like lengths, BPTT whole or truncated, one update after the other.

    One seed gives one training: the order of the examples follows from ``(seed, epoch)``, everything else that is
    random from PyTorch's generators, which are seeded here and put back as they were afterwards. A training that was
    killed at any moment and resumed from its folder ends with the same bits as one that was not, on the same machine
    with the same number of threads (on CUDA with ``torch.use_deterministic_algorithms``). With a budget of ``minutes``
    the learning rate follows the clock, so that two such trainings differ; resumed, one goes on where it stopped.

    Args:
        model: fitted in place; it ends on the training's device with its best weights.
        task: gives loss and metrics.
        train: what is learned from.
        valid: by which the best weights are chosen; may be empty: then the last ones are kept, and ``patience`` is
            without effect.
        settings: the ``training`` group.
        optimizer: the ``optimizer`` group.
        folder: the run folder; checkpoints go to its ``checkpoints/``. None: nothing is written.
        callbacks: are told what happens.

    Raises:
        UsageError: settings that do not fit each other, the model, the task or the machine; an empty ``train``.
    """

    def __init__(
        self,
        model: nn.Module,
        task: Task,
        train: Examples,
        valid: Examples,
        settings: TrainingSettings,
        optimizer: OptimizerSettings,
        *,
        folder: str | Path | None = None,
        callbacks: Sequence[Callback] = (),
    ) -> None:
        check(settings, train)
        self.model, self.task, self.train, self.valid = model, task, train, valid
        self.settings, self.callbacks = settings, tuple(callbacks)
        self.device = choose_device(settings.device)
        self.checkpoints = Checkpoints(Path(folder) / "checkpoints") if folder is not None else None
        precision = Precision(settings.precision, self.device)
        self.bptt = Bptt(model, task, settings, precision)
        model.to(self.device)
        self.optimizer = build_optimizer(model, optimizer)
        self.schedule = Schedule(optimizer)
        self.updater = Updater(self.optimizer, optimizer, precision.scaler)
        self.ledger, self.speed, self.interrupts = Ledger(), Speed(), Interrupts()
        self.tally = Tally(self.ledger, self.device)
        self.best: dict[str, Tensor] = {}
        self.watch, self.higher_is_better = self._watched()
        self._identity = identity(model, train, valid, settings, optimizer)
        self._began = self._saved = perf_counter()
        self._valid_seconds = 0.0
        self._drops = 0
        self._whole = True  # whether weights, optimizer and ledger are of one moment, so that they can be saved

    def fit(self) -> History:
        """Trains from the start.

        Raises:
            TrainingError: the loss or a gradient is not finite, or the loss exploded; the model has its last good
                weights.
            ModelFolderError: the folder holds another training already, or cannot be written.
            KeyboardInterrupt: on Ctrl-C, after a checkpoint.
        """
        if self.ledger.epoch or self.ledger.step:
            raise UsageError("this Trainer has trained already; make another one, or call resume()")
        if self.checkpoints is not None and self.checkpoints.numbers():
            raise ModelFolderError(
                f"{self.checkpoints.folder}: holds the checkpoints of an earlier training; resume it, or train into "
                "another folder"
            )
        return self._run(self._begin)

    def resume(self) -> History:
        """Goes on from the folder's newest whole checkpoint, which holds more epochs or minutes if they were raised.

        The model, data and settings must be those of the training that was begun; ``epochs``, ``minutes``,
        ``patience``, ``device`` and ``checkpoint_seconds`` may differ.

        Raises:
            ModelFolderError: no checkpoint is there, none is whole, or they are of another training.
        """
        if self.checkpoints is None:
            raise UsageError("a training without a folder cannot be resumed; give Trainer a folder")
        return self._run(self._restore)

    def _run(self, begin: Callable[[], None]) -> History:
        devices = [self.device] if self.device.type in ("cuda", "mps") else []
        kind = self.device.type if devices else "cuda"
        with torch.random.fork_rng(devices, device_type=kind), self.interrupts:
            self._began = self._saved = perf_counter()
            begin()
            try:
                self._tell_start()
                while self._stopped() is None:
                    self._epoch()
            except KeyboardInterrupt:
                if self._whole:
                    self._save()
                raise
            except TrainingError:
                self.model.load_state_dict(self.best)
                raise
            finally:
                self.model.eval()
        self.model.load_state_dict(self.best)
        stopped = self._stopped()
        assert stopped is not None
        history = History(self.ledger.rows, self._best_epoch(), self._seconds(), stopped)
        for callback in self.callbacks:
            callback.on_end(history)
        return history

    def _begin(self) -> None:
        torch.manual_seed(self.settings.seed)
        self.best = copy_weights(self.model)
        self._save()

    # --- one epoch ----------------------------------------------------------------------------------------------------

    def _epoch(self) -> None:
        settings, ledger = self.settings, self.ledger
        order = batches(self.train, settings.batch_size, settings.seed, ledger.epoch, count=settings.epoch_size)
        steps = self.bptt.steps(self.train.lengths, order)
        self._drops = ledger.drops(self.schedule.settings.every, self.higher_is_better)
        self.model.train()
        self.speed.restart()
        for index in order[ledger.batch :]:
            if ledger.step and self._out_of_time():
                break
            self._batch(index, steps)
        self.tally.settle()
        self._finish_epoch(steps)

    def _batch(self, index: Tensor, steps: int) -> None:
        """All updates of a batch that are not done yet."""
        ledger = self.ledger
        with seeded(self.settings.seed, ledger.epoch, ledger.batch):  # taken up again in its middle it is the same
            batch = self.task.draw(self.train, index)
        if self.device.type != "cpu":
            batch = batch.to(self.device)
        for loss, answers, length in self.bptt.losses(batch, first=ledger.piece):
            self._whole = False
            self._update(loss, answers, steps)
            del loss  # or its graph would live on beside the next one
            ledger.step += 1
            ledger.piece += 1
            self._whole = True
            self.speed.add(length)
            self._between_updates(steps)
            if self._out_of_time():
                return
        ledger.batch += 1
        ledger.piece = 0

    def _update(self, loss: Tensor, answers: int, steps: int) -> None:
        if not answers:
            return
        norm = self.updater.backward(loss)
        self.tally.add(loss, answers, norm)
        ledger, epochs = self.ledger, self.settings.epochs
        share = (ledger.epoch + (ledger.step + 0.5) / steps) / epochs
        if self.settings.minutes:
            share = max(share, self._seconds() / (60.0 * self.settings.minutes))
        ledger.rate = self.schedule.rate(share, ledger.epoch, self._drops)
        self.updater.step(ledger.rate)

    def _between_updates(self, steps: int) -> None:
        if self.callbacks:
            progress = self._progress(steps)
            for callback in self.callbacks:
                callback.on_step(progress)
        if self.interrupts.asked:
            self.tally.settle()
            raise KeyboardInterrupt
        if self.checkpoints is not None and perf_counter() - self._saved >= self.settings.checkpoint_seconds:
            self._save()

    def _finish_epoch(self, steps: int) -> None:
        metrics = self._validate()
        value = metrics.get(self.watch, math.nan) if metrics else self.ledger.mean_loss
        row: Row = {
            "epoch": self.ledger.epoch + 1,
            "loss": _plain(self.ledger.mean_loss),
            "metrics": {key: _plain(number) for key, number in metrics.items()},
            "watched": _plain(value),
            "learning_rate": self.ledger.rate,
            "seconds": self._seconds(),
        }
        progress = self._progress(steps, metrics)
        for callback in self.callbacks:
            callback.on_epoch(progress, row)
        self._whole = False
        self.ledger.finish_epoch(row)
        if self._best_epoch() == self.ledger.epoch:
            self.best = copy_weights(self.model)
        self._whole = True
        self._save()
        if self.interrupts.asked:
            raise KeyboardInterrupt

    def _validate(self) -> dict[str, float]:
        """Loss and metrics of the validation part, empty without one.

        Raises:
            TrainingError: the loss is not finite.
            UsageError: the task has no metric ``settings.watch``.
        """
        if not len(self.valid):
            return {}
        start = perf_counter()
        assessment = Assessment(self.model, self.task, self.valid, window=self.settings.window, greedy=True)
        with self.interrupts.at_once():
            loss, outputs = assessment.run()
            metrics = {"loss": loss, **self.task.metrics(outputs, self.valid)}
        if assessment.answers and not math.isfinite(loss):
            raise diverged(f"epoch {self.ledger.epoch + 1}, validation", f"the loss is {loss}")
        if self.watch not in metrics:
            hint = nearest(self.watch, list(metrics))
            raise UsageError(f"training.watch '{self.watch}' is no metric of '{self.task.name}'.{hint}")
        self._valid_seconds = perf_counter() - start
        return metrics

    # --- where it stands ----------------------------------------------------------------------------------------------

    def _watched(self) -> tuple[str, bool]:
        """Name of the number by which epochs are compared, and whether more of it is better."""
        watch = self.settings.watch or self.task.watch
        if not len(self.valid) or watch == "loss":
            return "loss", False
        return watch, self.task.higher_is_better if watch == self.task.watch else watch in HIGHER

    def _best_epoch(self) -> int:
        if not len(self.valid) or (self.settings.keep == "last" and not self.settings.patience):
            return self.ledger.epoch
        return self.ledger.best_epoch(self.higher_is_better) or self.ledger.epoch

    def _stopped(self) -> Stopped | None:
        """What ends the training here, between two epochs; an epoch that was begun is always finished."""
        ledger, settings = self.ledger, self.settings
        if ledger.epoch >= settings.epochs:
            return "epochs"
        if ledger.step or not ledger.epoch:
            return None
        if self._out_of_time():
            return "minutes"
        waited = ledger.epoch - self._best_epoch()
        return "patience" if settings.patience and waited >= settings.patience else None

    def _seconds(self) -> float:
        return self.ledger.seconds + perf_counter() - self._began

    def _out_of_time(self) -> bool:
        """Whether the budget would be spent by a validation that began now and took as long as the last."""
        budget = 60.0 * self.settings.minutes
        return budget > 0 and self._seconds() + self._valid_seconds >= budget

    def _progress(self, steps: int, metrics: dict[str, float] | None = None) -> Progress:
        ledger, epochs = self.ledger, self.settings.epochs
        updates, rate = self.speed.rates()
        left = math.nan
        if updates:
            epochs_left = max(epochs - ledger.epoch - 1, 0)
            left = (steps * (epochs_left + 1) - ledger.step) / updates + self._valid_seconds * (epochs_left + 1)
            if self.settings.minutes:
                left = min(left, max(60.0 * self.settings.minutes - self._seconds(), 0.0))
        return Progress(
            epoch=min(ledger.epoch + 1, epochs),
            epochs=epochs,
            step=ledger.step,
            steps=steps,
            loss=ledger.mean_loss,
            metrics=self._last_metrics() if metrics is None else metrics,
            updates_per_second=updates,
            steps_per_second=rate,
            seconds_left=left,
            learning_rate=ledger.rate,
            finished=ledger.epoch >= epochs,
        )

    def _last_metrics(self) -> dict[str, float]:
        rows = self.ledger.rows
        return {key: math.nan if value is None else value for key, value in rows[-1]["metrics"].items()} if rows else {}

    def _tell_start(self) -> None:
        progress = self._progress(0)
        for callback in self.callbacks:
            callback.on_start(progress)

    def _warn(self, message: str) -> None:
        for callback in self.callbacks:
            callback.on_warning(message)

    # --- checkpoints --------------------------------------------------------------------------------------------------

    def _save(self) -> None:
        if self.checkpoints is None:
            return
        self.tally.settle()
        carried = {str(number): tensor for number, tensor in enumerate(self.bptt.state or ())}
        tensors = {
            **stored("model", self.model.state_dict()),
            **stored("best", self.best),
            **stored("optimizer", optimizer_tensors(self.optimizer)),
            **stored("random", random_states(self.device)),
            **stored("carried", carried),
        }
        state = {
            "ledger": {**self.ledger.to_config(), "seconds": self._seconds()},
            "scaler": self.updater.scaler.state_dict(),
            "run": self._identity,
            "machine": machine(self.device),
        }
        self.checkpoints.save(Checkpoint(tensors, state))
        self._saved = perf_counter()

    def _restore(self) -> None:
        assert self.checkpoints is not None
        checkpoint = self.checkpoints.load(self._warn)
        tensors, state = checkpoint.tensors, checkpoint.state
        check_same(state["run"], self._identity, self.checkpoints.folder)
        self.model.load_state_dict(part("model", tensors))
        self.best = {name: value.to(self.device) for name, value in part("best", tensors).items()}
        restore_optimizer(self.optimizer, part("optimizer", tensors))
        restore_random(part("random", tensors), self.device)
        carried = part("carried", tensors)
        self.bptt.state = tuple(carried[str(number)].to(self.device) for number in range(len(carried))) or None
        if state["scaler"]:
            self.updater.scaler.load_state_dict(state["scaler"])
        self.ledger = Ledger.from_config(state["ledger"])
        self.tally = Tally(self.ledger, self.device)
        for key, value in machine(self.device).items():
            before = state["machine"][key]
            if before != value:
                self._warn(f"{key} was {before} and is now {value}: not the same bits as without interruption")


def _plain(value: float) -> float | None:
    """As JSON, which has no NaN and no infinity."""
    return float(value) if math.isfinite(value) else None
