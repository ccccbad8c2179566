"""Labels: what a classifier or a tagger may answer, and the losses and notes the two share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ostinato.data.features import Features
from ostinato.data.table import Column, Kind
from ostinato.errors import DataError, ModelFolderError, intact
from ostinato.tasks.base import Outputs, Task

MISSING = -1
"""The target of an example without one: nothing is learned from it and no metric sees it."""
UNSEEN = -2
"""The target of an example whose label never occurred in training: nothing to learn, and every answer is wrong."""


@dataclass(frozen=True)
class Labels:
    """The labels of the training part, sorted, and how often each occurs there."""

    names: tuple[str, ...]
    counts: tuple[int, ...]

    @classmethod
    def fit(cls, values: Sequence[str], column: str) -> Self:
        """From the labels of the training part; raises ``DataError`` unless there are two different ones at least."""
        counts = Counter(values)
        if len(counts) < 2:
            found = f"a single label, '{next(iter(counts))}'" if counts else "no label at all"
            raise DataError(f"the training part has {found}: there is nothing to tell apart", column=column)
        names = sorted(counts)
        return cls(tuple(names), tuple(counts[name] for name in names))

    def __len__(self) -> int:
        return len(self.names)

    def encode(self, values: Sequence[str]) -> Tensor:
        """``(n,)`` int64: place in ``names``, or :data:`UNSEEN`."""
        place = {name: number for number, name in enumerate(self.names)}
        return torch.tensor([place.get(value, UNSEEN) for value in values], dtype=torch.int64)

    @property
    def shares(self) -> Tensor:
        """``(K,)`` of all labels of the training part."""
        counts = torch.tensor(self.counts, dtype=torch.float32)
        return counts / counts.sum()

    def weights(self, mode: str) -> Tensor | None:
        """``(K,)``: ``balanced`` gives ``n / (K n_k)``, ``none`` gives None."""
        if mode == "none":
            return None
        counts = torch.tensor(self.counts, dtype=torch.float32)
        return counts.sum() / (len(counts) * counts)

    def unseen(self, values: Sequence[str], what: str) -> tuple[str, ...]:
        """A note where ``values`` hold labels that never occurred in training."""
        new = Counter(value for value in values if value not in set(self.names))
        if not new:
            return ()
        shown = ", ".join(f"'{name}'" for name in list(new)[:5]) + (", …" if len(new) > 5 else "")
        return (
            f"{sum(new.values()):,} of {len(values):,} {what} have a label never seen in training ({shown}): they "
            "count as wrong in accuracy, macro_f1 sees them as one more class, and log_loss leaves them out",
        )

    def to_config(self) -> dict[str, Any]:
        """As JSON."""
        return {"names": list(self.names), "counts": list(self.counts)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The inverse of :meth:`to_config`; raises ``ModelFolderError`` on what does not fit."""
        names, counts = config.get("names"), config.get("counts")
        if not isinstance(names, list) or not isinstance(counts, list) or not len(names) == len(counts) >= 2:
            raise ModelFolderError("the labels are damaged: they need 'names' and 'counts' of equal length")
        return cls(tuple(names), tuple(counts))


@dataclass(frozen=True)
class Labelled(Task):
    """A task that answers with labels: what classifier and tagger keep of a training part, and how it is stored.

    Args:
        target: the column of the labels.
        features: how the inputs are encoded.
        labels: what may be answered.
        class_weights: how much the classes weigh in the loss, see ``TaskSettings``.
        logit_adjustment: ``a`` of :meth:`label_loss`.
        label_smoothing: see :func:`cross_entropy`.
    """

    target: str
    features: Features
    labels: Labels
    class_weights: str = "none"
    logit_adjustment: float = 0.0
    label_smoothing: float = 0.0

    def label_loss(self, logits: Tensor, targets: Tensor) -> tuple[Tensor, int]:
        """:func:`cross_entropy` at ``logits + a ln π``, ``π`` the share of each label in the training part.

        So ``softmax(logits)`` is the posterior divided by ``π^a``: with ``a = 0`` the likeliest label is the most
        often right, with 1 the one that makes the mean recall of the labels highest (Menon et al. 2021, Long-tail
        learning via logit adjustment, equation 11); a little of it helps rare labels and costs next to nothing.
        """
        if self.logit_adjustment:
            logits = logits + self.logit_adjustment * self.labels.shares.log().to(logits.device, logits.dtype)
        return cross_entropy(logits, targets, self.labels.weights(self.class_weights), self.label_smoothing)

    def to_config(self) -> dict[str, Any]:
        """Everything fitted, as JSON."""
        return {
            "name": self.name,
            "target": self.target,
            "features": self.features.to_config(),
            "labels": self.labels.to_config(),
            "class_weights": self.class_weights,
            "logit_adjustment": self.logit_adjustment,
            "label_smoothing": self.label_smoothing,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The inverse of :meth:`to_config`; raises ``ModelFolderError`` on what does not fit."""
        with intact("the task is damaged"):
            features, labels = Features.from_config(config["features"]), Labels.from_config(config["labels"])
            adjustment = config.get("logit_adjustment", 0.0)  # version 0.1.0 had none
            smoothing = config["label_smoothing"]
            return cls(config["target"], features, labels, config["class_weights"], adjustment, smoothing)


def label_text(column: Column) -> list[str]:
    """The values of a target column as labels; a whole number is written without a point."""
    if column.kind == Kind.NUMBER:
        return [f"{value:.0f}" if float(value).is_integer() else repr(float(value)) for value in column.values]
    if column.kind not in {Kind.CATEGORY, Kind.TEXT, Kind.ID, Kind.DNA}:
        raise DataError(f"a {column.kind.value} column holds no labels", column=column.name)
    return [str(value) for value in column.values]


def without_label(column: Column) -> frozenset[int]:
    """The rows of a target column that have no label: what the reader found missing, and NaN."""
    if column.kind != Kind.NUMBER:
        return column.missing
    return column.missing | frozenset(np.flatnonzero(np.isnan(np.asarray(column.values, dtype=np.float64))).tolist())


def cross_entropy(logits: Tensor, targets: Tensor, weights: Tensor | None, smoothing: float) -> tuple[Tensor, int]:
    """Mean of ``-sum_k q_k ln softmax(logits)_k`` over the rows that have a target, and how many they are.

    ``q`` is ``1 - smoothing`` on the target and ``smoothing / K`` everywhere; with class weights the mean is weighted.
    """
    rows = targets >= 0
    count = int(rows.sum())
    if not count:
        return logits.sum() * 0.0, 0
    weights = None if weights is None else weights.to(logits.device, logits.dtype)
    return F.cross_entropy(logits[rows], targets[rows], weight=weights, label_smoothing=smoothing), count


def best(outputs: Outputs) -> np.ndarray:
    """The numbers of the labels answered: ``answer`` where a task says so itself, else the likeliest one by one."""
    answers: np.ndarray = outputs["answer"] if "answer" in outputs else outputs["probabilities"].argmax(1)
    return answers


def probabilities(logits: Tensor) -> np.ndarray:
    """``softmax`` of ``(n, K)`` in float32, on the CPU."""
    softened: np.ndarray = logits.detach().float().softmax(-1).cpu().numpy()
    return softened
