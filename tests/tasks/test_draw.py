"""What a task learns from is changed at random where its files say so; what it answers is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from ostinato.data import read
from ostinato.data.settings import DataSettings, VisionSettings
from ostinato.tasks import TASKS, TaskSettings

DATA = DataSettings(target="what", vision=VisionSettings(size=8, shift=2))


@pytest.fixture
def folder(tmp_path):
    rows = ["image,what,size"]
    for number in range(6):
        pixels = np.random.default_rng(number).integers(0, 255, (8, 8), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        rows.append(f"{number}.png,{'ab'[number % 2]},{number + 0.5}")
    (tmp_path / "list.csv").write_text("\n".join(rows))
    return tmp_path


@pytest.mark.parametrize(("name", "target"), [("classify", "what"), ("regress", "size"), ("translate", "what")])
def test_images_are_moved_in_training(folder, name, target):
    data = replace(DATA, target=target, inputs=("image",))
    table = read(folder / "list.csv", data, TASKS[name].reads)
    index = torch.arange(6)
    for shift, still in ((2, False), (0, True)):
        task = TASKS[name].fit(table, replace(data, vision=replace(data.vision, shift=shift)), TaskSettings())
        examples = task.examples(table)
        torch.manual_seed(1)
        drawn, plain = task.draw(examples, index).inputs, examples.take(index).inputs
        assert torch.equal(drawn.lengths, plain.lengths)
        assert torch.equal(drawn.values, plain.values) is still
        assert len(task.views(examples.take(index))) == 1
