"""Listener: a transcriber that hears a live sound: text comes as it is spoken."""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import Tensor, nn

from ostinato.data.examples import Batch
from ostinato.data.media.sounds import Sounds
from ostinato.data.media.spectrum import SpectrumStream
from ostinato.errors import UsageError
from ostinato.models.head import StepHead
from ostinato.models.sequence import SequenceModel
from ostinato.nn import Layer
from ostinato.sequences import Ragged
from ostinato.tasks.base import Task
from ostinato.tasks.transcribe import BLANK, Transcribe, Word


class Listener:
    """One live sound: :meth:`hear` takes its samples as they come and gives the text that is new.

    Layers go a step at a time (:class:`ostinato.nn.stream.Stream`), so that an hour costs no more memory than a second
    but for the words. A step's likeliest label is final: the texts put together are what ``predict`` says of the whole
    sound with ``task.beam=1``.

    Args:
        model: a trained transcriber.
        task: its task.

    Raises:
        UsageError: the model is no transcriber of sound, or it reads backwards too, from an end that is not there yet.
    """

    def __init__(self, model: nn.Module, task: Task) -> None:
        if not isinstance(task, Transcribe) or not isinstance(task.features.media, Sounds):
            raise UsageError(f"only a transcriber of sound listens; this model was trained for the task '{task.name}'")
        if not isinstance(model, SequenceModel) or not isinstance(model.head, StepHead):
            raise UsageError("this model cannot go step by step")
        if model.settings.bidirectional:
            raise UsageError(
                "this model also reads backwards, from the end of the sound: train one that hears as it goes with "
                "--set model.bidirectional=false"
            )
        if task.features.static.size:
            raise UsageError("this model needs other columns beside the sound: name a file that holds them")
        self.task, self.sounds = task, task.features.media
        self.model = copy.deepcopy(model).to("cpu").eval()
        self.spectrum = SpectrumStream(self.sounds.spectrum)
        self.layers = [layer.stream() for layer in self.model.stack.layers if isinstance(layer, Layer)]
        self.path: list[int] = []
        self._written = self._blank = False

    @property
    def rate(self) -> int:
        """Samples a second that it hears."""
        return self.sounds.spectrum.rate

    @property
    def words(self) -> list[Word]:
        """What was said so far, word by word, with times."""
        return self.task.spelled(np.array(self.path, dtype=np.int64))

    def hear(self, samples: np.ndarray) -> str:
        """The text that is certain now; may be empty.

        Args:
            samples: ``(T,)``, any number of them: floats of which full scale is ±1, or int16.

        Raises:
            ValueError: they are something else.
        """
        if samples.ndim != 1 or not (samples.dtype == np.int16 or np.issubdtype(samples.dtype, np.floating)):
            raise ValueError(f"samples must be (T,) of floats or int16, not {samples.shape} of {samples.dtype}")
        whole = samples.astype(np.float32)
        if not np.isfinite(whole).all():
            raise ValueError("a sample is no number")
        return self._read(self.spectrum.hear(torch.from_numpy(whole / 32768 if samples.dtype == np.int16 else whole)))

    def end(self) -> str:
        """The rest of the text: the sound has ended."""
        return self._read(self.spectrum.end())

    def _read(self, steps: Tensor) -> str:
        if not len(steps):
            return ""
        with torch.inference_mode():
            read = Ragged(self.sounds.scaled(steps), torch.tensor([len(steps)]))
            inputs = self.model.front(Batch(read, torch.tensor([0]))).values
            seen = torch.stack([self._step(step) for step in inputs])
            labels = self.model.head(Ragged(seen, read.lengths)).argmax(-1).tolist()
        return "".join(self._written_by(label) for label in labels)

    def _step(self, values: Tensor) -> Tensor:
        """Through all layers, one step."""
        for layer in self.layers:
            values = layer.step(values.contiguous())
        return values

    def _written_by(self, label: int) -> str:
        """The text that a step's label adds; blanks wait for a letter after them."""
        new = label not in {BLANK, self.path[-1] if self.path else BLANK}
        self.path.append(label)
        if not new:
            return ""
        symbol = self.task.symbol(label)
        text = symbol.strip()
        blank = self._written and (self._blank or symbol[:1].isspace() or self.task.parted)
        self._blank = symbol[-1:].isspace() or (blank and not text)
        self._written = self._written or bool(text)
        return (" " if blank and text else "") + text
