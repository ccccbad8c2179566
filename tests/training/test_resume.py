"""A training that is stopped at any moment and resumed ends with the same bits as one that is not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from training_toys import parity, toy

from ostinato.errors import ModelFolderError, TrainingError, UsageError
from ostinato.training import Callback, History, Log, OptimizerSettings, Progress, Trainer, TrainingSettings
from ostinato.training.callbacks import Row
from ostinato.training.checkpoint import Checkpoints

KINDS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "whole sequences": ("sequence", {}, {}),
    "windows": (
        "step",
        {"window": 2, "burn_in": 1, "epoch_size": 17},
        {"name": "sgd", "schedule": "plateau", "every": 1},
    ),
    "ends": ("sequence", {"window": 2, "patience": 2}, {"name": "adamw", "schedule": "step", "weight_decay": 0.1}),
    "bfloat16": ("step", {"window": 3, "precision": "bfloat16"}, {"warmup": 0.3}),
    "sgd without momentum": ("sequence", {}, {"name": "sgd", "momentum": 0.0}),
}


def make(kind: str, folder: Path | None, *callbacks: Callback, seed: int = 3, **changes: Any) -> Trainer:
    outputs, training, optimizer = KINDS[kind]
    model, task = toy(outputs, hidden=4, dropout=0.2)
    chosen = TrainingSettings(
        **{
            "epochs": 3,
            "batch_size": 8,
            "device": "cpu",
            "seed": seed,
            "checkpoint_seconds": 0.0,
            **training,
            **changes,
        }
    )
    return Trainer(
        model,
        task,
        parity(24, 0, outputs),
        parity(9, 1, outputs),
        chosen,
        OptimizerSettings(**{"learning_rate": 0.02, **optimizer}),
        folder=folder,
        callbacks=callbacks,
    )


def facts(trainer: Trainer, history: History) -> dict[str, Any]:
    """Everything that must be the same, to the bit."""
    rows = [{key: value for key, value in row.items() if key != "seconds"} for row in history.rows]
    weights = {name: value.numpy().tobytes() for name, value in trainer.model.state_dict().items()}
    result = {"rows": rows, "weights": weights, "stopped": history.stopped, "best": history.best_epoch}
    if trainer.checkpoints is not None:
        tensors = trainer.checkpoints.load(pytest.fail).tensors
        result["checkpoint"] = {name: value.numpy().tobytes() for name, value in tensors.items()}
    return result


class Bang(Callback):
    """Raises after so many updates."""

    def __init__(self, after: int, error: type[BaseException]) -> None:
        self.left, self.error = after, error

    def on_step(self, progress: Progress) -> None:
        self.left -= 1
        if self.left == 0:
            raise self.error("stopped by the test")


_WHOLE: dict[str, dict[str, Any]] = {}


def uninterrupted(kind: str) -> dict[str, Any]:
    if kind not in _WHOLE:
        with tempfile.TemporaryDirectory() as folder:
            trainer = make(kind, Path(folder))
            _WHOLE[kind] = facts(trainer, trainer.fit())
    return _WHOLE[kind]


@given(
    kind=st.sampled_from(sorted(KINDS)),
    after=st.lists(st.integers(1, 12), min_size=1, max_size=3),
    # An error loses what came after the last checkpoint, Ctrl-C nothing.
    error=st.sampled_from([RuntimeError, KeyboardInterrupt]),
    often=st.sampled_from([0.0, 1e9]),
)
@example(kind="windows", after=[1, 1, 1], error=KeyboardInterrupt, often=1e9)
@example(kind="windows", after=[2], error=RuntimeError, often=0.0)
@settings(max_examples=20)
def test_resumed_is_uninterrupted_to_the_bit(
    kind: str, after: list[int], error: type[BaseException], often: float
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        history = None
        for number, count in enumerate(after):
            trainer = make(kind, folder, Bang(count, error), checkpoint_seconds=often)
            try:
                history = trainer.resume() if number else trainer.fit()
                break
            except error:
                torch.manual_seed(number)  # whatever else a process draws
        if history is None:
            trainer = make(kind, folder)
            history = trainer.resume()
        assert facts(trainer, history) == uninterrupted(kind)


def test_the_seed_decides_and_the_callers_random_numbers_are_left_alone(tmp_path: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    one = make("whole sequences", tmp_path / "1")
    torch.manual_seed(5)
    history = one.fit()
    assert torch.equal(torch.rand(3), expected)
    assert facts(one, history) == uninterrupted("whole sequences")
    other = make("whole sequences", tmp_path / "2", seed=4)
    assert facts(other, other.fit()) != uninterrupted("whole sequences")


SCRIPT = """
import sys
sys.path.insert(0, {tests!r})
from pathlib import Path
import torch
torch.set_num_threads(1)
from test_resume import make
from ostinato.training import Callback, Log
class Say(Callback):
    def on_step(self, progress):
        print(progress.epoch, progress.step, flush=True)
