"""Signals: the loss against scipy's filters, measures by hand, and what cannot be learned from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.signal import lfilter

from ostinato.data.media.sound import write_sound
from ostinato.data.readers import read
from ostinato.data.settings import DataSettings
from ostinato.data.table import Column, Kind, Table
from ostinato.errors import DataError, ModelFolderError, UsageError
from ostinato.sequences import Ragged
from ostinato.tasks import Signal, TaskSettings, infer
from ostinato.tasks.signal import BLOCK
from ostinato.tasks.signal_loss import SILENCE, signal_loss

RATE = 8000


def pairs(*lengths: int, seed: int = 0, channels: int = 1) -> Table:
    """Series ``dry`` and ``wet``."""
    random = np.random.default_rng(seed)
    dry = [random.normal(2.0, 3.0, (length, channels)) for length in lengths]
    wet = [np.tanh(one[:, :1]) + 0.5 for one in dry]
    names = ("dry",) if channels == 1 else tuple(f"dry_{c}" for c in range(channels))
    columns = {"dry": Column("dry", Kind.SERIES, dry, names), "wet": Column("wet", Kind.SERIES, wet, ("wet",))}
    return Table(columns, Path("pairs.jsonl"), np.arange(1, len(lengths) + 1))


def sounds(folder: Path, *lengths: int, rate: int = RATE) -> Path:
    """Folders ``dry`` and ``wet`` of files of the same names."""
    random = np.random.default_rng(0)
    for name in ("dry", "wet"):
        (folder / name).mkdir(exist_ok=True)
    for number, length in enumerate(lengths):
        x = random.normal(0.0, 0.1, length)
        write_sound(folder / "dry" / f"{number}.wav", x, rate)
        write_sound(folder / "wet" / f"{number}.wav", np.tanh(3 * x), rate)
    return folder


def fitted(table: Table, target: str = "wet", **settings: object) -> Signal:
    return Signal.fit(table, DataSettings(target=target), TaskSettings(**settings))  # type: ignore[arg-type]


@pytest.mark.parametrize("emphasis", [0.0, 0.85])
def test_error_to_signal_ratio_against_scipy(emphasis: float) -> None:
    random = np.random.default_rng(0)
    lengths = [5, 1, 0, 12]
    wanted, said = (random.normal(size=(sum(lengths), 2)) for _ in range(2))
    errors = energies = 0.0
    for place, length in zip(np.cumsum([0, *lengths[:-1]]), lengths, strict=True):
        y, e = wanted[place : place + length], (wanted - said)[place : place + length]
        start = 1 if emphasis else 0
        errors += np.square(lfilter([1, -emphasis], [1], e, axis=0)[start:]).sum() if length else 0.0
        energies += np.square(lfilter([1, -emphasis], [1], y, axis=0)[start:]).sum() if length else 0.0
    count = 2 * (sum(lengths) - (3 if emphasis else 0))
    targets = Ragged(torch.from_numpy(wanted), torch.tensor(lengths))
    loss, found = signal_loss(torch.from_numpy(said), targets, "esr", emphasis)
    assert found == count
    assert float(loss) == pytest.approx(errors / count / (energies / count + SILENCE), rel=1e-12)


def test_squares_and_sizes_of_what_is_there() -> None:
    targets = Ragged(torch.tensor([[1.0], [float("nan")], [3.0]], dtype=torch.float64), torch.tensor([3]))
    said = torch.tensor([[2.0], [9.0], [0.0]], dtype=torch.float64)
    assert (float(signal_loss(said, targets, "mse")[0]), signal_loss(said, targets, "mae")) == (5.0, (2.0, 2))
    # With emphasis a pair of steps counts where both are there: none here.
    assert signal_loss(said, targets, "esr", 0.85)[1] == 0
    nothing = signal_loss(said.requires_grad_(), Ragged(targets.values * torch.nan, targets.lengths), "mse")
    assert (float(nothing[0].detach()), nothing[1]) == (0.0, 0)


@pytest.mark.parametrize(("name", "emphasis"), [("mse", 0.0), ("mae", 0.0), ("esr", 0.0), ("esr", 0.85)])
def test_gradients_are_those_of_differences(name: str, emphasis: float) -> None:
    random = np.random.default_rng(0)
    wanted = random.normal(size=(9, 1))
    wanted[3] = np.nan
    targets = Ragged(torch.from_numpy(wanted), torch.tensor([4, 5]))
    said = torch.from_numpy(random.normal(size=(9, 1))).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: signal_loss(x, targets, name, emphasis)[0], said)  # type: ignore[arg-type]


def test_silence_cannot_blow_the_loss_up() -> None:
    targets = Ragged(torch.zeros(9, 1), torch.tensor([9]))
    assert float(signal_loss(torch.full((9, 1), 0.1), targets, "esr", 0.85)[0]) < 10.0


def test_series_are_scaled_and_scaled_back() -> None:
    table = pairs(30, 20)
    task = fitted(table)
    examples = task.examples(table)
    assert (task.loss_of, task.rate, task.inputs, task.targets) == ("mse", 0, ("dry",), ("wet",))
    assert examples.inputs.values.mean() == pytest.approx(0.0, abs=1e-6)
    batch = examples.take(torch.tensor([0, 1]))
    np.testing.assert_allclose(
        task.outputs(batch.targets.values, batch)["value"], np.concatenate(table["wet"].values), rtol=1e-5
    )


def test_measures_and_scores_by_hand() -> None:
    table = pairs(2 * BLOCK + 7, 50, BLOCK)
    table["wet"].values[0][3] = np.nan
    task = fitted(table, warm_up=10)
    examples = task.examples(table)
    truth = np.concatenate(table["wet"].values)
    said = truth + np.random.default_rng(2).normal(size=truth.shape)
    scored = np.concatenate([np.arange(len(one)) >= 10 for one in table["wet"].values])
    e, y = (said - truth)[scored], truth[scored]
    outputs = {"value": np.nan_to_num(said)}
    found = task.metrics(outputs, examples)
    assert found["esr"] == pytest.approx(np.square(e).sum() / np.square(y).sum(), rel=1e-5)
    assert found["rmse"] == pytest.approx(np.sqrt(np.square(e).mean()), rel=1e-5)
    assert found["mae"] == pytest.approx(np.abs(e).mean(), rel=1e-5)
    scores = task.scores(outputs, examples)
    assert len(scores) == 4  # two blocks, the second longer by what is left; one shorter; one whole
    assert scores.mean() == pytest.approx(found["esr"], rel=1e-9)
    (way,) = task.dependence(examples)
    assert (way.track.tolist(), way.place.tolist()) == ([0, 0, 1, 2], [0, 1, 0, 0])


def test_frames_name_what_was_wanted() -> None:
    table = pairs(3, 2)
    task = fitted(table)
    frame = task.frame({"value": np.zeros((5, 1), np.float32)}, table)
    assert frame.columns == ["row", "step", "truth", "prediction"]
    assert frame["step"].to_list() == [1, 2, 3, 1, 2]
    alone = Table({"dry": table["dry"]})
    assert task.frame({"value": np.zeros((5, 1), np.float32)}, alone).columns == ["row", "step", "prediction"]


def test_a_channel_of_a_series_from_the_others() -> None:
    values = np.random.default_rng(0).normal(size=(50, 3))
    table = Table({"values": Column("values", Kind.SERIES, [values], ("valve", "speed", "heat"))})
    task = fitted(table, "heat")
    assert (task.inputs, task.targets) == (("valve", "speed"), ("heat",))
    np.testing.assert_allclose(
        task.scale_in.decode(task.examples(table).inputs.values.double().numpy()), values[:, :2], atol=1e-6
    )
    one = Signal.fit(table, DataSettings(target="heat", inputs=("speed",)), TaskSettings(name="signal"))
    assert one.inputs == ("speed",)
    assert Signal.from_config(one.to_config()) == one


def test_two_folders_of_sounds(tmp_path: Path) -> None:
    sounds(tmp_path, 500, 400)
    table = read(f"{tmp_path}/{{dry,wet}}", DataSettings())
    choice = infer(table, DataSettings(), TaskSettings())
    assert (choice.name, choice.target) == ("signal", "target")
    task = fitted(table, "target", warm_up=5)
    assert task.describe(table).startswith("2 sounds of 400 to 500 samples, 8,000 a second: 'target' from 'source'")
    assert (task.loss_of, task.rate, task.scale_in.mean) == ("esr", RATE, (0.0,))
    examples = task.examples(table)
    assert examples.targets.values.isnan().sum() == 10
    assert examples.inputs.values.square().mean() == pytest.approx(1.0, rel=1e-5)
    alone = task.examples(read(tmp_path / "dry" / "0.wav", DataSettings()))  # a single sound is the input
    torch.testing.assert_close(alone.inputs.values, examples.inputs.to_list()[0])
    assert alone.targets is None


def test_a_table_names_pairs(tmp_path: Path) -> None:
    sounds(tmp_path, *[50] * 4)
    rows = "".join(f"dry/{n}.wav,wet/{n}.wav\n" for n in range(4))
    (tmp_path / "pairs.csv").write_text(f"dry,wet\n{rows}", encoding="utf-8")
    data = DataSettings(target="wet")
    table = read(tmp_path / "pairs.csv", data)
    assert infer(table, data, TaskSettings()).name == "signal"
    assert Signal.fit(table, data, TaskSettings()).inputs == ("dry",)


def test_one_long_pair_is_cut_in_time(tmp_path: Path) -> None:
    sounds(tmp_path, 1000)
    table = read(f"{tmp_path}/{{dry,wet}}", DataSettings())
    parts = Signal.divide(table, DataSettings(target="target", valid=0.1, test=0.2), TaskSettings(), 0)
    task = fitted(parts.train, "target")
    examples = [task.examples(part) for part in (parts.train, parts.valid, parts.test)]
    assert [one.lengths.tolist() for one in examples] == [[700], [100], [200]]
    whole = task.examples(table).inputs.values
    torch.testing.assert_close(torch.cat([one.inputs.values for one in examples]), whole)
    rest = Signal.divide(table, DataSettings(target="target", valid=0.1), TaskSettings(), 0, test=table)
    assert task.examples(rest.train).lengths.tolist() == [900]
    assert len(Signal.divide(table, DataSettings(target="target", valid=0), TaskSettings(), 0).valid) == 0


def test_lanes_of_a_long_signal_each_warm_up() -> None:
    table = pairs(3 * 4096 + 1)
    task = fitted(table, warm_up=100)
    laid = task.lay_out(task.examples(table), 8)
    assert laid.lengths.tolist() == [4097, 4096, 4096]
    assert laid.targets.values.isnan().sum() == 300


def test_what_cannot_be_learned_from(tmp_path: Path) -> None:
    table = pairs(5, 6)
    with pytest.raises(DataError, match="the target 'wett' is no column and no channel"):
        fitted(table, "wett")
    with pytest.raises(DataError, match="there is no signal beside 'wet'"):
        fitted(Table({"wet": table["wet"]}))
    with pytest.raises(DataError, match="name the signal that is wanted with --target"):
        fitted(table, "")
    short = Table(
        {**table.columns, "wet": Column("wet", Kind.SERIES, [np.ones((5, 1)), np.ones((4, 1))])},
        table.path,
        table.line_of,
    )
    with pytest.raises(DataError, match=r"pairs\.jsonl, row 2, column 'wet': 4 steps, but 6 in 'dry'.*cut the longer"):
        fitted(short)
    table["dry"].values[1][2] = np.inf
    with pytest.raises(DataError, match="row 2, column 'dry': an infinite value at step 3"):
        fitted(table)
    with pytest.raises(DataError, match="no step has a target"):
        fitted(Table({"dry": pairs(5)["dry"], "wet": Column("wet", Kind.SERIES, [np.full((5, 1), np.nan)])}))
    with pytest.raises(UsageError, match=r"task\.emphasis is from 0"):
        fitted(pairs(5), emphasis=1.0)
    mixed = Table({"dry": Column("dry", Kind.TEXT, ["a"]), "wet": pairs(5)["wet"]})
    with pytest.raises(DataError, match="is text, but the target is series"):
        Signal.fit(mixed, DataSettings(target="wet", inputs=("dry",)), TaskSettings())
    with pytest.raises(DataError, match="the target 'dry' is text"):
        fitted(mixed, "dry")
    with pytest.raises(DataError, match="there is no series 'dry' to be the input"):
        fitted(pairs(5)).examples(Table({"other": Column("other", Kind.SERIES, [np.ones((5, 1))])}))
    with pytest.raises(UsageError, match="leave some to train on"):
        Signal.divide(pairs(5), DataSettings(target="wet", valid=0.5, test=0.5), TaskSettings(), 0)


def test_sounds_of_other_lengths_and_rates(tmp_path: Path) -> None:
    sounds(tmp_path, 500)
    write_sound(tmp_path / "wet" / "0.wav", np.zeros(501), RATE)
    table = read(f"{tmp_path}/{{dry,wet}}", DataSettings())
    with pytest.raises(DataError, match="501 steps, but 500"):
        fitted(table, "target")
    write_sound(tmp_path / "wet" / "0.wav", np.zeros(1000), 2 * RATE)  # as long: it is resampled to the first's rate
    assert fitted(table, "target").examples(table).lengths.tolist() == [500]


def test_a_damaged_task_is_refused() -> None:
    config = fitted(pairs(5)).to_config()
    for broken in ({}, {**config, "kind": "smell"}, {**config, "scale_in": None}):
        with pytest.raises((ModelFolderError, AttributeError)):
            Signal.from_config(broken)
