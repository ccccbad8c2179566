from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import scipy.stats
import torch

from ostinato.data import read as read_file
from ostinato.data.settings import DataSettings
from ostinato.data.table import Table
from ostinato.errors import DataError, ModelFolderError, UsageError
from ostinato.models import ModelSettings, build
from ostinato.tasks.base import Outputs
from ostinato.tasks.detect import Detect, student_nll
from ostinato.tasks.detect_metrics import NEVER, candidates, detect_metrics, scores_of, stretches
from ostinato.tasks.detect_score import Scores
from ostinato.tasks.detect_series import CLIP, WARM, Read, examples_of, last_of, tensors, windows
from ostinato.tasks.settings import TaskSettings
from ostinato.training import predict
from series_tables import hours, table_of, wave

SETTINGS = TaskSettings(name="detect")
NAN = math.nan


def fitted(table: Table, **data: object) -> Detect:
    return Detect.fit(table, DataSettings(**data), SETTINGS)  # type: ignore[arg-type]


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def read(path: Path) -> Table:
    return read_file(path, DataSettings())


def rows(values: list[str], header: str = "time,value") -> str:
    lines = [f"2024-01-01T{step // 60:02d}:{step % 60:02d}:00,{value}" for step, value in enumerate(values)]
    return "\n".join([header, *lines]) + "\n"


def said(task: Detect, table: Table, seed: int = 0) -> Outputs:
    torch.manual_seed(seed)
    model = build(task.spec, ModelSettings(cell="gru", hidden=4), SETTINGS)
    return predict(model, task, task.examples(table))


def test_the_loss_is_students() -> None:
    random = np.random.default_rng(0)
    value, mean, scale = random.normal(size=(3, 50)) * 3
    scale = np.abs(scale) + 0.1
    found = student_nll(*(torch.from_numpy(part) for part in (value, mean, scale)))
    np.testing.assert_allclose(found.numpy(), -scipy.stats.t.logpdf(value, 4, mean, scale))


def test_what_is_told_before_a_step_is_what_came_before_it() -> None:
    values = np.array([[1.0], [2.0], [NAN], [5.0], [6.0]])
    assert last_of(values)[:, 0].tolist() == [0.0, 1.0, 2.0, 2.0, 5.0]
    assert last_of(np.array([[NAN], [3.0], [4.0]]))[:, 0].tolist() == [0.0, 0.0, 3.0]
    inputs, targets = tensors(values, np.array([True, True, True, True, False]))
    assert inputs.tolist() == [[0.0, 0.0], [1.0, 1.0], [2.0, 1.0], [2.0, 0.0], [5.0, 3.0]]
    np.testing.assert_array_equal(targets, [[NAN, 1], [1, 2], [NAN, NAN], [3, 5], [NAN, 6]])


def test_no_answer_depends_on_what_comes_later() -> None:
    series = wave(120)
    task = fitted(table_of(series))
    changed = series.copy()
    changed[80:] += 50
    first, second = said(task, table_of(series)), said(task, table_of(changed))
    for key in ("error", "expected", "spread", "nll"):
        np.testing.assert_allclose(first[key][:80], second[key][:80], rtol=1e-6)
        assert (first[key][81:] != second[key][81:]).any()


def test_errors_expectations_and_likelihoods_belong_together() -> None:
    series = wave(90)
    task = fitted(table_of(series))
    outputs = said(task, table_of(series))
    scale = np.array(task.scale)
    np.testing.assert_allclose(outputs["error"], np.abs(series[:, None] - outputs["expected"]) / scale, atol=1e-5)
    law = scipy.stats.t(4, outputs["expected"][:, 0], outputs["spread"][:, 0])
    np.testing.assert_allclose(outputs["nll"][1:], -law.logpdf(series)[1:] - np.log(scale[0]), rtol=1e-4, atol=1e-5)
    assert math.isnan(outputs["nll"][0])


def test_a_series_twice_as_large_and_moved_is_judged_alike() -> None:
    series = wave(100)
    one, other = fitted(table_of(series)), fitted(table_of(2000 * series - 7e4))
    first = scores_of(said(one, table_of(series)), one.examples(table_of(series)), 100)[0]
    moved = table_of(2000 * series - 7e4)
    second = scores_of(said(other, moved), other.examples(moved), 100)[0]
    np.testing.assert_allclose(first.score, second.score, atol=1e-3)


def test_windows_cover_every_step_and_warm_up() -> None:
    task = fitted(table_of(wave(200), wave(30)))
    examples = task.examples(table_of(wave(200), wave(30)))
    cut = windows(examples, 64)
    assert set(cut.lengths.tolist()) == {64, 30}
    assert not cut.told
    learned = int(torch.isfinite(cut.targets.values[:, 0]).sum())  # type: ignore[union-attr]
    starts = len(range(0, 200 - 64, 8)) + 1
    assert learned == starts * 64 - (starts - 1) * WARM - 1 + 29
    last = cut.targets[starts - 1]  # type: ignore[index]
    torch.testing.assert_close(last[-1], examples.targets[0][-1])  # type: ignore[index]


