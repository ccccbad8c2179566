"""The convolutional front end of films: shapes, memory part by part, and that each frame is read by itself."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from ostinato.data.examples import Batch
from ostinato.data.spec import Spec
from ostinato.models import SequenceModel, describe, picture
from ostinato.models.feed_forward import FeedForward
from ostinato.models.picture import Pictures
from ostinato.models.settings import ModelSettings
from ostinato.sequences import Ragged

SCALE = (20.0, 50.0)


def frames(count: int, *shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(count)
    size = torch.Size(shape).numel()
    return torch.randint(0, 256, (count, size), generator=generator, dtype=torch.uint8)


@pytest.mark.parametrize("frame", [(1, 1, 1), (3, 5, 2), (1, 8, 8), (1, 17, 31), (3, 64, 9), (1, 64, 64)])
def test_any_size_becomes_a_vector(frame: tuple[int, int, int]) -> None:
    network = Pictures(frame, SCALE, 6)
    assert network(frames(4, *frame)).shape == (4, 6)
    assert network(frames(0, *frame)).shape == (0, 6)
    halvings = len(network.convolutions) // 3
    assert -(-max(frame[1:]) // 2**halvings) <= picture.SMALLEST
    assert halvings == 1 or -(-max(frame[1:]) // 2 ** (halvings - 1)) > picture.SMALLEST


def test_against_its_equation() -> None:
    network = Pictures((2, 17, 7), SCALE, 5)
    steps = frames(3, 2, 17, 7)
    hidden = steps.double().sub(20).div(50).float().reshape(3, 2, 17, 7)
    for place, shape in ((0, (3, 16, 9, 4)), (3, (3, 32, 5, 2))):
        layer = network.convolutions[place]
        hidden = F.max_pool2d(F.conv2d(hidden, layer.weight, layer.bias, padding=1).relu(), 2, ceil_mode=True)
        assert hidden.shape == shape
    wanted = hidden.flatten(1) @ network.linear.weight.T + network.linear.bias
    assert torch.allclose(network(steps), wanted, atol=1e-6)


def test_part_by_part_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values and gradients of many frames, which are held a few at a time."""
    monkeypatch.setattr(picture, "MOST_NUMBERS", 16 * 12 * 12 * 3)
    torch.manual_seed(0)
    network = Pictures((1, 12, 12), SCALE, 4)
    assert network.most == 3
    steps = frames(8, 1, 12, 12)
    whole = network._read(steps)
    wanted = torch.autograd.grad(whole.square().sum(), list(network.parameters()))
    parts = network(steps)
    assert torch.allclose(parts, whole, atol=1e-6)
    for one, two in zip(torch.autograd.grad(parts.square().sum(), list(network.parameters())), wanted, strict=True):
        assert torch.allclose(one, two, atol=1e-5)
    with torch.inference_mode():
        assert torch.allclose(network(steps), whole, atol=1e-6)


def film_batch(*lengths: int) -> Batch:
    films = [frames(length, 1, 10, 8) for length in lengths]
    return Batch(Ragged.from_list(films), torch.arange(len(films)))


def test_no_film_depends_on_another() -> None:
    torch.manual_seed(0)
    spec = Spec("values", 80, "sequence", 3, frame=(1, 10, 8), scale=SCALE)
    model = SequenceModel(spec, ModelSettings(hidden=6, bidirectional=True, pool="concat")).eval()
    together, _ = model(film_batch(5, 2, 7))
    for row, length in enumerate((5, 2, 7)):
        assert torch.allclose(model(film_batch(length))[0][0], together[row], atol=1e-5)
    assert describe(model).startswith("1 convolutions 64 -> LSTM 6")
    rival = FeedForward(spec, look_back=3)
    assert rival(film_batch(5, 2, 7))[0].shape == (3, 3)


def test_bytes_of_images_are_scaled() -> None:
    spec = Spec("values", 8, "sequence", 2, scale=SCALE)
    model = SequenceModel(spec, ModelSettings(hidden=3))
    steps = frames(6, 8)
    batch = Batch(Ragged(steps, torch.tensor([6])), torch.tensor([0]))
    assert torch.allclose(model.embed(batch).values, (steps.float() - 20) / 50, atol=1e-6)


def test_a_spec_survives_json() -> None:
    import json

    spec = Spec("values", 80, "sequence", 3, frame=(1, 10, 8), scale=SCALE)
    assert Spec(**json.loads(json.dumps(spec.to_config()))) == spec