folder = Path({folder!r})
trainer = make("windows", folder, Say(), Log(folder / "log.jsonl"), checkpoint_seconds={often})
trainer.resume() if {resume} else trainer.fit()
"""


def start(folder: Path, resume: bool, often: float) -> subprocess.Popen[str]:
    script = SCRIPT.format(tests=str(Path(__file__).parent), folder=str(folder), often=often, resume=resume)
    return subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def stop_after(process: subprocess.Popen[str], lines: int, sign: int) -> str:
    assert process.stdout is not None
    assert process.stderr is not None
    for _ in range(lines):
        assert process.stdout.readline()
    process.send_signal(sign)
    _, errors = process.communicate(timeout=60)
    return errors


def test_killed_processes_resume_to_the_same_bits(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    for resume, lines, often in ((False, 7, 0.0), (True, 9, 0.002)):
        process = start(folder, resume, often)
        stop_after(process, lines, signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL
    trainer = make("windows", folder, Log(folder / "log.jsonl"))
    history = trainer.resume()
    assert facts(trainer, history) == uninterrupted("windows")
    logged = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert logged == history.rows


def test_ctrl_c_saves_the_update_it_came_in(tmp_path: Path) -> None:
    process = start(tmp_path, False, 1e9)
    errors = stop_after(process, 4, signal.SIGINT)
    assert "KeyboardInterrupt" in errors
    state = Checkpoints(tmp_path / "checkpoints").load(pytest.fail).state["ledger"]
    assert (state["epoch"], state["step"]) > (0, 3)
    trainer = make("windows", tmp_path)
    assert facts(trainer, trainer.resume()) == uninterrupted("windows")


def test_ctrl_c_waits_for_the_update_but_not_for_a_validation(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    seen: list[str] = []

    class Press(Callback):
        def on_step(self, progress: Progress) -> None:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)
            seen.append("after the signal")

    trainer = make("whole sequences", tmp_path, Press())
    with pytest.raises(KeyboardInterrupt):
        trainer.fit()
    assert seen == ["after the signal"]
    assert signal.getsignal(signal.SIGINT) is before

    trainer = make("whole sequences", tmp_path)
    measure = trainer.task.metrics

    def press(*arguments: Any) -> dict[str, float]:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)
        seen.append("never")
        return measure(*arguments)

    trainer.task.metrics = press
    with pytest.raises(KeyboardInterrupt):
        trainer.resume()
    assert seen == ["after the signal"]
    state = trainer.checkpoints.load(pytest.fail).state["ledger"]
    assert (state["epoch"], state["step"]) == (0, 3)
    trainer = make("whole sequences", tmp_path)
    assert facts(trainer, trainer.resume()) == uninterrupted("whole sequences")


def test_a_second_ctrl_c_does_not_wait_and_saves_nothing_half_done(tmp_path: Path) -> None:
    trainer = make("whole sequences", tmp_path, checkpoint_seconds=1e9)
    step = trainer.updater.step

    def press(rate: float) -> None:
        step(rate)
        if trainer.ledger.step == 1:
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0.01)

    trainer.updater.step = press
    with pytest.raises(KeyboardInterrupt):
        trainer.fit()
    assert trainer.checkpoints.load(pytest.fail).state["ledger"]["step"] == 0
    trainer = make("whole sequences", tmp_path)
    assert facts(trainer, trainer.resume()) == uninterrupted("whole sequences")


def test_a_finished_training_resumes_to_itself_or_to_more_epochs(tmp_path: Path) -> None:
    trainer = make("sgd without momentum", tmp_path)
    first = facts(trainer, trainer.fit())
    again = make("sgd without momentum", tmp_path)
    assert facts(again, again.resume()) == first
    longer = make("sgd without momentum", tmp_path, epochs=5)
    assert len(longer.resume().rows) == 5


def test_a_training_is_not_begun_twice(tmp_path: Path) -> None:
    trainer = make("whole sequences", tmp_path)
    trainer.fit()
    with pytest.raises(UsageError, match="has trained already"):
        trainer.fit()
    with pytest.raises(ModelFolderError, match="holds the checkpoints of an earlier training; resume it"):
        make("whole sequences", tmp_path).fit()
    with pytest.raises(ModelFolderError, match="no checkpoint to resume from"):
        make("whole sequences", tmp_path / "nowhere").resume()
    with pytest.raises(UsageError, match="without a folder cannot be resumed"):
        make("whole sequences", None).resume()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda: {"batch_size": 9}, "training.batch_size was 8 and is now 9"),
        (lambda: {"seed": 4}, "training.seed was 3 and is now 4"),
    ],
)
def test_another_training_is_not_resumed(tmp_path: Path, change: Callable[[], dict[str, Any]], message: str) -> None:
    make("whole sequences", tmp_path).fit()
    with pytest.raises(ModelFolderError, match=message):
        make("whole sequences", tmp_path, **change()).resume()
    with pytest.raises(ModelFolderError, match=r"are of another training: optimizer.name was adam and is now adamw"):
        make("ends", tmp_path).resume()


class Warnings(Callback):
    def __init__(self) -> None:
        self.messages: list[str] = []

    def on_warning(self, message: str) -> None:
        self.messages.append(message)


def test_a_damaged_checkpoint_falls_to_the_one_before_with_a_warning(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        make("windows", tmp_path, Bang(9, RuntimeError)).fit()
    newest = max((tmp_path / "checkpoints").glob("*.safetensors"))
    newest.write_bytes(newest.read_bytes()[:-7])
    told = Warnings()
    trainer = make("windows", tmp_path, told)
    assert facts(trainer, trainer.resume()) == uninterrupted("windows")
    [message] = told.messages
    assert newest.name in message
    assert "truncated or altered; going on from the checkpoint before it" in message


def test_other_threads_are_told(tmp_path: Path) -> None:
    make("whole sequences", tmp_path).fit()
    told = Warnings()
    trainer = make("whole sequences", tmp_path, told)
    torch.set_num_threads(2)
    try:
        trainer.resume()
    finally:
        torch.set_num_threads(1)
    assert told.messages == ["threads was 1 and is now 2: not the same bits as without interruption"]


def test_a_full_disk_stops_the_training_and_keeps_the_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Fill(Callback):
        def on_epoch(self, progress: Progress, row: Row) -> None:
            if progress.epoch == 2:
                monkeypatch.setattr(os, "fsync", full)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(ModelFolderError, match=r"No space left on device\); the one before is kept.*then resume"):
        make("whole sequences", tmp_path, Fill(), checkpoint_seconds=1e9).fit()
    monkeypatch.undo()
    trainer = make("whole sequences", tmp_path)
    assert trainer.checkpoints.load(pytest.fail).state["ledger"]["epoch"] == 1
    assert facts(trainer, trainer.resume()) == uninterrupted("whole sequences")


def test_what_diverged_keeps_its_last_good_checkpoint(tmp_path: Path) -> None:
    trainer = make("whole sequences", tmp_path)
    loss = trainer.task.loss
    trainer.task.loss = lambda output, batch: loss(output * (float("nan") if trainer.ledger.epoch else 1), batch)
    with pytest.raises(TrainingError, match=r"epoch 2, step 1: the loss is nan; the last good weights are kept"):
        trainer.fit()
    checkpoint = trainer.checkpoints.load(pytest.fail)
    for name, value in trainer.model.state_dict().items():
        assert torch.isfinite(value).all()
        assert torch.equal(value, checkpoint.tensors[f"best.{name}"])
    sound = make("whole sequences", tmp_path)
    assert facts(sound, sound.resume()) == uninterrupted("whole sequences")
