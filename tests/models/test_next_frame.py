"""NextFrame: the loss against a loop, and roll-out against doing it by hand."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from ostinato.models import NextFrame
from ostinato.models.next_frame import aligned
from ostinato.sequences import Ragged


def films(*lengths: int) -> Ragged:
    generator = torch.Generator().manual_seed(1)
    return Ragged.from_list([torch.rand(length, 1, 5, 4, generator=generator) for length in lengths])


def model() -> NextFrame:
    torch.manual_seed(0)
    return NextFrame(hidden=3, layers=2, kernel=3)


def test_loss_of_unequal_films() -> None:
    """Film by film, frame by frame: nothing is compared across films, and films of one frame or none say nothing."""
    network, batch = model(), films(4, 0, 1, 6)
    losses = []
    for film in batch:
        for stop in range(1, len(film)):
            logits, _ = network(Ragged.from_list([film[:stop]]))
            losses.append(F.binary_cross_entropy_with_logits(logits.values[-1], film[stop]))
    assert len(losses) == 3 + 5
    assert torch.allclose(network.loss(batch), torch.stack(losses).mean(), atol=1e-6)
    told, truth = aligned(batch, batch)
    assert torch.equal(told, torch.cat([batch[0][:-1], batch[3][:-1]]))
    assert torch.equal(truth, torch.cat([batch[0][1:], batch[3][1:]]))


def test_going_on_is_feeding_back() -> None:
    network, batch = model(), films(3, 5)
    ahead = network.go_on(batch, 3)
    assert ahead.shape == (2, 3, 1, 5, 4)
    for number, film in enumerate(batch):
        whole = film
        for step in range(3):
            logits, _ = network(Ragged.from_list([whole]))
            frame = logits.values[-1:].sigmoid()
            assert torch.allclose(ahead[number, step], frame[0], atol=1e-6)
            whole = torch.cat([whole, frame.detach()])


def test_nothing_comes_next() -> None:
    with pytest.raises(ValueError, match="no next frame to learn from"):
        model().loss(films(1, 0, 1))
    with pytest.raises(ValueError, match="without a frame"):
        model().go_on(films(2, 0), 1)
