"""decoded: the frames of a film file through PyAV, one at a time (the extra ``video``)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from ostinato.data.media.picture import MOST_PIXELS
from ostinato.data.settings import VisionSettings
from ostinato.errors import DataError, UsageError

if TYPE_CHECKING:
    from av import Packet, VideoFrame
    from av.video.stream import VideoStream

MOST_FRAMES = 100_000
"""Frames of a film that are looked at."""
MOST_SECONDS = 600.0
"""How long one film may take to read."""
CONTAINERS = "mov,mp4,matroska,webm,avi,gif"
"""Formats that may be opened: none that names other files, as a playlist does."""


def decoded(path: Path, vision: VisionSettings) -> Iterator[np.ndarray]:
    """Bytes ``(C, height, width)`` of every frame, or of ``vision.rate`` frames a second: those shown at these times.

    Raises:
        DataError: no film, no frame, a broken one, one too large; the film ends too soon; its frames come at unequal
            intervals and ``vision.rate`` is 0. The frame is named by its number and time.
        UsageError: PyAV is missing.
    """
    library = _library()
    clock = _Clock(path)
    try:
        with path.open("rb") as file, _opened(library, file) as container:
            stream = _stream(container, path)
            packets = map(clock.coming, container.demux(stream))
            shown = (_checked(frame, clock) for packet in packets for frame in packet.decode())
            yield from _sampled(shown, vision, clock) if vision.rate else (_pixels(frame, vision) for frame in shown)
            clock.end(_duration(stream, container), equal=not vision.rate)
    except (DataError, UsageError):
        raise
    except OSError as error:
        if not isinstance(error, library.FFmpegError):
            raise DataError(f"cannot be read ({error.strerror or error})", path=path) from error
        raise _broken(clock, error) from error
    except Exception as error:  # whatever a decoder says of bytes it cannot read
        raise _broken(clock, error) from error


def _stream(container: Any, path: Path) -> Any:
    if not container.streams.video:
        raise DataError("holds no frames: there is no film in this file", path=path)
    stream = container.streams.video[0]
    stream.thread_type, stream.thread_count = "NONE", 1  # so that an error belongs to its own frame
    return stream


@dataclass
class _Clock:
    """When the frames were shown, in seconds."""

    path: Path
    times: list[float] = field(default_factory=list)
    begun: float = field(default_factory=perf_counter)
    next: float | None = None

    def coming(self, packet: Packet[VideoStream]) -> Packet[VideoStream]:
        """What is decoded next: frames come in another order than they are shown in, so only its time is its place."""
        if packet.pts is not None:
            self.next = float(packet.pts * packet.time_base)
        return packet

    def place(self, frame: VideoFrame) -> str:
        """Which frame."""
        return f"frame {len(self.times) + 1:,}" + ("" if frame.pts is None else f" (at {frame.time:.2f} s)")

    def end(self, duration: float, *, equal: bool) -> None:
        """Raises ``DataError`` where the film is empty, ended too soon, or has no ``equal`` intervals."""
        if not self.times:
            raise DataError("holds no frames: take it out", path=self.path)
        gaps = [after - before for before, after in pairwise(self.times)]
        usual = median(gaps) if gaps else 0.0
        if duration - self.times[-1] - usual > max(0.1, 2 * usual):
            told = f"ends after {len(self.times):,} frames, at {self.times[-1]:.2f} of {duration:.2f} s"
            raise DataError(f"{told}: it was cut off or is damaged; fetch it again", path=self.path)
        odd = next((number for number, gap in enumerate(gaps) if not 0.5 * usual <= gap <= 1.5 * usual), None)
        if equal and odd is not None:
            told = f"frame {odd + 2:,} comes {gaps[odd]:.3f} s after the one before it, most others {usual:.3f} s"
            raise DataError(f"{told}: set vision.rate to look at so many frames a second", path=self.path)


def _checked(frame: VideoFrame, clock: _Clock) -> VideoFrame:
    if frame.is_corrupt:
        raise DataError(f"{clock.place(frame)} is broken: mend the film or cut it before", path=clock.path)
    if frame.width * frame.height > MOST_PIXELS:
        told = f"has {frame.width:,} x {frame.height:,} pixels, more than {MOST_PIXELS:,}"
        raise DataError(f"{clock.place(frame)} {told}: scale the film", path=clock.path)
    if frame.pts is None:
        raise DataError(
            f"{clock.place(frame)} has no time: write the film anew with a tool that gives it one", path=clock.path
        )
    clock.times.append(float(frame.time))
    if perf_counter() - clock.begun > MOST_SECONDS:
        told = f"takes more than {MOST_SECONDS:,.0f} s to read ({len(clock.times):,} frames so far)"
        raise DataError(f"{told}: cut it into shorter films, or scale it", path=clock.path)
    return frame


def _sampled(shown: Iterator[VideoFrame], vision: VisionSettings, clock: _Clock) -> Iterator[np.ndarray]:
    """The frame that is shown at ``0, 1 / rate, 2 / rate, …`` after the first one; the last one is shown once."""
    current: VideoFrame | None = None
    taken = 0
    for frame in shown:
        while current is not None and taken / vision.rate < frame.time - clock.times[0] - 1e-6:
            yield _pixels(current, vision)
            taken += 1
        current = frame
    if current is not None and taken / vision.rate <= current.time - clock.times[0] + 1e-6:
        yield _pixels(current, vision)


def _pixels(frame: VideoFrame, vision: VisionSettings) -> np.ndarray:
    side = vision.size or None
    form = "rgb24" if vision.colour else "gray"
    pixels = frame.reformat(width=side, height=side, format=form, interpolation="AREA").to_ndarray()
    pixels = np.rot90(pixels, round(frame.rotation / 90) % 4)  # a phone held upright
    return np.ascontiguousarray(pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1))


def _duration(stream: Any, container: Any) -> float:
    """Seconds the file says that its film takes; 0: it does not say."""
    if stream.duration is not None:
        return float(stream.duration * stream.time_base)
    alone = len(container.streams) == 1 and container.duration is not None
    return container.duration / 1e6 if alone else 0.0


def _broken(clock: _Clock, error: Exception) -> DataError:
    told = getattr(error, "strerror", None) or str(error)
    if clock.next is None:
        return DataError(f"is no film that can be read, or is damaged ({told})", path=clock.path)
    place = f"the frame at {clock.next:.2f} s"
    return DataError(f"{place} cannot be decoded ({told}): mend the film or cut it before", path=clock.path)


def _opened(library: Any, file: Any) -> Any:
    """By a handle, so that nothing but this file can be opened."""
    return library.open(
        file,
        options={"err_detect": "explode", "max_pixels": str(MOST_PIXELS)},
        container_options={"format_whitelist": CONTAINERS},
    )


def _library() -> Any:
    try:
        import av
    except ImportError:
        raise UsageError('films need the library PyAV: pip install "ostinato[video]"') from None
    return av
