"""What does not change over a series: labels and numbers beside it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from ostinato.data import read
from ostinato.data.settings import DataSettings
from ostinato.errors import DataError
from ostinato.tasks.forecast import Forecast
from ostinato.tasks.forecast_parts import cut
from ostinato.tasks.infer import infer
from ostinato.tasks.settings import TaskSettings
from series_tables import days, wave

SHOPS = {"north": ("city", 10.0), "south": ("city", 30.0), "west": ("village", 2.5)}


def written(path: Path, shops: dict = SHOPS, head: str = "shop,day,sold,place,size") -> Path:
    lines = [head]
    for seed, (name, (place, size)) in enumerate(shops.items()):
        for day, sold in zip(days(60), wave(60, 7, seed), strict=True):
            cells = {"shop": name, "day": day, "sold": f"{sold:.3f}", "place": place, "size": size, "price": sold / 2}
            lines.append(",".join(str(cells[column]) for column in head.split(",")))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def learned(path: Path, **data: object):
    asked = DataSettings(id="shop", time="day", **data)  # type: ignore[arg-type]
    task = TaskSettings(horizon=3, look_back=8, segment=4, season=1, calendar=False)
    parts = cut(read(path, asked), asked, task)
    return Forecast.fit(parts.train, asked, task), parts, asked


def test_labels_and_numbers_of_whole_series_are_static(tmp_path):
    task, parts, _ = learned(written(tmp_path / "sales.csv"))
    assert task.layout.targets == ("sold",)  # a size that never changes is nothing to forecast
    assert task.layout.static == ("place", "size")
    assert task.spec.static_size == 3 + 2  # city, village, unknown; the size and whether it is missing
    assert "of a whole series: place, size" in task.describe(parts.train)
    examples = task.examples(parts.test)
    static = examples.take(torch.arange(len(examples))).static.numpy()
    of_series = {int(s): static[examples.series == s][0] for s in (0, 1, 2)}
    sizes = np.array([10.0, 30.0, 2.5])
    scaled = (sizes - sizes.mean()) / sizes.std()
    for row, labels in enumerate(([1, 0, 0], [1, 0, 0], [0, 1, 0])):
        assert of_series[row] == pytest.approx([*labels, scaled[row], 0], rel=1e-5)
    assert Forecast.from_config(json.loads(json.dumps(task.to_config()))) == task


def test_they_stand_beside_the_name_of_a_channel(tmp_path):
    task, parts, _ = learned(written(tmp_path / "sales.csv", head="shop,day,sold,price,place"))
    assert task.layout.targets == ("sold", "price")
    batch = task.examples(parts.train).take(torch.tensor([0]))
    assert batch.static.tolist() == [[1, 0, 1, 0, 0]]


def test_named_inputs_leave_the_others_out(tmp_path):
    path = written(tmp_path / "sales.csv")
    assert learned(path, target="sold", inputs=("place",))[0].layout.static == ("place",)
    with pytest.raises(DataError, match="no channel 'size' to forecast"):
        learned(path, target="size")
    with pytest.raises(DataError, match=r"no channel 'plaice'.*Did you mean 'place'"):
        learned(path, inputs=("plaice",))


def test_new_series_bring_theirs(tmp_path):
    task, _, asked = learned(written(tmp_path / "sales.csv"))
    new = read(written(tmp_path / "new.csv", {"east": ("village", 5.0), "isle": ("island", 5.0)}), asked)
    static = task.examples(new).take(torch.arange(2)).static.numpy()
    assert static[0, :3].tolist() == [0, 1, 0]
    assert static[1, :3].tolist() == [0, 0, 1]
    assert task.notes(new) == ("place: training never saw 'island', so the model takes them as unknown",)
    alone = read(written(tmp_path / "bare.csv", {"east": ("village", 5.0)}, "shop,day,sold"), asked)
    with pytest.raises(DataError, match=r"series 'east' has no 'place', which the model knows of every series"):
        task.examples(alone)


def test_one_series_has_nothing_to_tell_apart(tmp_path):
    task, _, _ = learned(written(tmp_path / "one.csv", {"north": ("city", 10.0)}), target="sold")
    assert task.layout.static == ()
    assert task.layout.seen == ("size",)


def test_the_answer_depends_on_them(tmp_path):
    from ostinato.models.build import build
    from ostinato.models.settings import ModelSettings

    task, parts, _ = learned(written(tmp_path / "sales.csv"))
    model = build(task.spec, ModelSettings(hidden=4), TaskSettings())
    batch = task.examples(parts.train).take(torch.tensor([0]))
    batch.static.requires_grad_()
    model(batch)[0].sum().backward()
    assert (batch.static.grad != 0).all()


def test_a_lone_new_series_brings_its_label(tmp_path):
    task, _, asked = learned(written(tmp_path / "sales.csv"))
    new = read(written(tmp_path / "new.csv", {"east": ("village", 5.0)}), asked)
    assert task.examples(new).take(torch.tensor([0])).static[0, :3].tolist() == [0, 1, 0]


def test_a_lone_series_with_a_label_is_forecast(tmp_path):
    path = written(tmp_path / "one.csv", {"north": ("city", 10.0)}, "place,sold")
    table = read(path, DataSettings())
    assert infer(table, DataSettings(), TaskSettings()).name == "forecast"
    assert learned(written(tmp_path / "two.csv", {"north": ("city", 10.0)}))[0].layout.static == ()