def test_parts_are_cut_by_time_and_keep_their_past() -> None:
    table = table_of(wave(100), times=[hours(100)])
    parts = Detect.divide(table, DataSettings(valid=0.1, test=0.3), SETTINGS, 0)
    task = fitted(parts.train)
    read_parts = [task.examples(part).read[0] for part in (parts.train, parts.valid, parts.test)]
    assert [len(one.judged) for one in read_parts] == [60, 70, 100]
    assert [int(one.judged.sum()) for one in read_parts] == [60, 10, 30]
    frame = task.frame(said(task, parts.test), parts.test)
    assert frame.columns == ["time", "c1", "expected", "score", "chance", "alarm"]
    assert frame["time"].to_list()[0] == hours(100)[70].item()
    assert frame["c1"].to_list() == wave(100)[70:].tolist()
    assert task.size(parts.test, task.examples(parts.test)) == "1 series (30 steps)"
    scores = task.scores(said(task, parts.test), task.examples(parts.test))
    assert scores == pytest.approx([np.nanmean(said(task, parts.test)["nll"])])


def test_labels_are_never_learned_from(tmp_path: Path) -> None:
    values = [f"{value:.3f},{int(30 <= step < 34)}" for step, value in enumerate(wave(80))]
    table = read(written(tmp_path / "a.csv", rows(values, "time,value,label")))
    task = fitted(table)
    assert (task.channels, task.label) == (("value",), "label")
    truth = task.examples(table).read[0].truth
    assert truth is not None
    assert stretches(truth) == [(30, 33)]
    flipped = [f"{value:.3f},{int(not 30 <= step < 34)}" for step, value in enumerate(wave(80))]
    other = read(written(tmp_path / "b.csv", rows(flipped, "time,value,label")))
    for key, found in said(task, other).items():
        np.testing.assert_array_equal(found, said(task, table)[key])
    named = read(written(tmp_path / "c.csv", rows(values, "time,value,wrong")))
    assert fitted(named).channels == ("value", "wrong")
    assert fitted(named, target="wrong").channels == ("value",)


def test_without_its_labels_a_table_is_read_all_the_same(tmp_path: Path) -> None:
    values = [f"{value:.3f},{int(step > 70)}" for step, value in enumerate(wave(80))]
    task = fitted(read(written(tmp_path / "a.csv", rows(values, "time,value,label"))))
    bare = read(written(tmp_path / "b.csv", rows([value.split(",")[0] for value in values])))
    assert task.examples(bare).read[0].truth is None
    assert "truth" not in task.frame(said(task, bare), bare).columns
    assert set(task.metrics(said(task, bare), task.examples(bare))) == {"nll", "alarm_rate"}


def test_metrics_by_hand() -> None:
    truth = np.zeros(12, dtype=bool)
    truth[[3, 4, 8]] = True
    one = Read("a", np.zeros((12, 1)), np.zeros((12, 1)), None, truth, np.arange(12) >= 2)
    score = np.array([1, 0, 5, 0, 7, 0, 0, 0, 0, 0, 8, 0], dtype=float)  # alarms at 2, 4 and 10: none so high before
    found = detect_metrics({"score": score}, examples_of([one]), rate=0.35, quiet=0)
    assert (found["precision"], found["recall"]) == (pytest.approx(1 / 3), 0.5)
    assert found["f1"] == pytest.approx(0.4)
    assert found["alarm_rate"] == pytest.approx(2 / 7)


def test_candidates_hide_what_is_no_news() -> None:
    scores = Scores(np.array([1.0, 2.0, NAN]), np.ones(3), np.array([True, False, False]), np.zeros(3, dtype=int))
    assert candidates(scores).tolist() == [1.0, NEVER, NEVER]


def test_missing_values_have_no_score_and_are_counted(tmp_path: Path) -> None:
    values = [f"{value:.3f}" for value in wave(80)]
    values[40] = values[41] = ""
    table = read(written(tmp_path / "a.csv", rows(values)))
    task = fitted(table)
    frame = task.frame(said(task, table), table)
    assert frame["score"].is_null().to_list() == [step in (40, 41) for step in range(80)]
    assert frame["alarm"][40] == 0
    assert np.isfinite(said(task, table)["expected"]).all()
    assert task.notes(table) == ("channel 'value': 2 of 80 values are missing and have no score",)
    assert torch.isfinite(task.loss(torch.zeros(80, 2), task.examples(table).take(torch.tensor([0])))[0])
    with pytest.raises(DataError, match=r"step 41: the value is missing; data.missing=mask or fill"):
        fitted(table, missing="error")


