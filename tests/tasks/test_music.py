"""Music: likelihood against the sum over every chord there is; metrics and baselines by counting."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch

from ostinato.data.media.midi import KEYS, Tune
from ostinato.data.readers import read
from ostinato.data.settings import DataSettings, MusicSettings
from ostinato.data.table import Column, Kind, Table
from ostinato.errors import DataError, ModelFolderError
from ostinato.evaluation.constant import flips, mean
from ostinato.evaluation.ground import Ground
from ostinato.tasks import Music, TaskSettings, infer
from ostinato.training import OptimizerSettings, TrainingSettings


def rolls(*lengths: int, keys: int = 3, seed: int = 0) -> Table:
    random = np.random.default_rng(seed)
    values = [(random.random((length, keys)) < 0.4).astype(float) for length in lengths]
    return Table({"roll": Column("roll", Kind.SERIES, values, tuple("abcdefgh"[:keys]))}, Path("rolls.jsonl"))


def fitted(table: Table) -> Music:
    return Music.fit(table, DataSettings(), TaskSettings())


def test_what_comes_after_each_step() -> None:
    table = rolls(4, 1, 3)
    task, rows = fitted(table), table["roll"].values
    examples = task.examples(table)
    assert examples.lengths.tolist() == [3, 0, 2]
    np.testing.assert_allclose(examples.inputs.values, np.concatenate([rows[0][:-1], rows[2][:-1]]) * task.scale)
    np.testing.assert_array_equal(examples.targets.values, np.concatenate([rows[0][1:], rows[2][1:]]))
    assert task.spec.causal
    assert (task.spec.input_size, task.spec.output_size) == (3, 3)


def test_the_scale_makes_the_mean_variance_of_the_inputs_one() -> None:
    table = rolls(400)
    assert fitted(table).examples(table).inputs.values.var(0, correction=0).mean() == pytest.approx(1.0, rel=1e-2)


def test_probabilities_of_all_chords_add_up_to_one() -> None:
    logits = torch.tensor([[0.3, -2.0, 1.5]], dtype=torch.float64)
    total = 0.0
    for chord in product((0.0, 1.0), repeat=3):
        table = Table({"roll": Column("roll", Kind.SERIES, [np.array([[0.0, 0, 1], chord])], ("a", "b", "c"))})
        task = fitted(table)
        batch = task.examples(table).take(torch.tensor([0]))
        loss, count = task.loss(logits, batch)
        assert count == 1
        assert task.outputs(logits, batch)["nll"][0] == pytest.approx(float(loss), rel=1e-6)
        total += float(torch.exp(-loss))
    assert total == pytest.approx(1.0, rel=1e-6)


def test_metrics_by_counting() -> None:
    table = rolls(6, 9)
    task = fitted(table)
    examples = task.examples(table)
    logits = torch.from_numpy(np.random.default_rng(1).normal(size=(13, 3)))
    outputs = task.outputs(logits, examples.take(torch.tensor([0, 1])))
    found = task.metrics(outputs, examples)
    truth, chance = examples.targets.values.double().numpy(), 1 / (1 + np.exp(-logits.numpy()))
    nll = -(truth * np.log(chance) + (1 - truth) * np.log(1 - chance)).sum(1)
    said = chance > 0.5
    assert found["nats"] == pytest.approx(nll.mean(), rel=1e-6)
    assert found["accuracy"] == pytest.approx((said & (truth == 1)).sum() / (said | (truth == 1)).sum())
    np.testing.assert_allclose(task.scores(outputs, examples), [nll[:5].mean(), nll[5:].mean()], rtol=1e-6)
    frame = task.frame(outputs, table)
    assert frame.columns == ["row", "step", "keys", "nats"]
    assert frame["step"].to_list() == [*range(2, 7), *range(2, 10)]
    assert frame["keys"][0] == " ".join(np.array(["a", "b", "c"])[truth[0] > 0])


def test_a_loss_of_nothing_is_nothing() -> None:
    table = rolls(3, 1)
    task = fitted(table)
    loss, count = task.loss(torch.zeros(0, 3, requires_grad=True), task.examples(table).take(torch.tensor([1])))
    assert (float(loss.detach()), count) == (0.0, 0)
    assert np.isnan(task.metrics({"nll": np.zeros(0), "counts": np.zeros((0, 3), int)}, task.examples(table))["nats"])


def ground(table: Table) -> Ground:
    return Ground(fitted(table), table, table, table, 0, TrainingSettings(), OptimizerSettings())


def test_baselines_by_counting() -> None:
    table = rolls(50, 30)
    before = np.concatenate([v[:-1] for v in table["roll"].values]) > 0
    after = np.concatenate([v[1:] for v in table["roll"].values]) > 0
    batch = fitted(table).examples(table).take(torch.tensor([0, 1]))
    shares = (after.sum(0) + 0.5) / (len(after) + 1)
    np.testing.assert_allclose(torch.sigmoid(mean(ground(table))(batch)[0]), np.tile(shares, (78, 1)), rtol=1e-5)
    for on in (True, False):
        share = ((after & (before == on)).sum(0) + 0.5) / ((before == on).sum(0) + 1)
        said = torch.sigmoid(flips(ground(table))(batch)[0]).numpy()
        np.testing.assert_allclose(said[before == on], np.broadcast_to(share, before.shape)[before == on], rtol=1e-5)


def test_files_of_notes_are_music_by_themselves(tmp_path: Path) -> None:
    for number in range(3):
        Tune(np.eye(4 + number, KEYS, dtype=bool), 2).save(tmp_path / f"{number}.mid")
    data = DataSettings(music=MusicSettings(2))
    table = read(tmp_path, data)
    choice = infer(table, data, TaskSettings())
    assert (choice.name, choice.target) == ("music", "midi")
    task = Music.fit(table, data, TaskSettings())
    assert task.describe(table) == "3 tunes of 4 to 6 steps, 2 a beat, 88 keys: next step (many-to-many, fed back)"
    assert task.size(table, task.examples(table)) == "3 (12 steps)"
    assert Music.from_config(task.to_config()) == task
    assert task.frame({"nll": np.zeros(12, np.float32)}, table)["keys"][0] == "A#0"


def test_tunes_for_classes_stay_classes(tmp_path: Path) -> None:
    for name in ("bach", "joplin"):
        (tmp_path / name).mkdir()
        for number in range(2):
            Tune(np.eye(4, KEYS, dtype=bool)).save(tmp_path / name / f"{number}.mid")
    assert infer(read(tmp_path, DataSettings()), DataSettings(), TaskSettings()).name == "classify"


@pytest.mark.parametrize(
    ("value", "told"),
    [(0.5, r"0\.5 at step 2 of key 'b'"), (np.nan, "nan at step 2"), (-1.0, "-1 at step 2"), (2.0, "2 at step 2")],
)
def test_a_key_sounds_or_not(value: float, told: str) -> None:
    table = rolls(3, 4)
    table["roll"].values[1][1, 1] = value
    table = Table(table.columns, table.path, np.array([1, 2]))
    with pytest.raises(DataError, match=f"rolls.jsonl, row 2, column 'roll': {told}"):
        fitted(table)


def test_tables_without_tunes_say_so() -> None:
    with pytest.raises(DataError, match="no tune has two steps"):
        fitted(rolls(1, 1))
    text = Table({"text": Column("text", Kind.TEXT, ["a", "b"])})
    with pytest.raises(DataError, match="there are no tunes: give MIDI files"):
        fitted(text)
    with pytest.raises(DataError, match="a text column holds no tunes"):
        Music.fit(text, DataSettings(target="text"), TaskSettings())
    two = Table({name: Column(name, Kind.SERIES, rolls(4)["roll"].values) for name in "ab"})
    with pytest.raises(DataError, match="a, b could each hold the tunes"):
        fitted(two)
    task = fitted(rolls(5))
    with pytest.raises(DataError, match="2 keys, but the model knows 3"):
        task.examples(rolls(5, keys=2))
    with pytest.raises(DataError, match="this is text, but the model learned from series"):
        task.examples(Table({"roll": Column("roll", Kind.TEXT, ["a"])}))


def test_a_damaged_task_is_refused() -> None:
    config = fitted(rolls(5)).to_config()
    for broken in ({"column": "roll"}, {**config, "keys": None}, {**config, "scale": "much"}):
        with pytest.raises(ModelFolderError, match="damaged"):
            Music.from_config(broken)
