"""Films made for tests: written with PyAV, and as folders of frames."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image


def write_film(
    path: Path,
    frames: Sequence[np.ndarray],
    rate: int = 25,
    codec: str = "libx264",
    form: str = "yuv420p",
    times: Sequence[int] | None = None,
) -> Path:
    """Frames ``(height, width)`` or ``(height, width, 3)`` as a film; ``times``: of each, in milliseconds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = form
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="gray" if pixels.ndim == 2 else "rgb24")
            if times is not None:
                frame.pts, frame.time_base = times[number], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_frames(folder: Path, frames: Sequence[np.ndarray]) -> Path:
    """Frames as images ``1.png, 2.png, …`` of a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, pixels in enumerate(frames, start=1):
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


def flat(level: int, height: int = 48, width: int = 64) -> np.ndarray:
    """A frame of one brightness."""
    return np.full((height, width), level, np.uint8)


def square(top: int, left: int, side: int = 64, edge: int = 12) -> np.ndarray:
    """A bright square on a dark ground."""
    pixels = np.zeros((side, side), np.uint8)
    pixels[max(0, top) : max(0, top + edge), max(0, left) : max(0, left + edge)] = 255
    return pixels


def damage(path: Path, number: int, out: Path) -> Path:
    """The same film with the bytes of frame ``number`` (from 0) turned to nonsense."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path)) as source, av.open(str(out), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for place, packet in enumerate(source.demux(source.streams.video[0])):
            if packet.size == 0:
                continue
            if place == number:
                broken = av.Packet(b"\xff" * packet.size)
                broken.pts, broken.dts, broken.time_base = packet.pts, packet.dts, packet.time_base
                broken.duration = packet.duration
                packet = broken
            packet.stream = stream
            target.mux(packet)
    return out