def test_gaps_in_time_are_told(tmp_path: Path) -> None:
    text = rows([f"{value:.3f}" for value in wave(60)]).replace("T00:30:00", "T00:30:30")
    table = read(written(tmp_path / "gap.csv", text))
    assert any("time steps are irregular (first at row 32: 90 s instead of 1 min)" in note for note in table.notes)
    assert len(fitted(table).examples(table).read[0].values) == 60


def test_times_out_of_order_are_sorted_and_twins_refused(tmp_path: Path) -> None:
    lines = rows([f"{value:.3f}" for value in wave(60)]).splitlines()
    lines[10], lines[20] = lines[20], lines[10]
    table = read(written(tmp_path / "mixed.csv", "\n".join(lines) + "\n"))
    assert any("have been sorted (2 of 60 moved)" in note for note in table.notes)
    values = fitted(table).examples(table).read[0].values[:, 0]
    np.testing.assert_allclose(values, wave(60), atol=1e-3)
    lines[12] = lines[13]
    with pytest.raises(DataError, match=r"twin.csv, row 14, column 'time': the time .* stands on row 13 already"):
        read(written(tmp_path / "twin.csv", "\n".join(lines) + "\n"))


def test_a_constant_series_is_refused_with_its_place(tmp_path: Path) -> None:
    table = read(written(tmp_path / "flat.csv", rows(["7"] * 60)))
    with pytest.raises(DataError, match=r"flat.csv, column 'value': is 7 at every step of the training part"):
        fitted(table)
    with pytest.raises(DataError, match=r"column 'c1': holds no value in the training part"):
        fitted(table_of(np.full(50, NAN)))


def test_series_too_short_to_divide(tmp_path: Path) -> None:
    table = read(written(tmp_path / "short.csv", rows(["1", "2", "3"])))
    with pytest.raises(DataError, match=r"short.csv: the longest series has 3 steps, and a detector needs 10"):
        Detect.divide(table, DataSettings(), SETTINGS, 0)


def test_one_constant_channel_of_several_is_watched_all_the_same() -> None:
    table = table_of(np.stack([wave(80), np.full(80, 3.0)], axis=1))
    task = fitted(table)
    moved = np.stack([wave(80), np.full(80, 3.0)], axis=1)
    moved[70, 1] = 3.5
    frame = task.frame(said(task, table_of(moved)), table_of(moved))
    assert frame.columns[:5] == ["step", "c1", "expected c1", "c2", "expected c2"]
    assert frame["channel"][70] == "c2"
    assert frame["score"].arg_max() == 70
    assert abs(task.examples(table_of(moved)).read[0].clipped[70, 1]) == CLIP


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("time,value,label\n2024-01-01,1,0\n2024-01-02,3,2\n2024-01-03,2,0\n", "the label is 2; a label is 1 where"),
        ("time,label\n2024-01-01,1\n2024-01-02,0\n2024-01-03,1\n", "no column of numbers beside the labels 'label'"),
    ],
    ids=["labels", "nothing"],
)
def test_labels_that_cannot_be(tmp_path: Path, text: str, words: str) -> None:
    table = read(written(tmp_path / "a.csv", text))
    with pytest.raises(DataError, match=words):
        fitted(table, target="label").examples(table)


@pytest.mark.parametrize("values", [{"alarms": 0.0}, {"alarms": 1.0}, {"quiet": -1}, {"look_back": -1}], ids=str)
def test_settings_that_cannot_be(values: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=r"task\.(alarms|quiet|look_back)"):
        Detect.fit(table_of(wave(50)), DataSettings(), TaskSettings(**values))  # type: ignore[arg-type]


def test_several_series_share_a_model_and_keep_their_names() -> None:
    table = table_of(wave(60), wave(40, seed=1), names=["north", "south"])
    task = fitted(table)
    frame = task.frame(said(task, table), table)
    assert frame["series"].to_list() == ["north"] * 60 + ["south"] * 40
    alone = table_of(wave(40, seed=1), names=["south"])
    np.testing.assert_allclose(
        frame["score"].to_numpy()[60:], task.frame(said(task, alone), alone)["score"].to_numpy(), atol=1e-4
    )
    assert task.dependence(task.examples(table))[0].track.tolist() == [0, 0, 1]
    assert "2 series of 40 to 60 steps; what comes next in 'c1'" in task.describe(table)


def test_it_goes_to_json_and_back() -> None:
    task = fitted(table_of(wave(60)))
    assert Detect.from_config(json.loads(json.dumps(task.to_config()))) == task
    with pytest.raises(ModelFolderError, match="damaged"):
        Detect.from_config({"channels": ["a"]})


def test_a_frame_is_as_long_as_the_table() -> None:
    table = table_of(np.array([1.0, 2.0]))
    task = fitted(table_of(wave(60)))
    assert task.frame(said(task, table), table).height == 2
    assert isinstance(task.frame(said(task, table), table), pl.DataFrame)
