"""What a film shows next: bouncing balls, told by a ConvLSTM, beside whoever says that nothing moves."""

import sys

import torch

from ostinato import plots
from ostinato.models import NextFrame
from ostinato.models.next_frame import aligned
from ostinato.sequences import Ragged

SIDE, STEPS = 12, 12


def balls(count: int, seed: int) -> Ragged:
    """Films ``(T, 1, SIDE, SIDE)`` of a ball that bounces off the walls, each with a speed of its own."""
    generator = torch.Generator().manual_seed(seed)
    place = 3 + torch.rand(count, 2, generator=generator) * (SIDE - 7)
    speed = torch.rand(count, 2, generator=generator) * 3 - 1.5
    rows = torch.arange(SIDE).float()
    films = []
    for _ in range(STEPS):
        away = (rows[None, :, None] - place[:, 0, None, None]) ** 2 + (rows[None, None] - place[:, 1, None, None]) ** 2
        films.append((2.5 - away.sqrt()).clamp(0, 1))
        place = place + speed
        speed = torch.where((place < 2) | (place > SIDE - 3), -speed, speed)
    return Ragged(torch.stack(films, 1).reshape(-1, 1, SIDE, SIDE), torch.full((count,), STEPS))


def error(said: Ragged, films: Ragged) -> float:
    """Mean squared error a pixel of the next frame."""
    told, truth = aligned(said, films)
    return float((told - truth).square().mean())


def drawn(frame: torch.Tensor) -> list[str]:
    return ["".join(" .:*#"[int(pixel * 4.99)] for pixel in row) for row in frame.tolist()]


def main(picture: str = "") -> None:
    torch.manual_seed(0)
    train, test = balls(128, seed=1), balls(64, seed=2)
    model = NextFrame(hidden=12, kernel=5)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(16):
        for rows in torch.randperm(len(train)).split(8):
            optimizer.zero_grad()
            model.loss(train.take(rows)).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()

    with torch.no_grad():
        learned = error(model(test)[0].map(torch.sigmoid), test)
    copied = error(test, test)
    print(f"squared error a pixel of the next frame: the model {learned:.4f}, a copy of the last frame {copied:.4f}")
    print("it beats the copy" if learned < copied else "it does not beat the copy: it learned nothing of motion")

    film = test.take(torch.tensor([0])).slice(0, 8)
    ahead, truth = model.go_on(film, 3)[0, :, 0], test[0][8:11, 0]
    if picture:
        pixels = [frame.numpy() for frame in test[0][3:11, 0]]
        told = {"the model": ahead.numpy(), "the last frame": [pixels[4]] * 3}
        title = "Three frames ahead, each fed back; squared errors a pixel below"
        plots.save(plots.frames(pixels, told, first=4, title=title), picture)
    print("\nthree frames ahead, each fed back (the truth on the right):")
    for said, true in zip(ahead, truth, strict=True):
        print(
            "\n".join(f"|{left}|  |{right}|" for left, right in zip(drawn(said), drawn(true), strict=True)), end="\n\n"
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
