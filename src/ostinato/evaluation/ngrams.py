"""ngram_logistic: logistic regression on the n-grams of a sequence, the strong cheap rival for text and DNA."""

from __future__ import annotations

from typing import Any, Protocol, cast

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn

from ostinato.data.examples import Batch
from ostinato.errors import UsageError
from ostinato.evaluation.ground import Ground
from ostinato.sequences import Ragged
from ostinato.tasks.base import target_array

LONGEST = {"char": 4, "byte": 4, "word": 2, "token": 2, "dna": 6, "kmer": 4}
"""The longest n-gram, by what a step is."""
MOST_GRAMS = 200_000
"""The most frequent n-grams that are kept."""
MOST_PLACES = 20_000
"""Where all training sequences have one length, what stands at each place is a feature too, up to so many features."""
NEVER = 1e-9
"""Probability of a label without a training example, and the least of any."""
STRENGTHS = (1.0, 10.0, 100.0)
"""Inverse strengths of the L2 penalty that are tried; without a validation part the middle one is taken."""

State = tuple[Tensor, ...]


class _Vectorizer(Protocol):
    def fit_transform(self, texts: list[str]) -> Any: ...
    def transform(self, texts: list[str]) -> Any: ...


class _Regression(Protocol):
    classes_: np.ndarray

    def predict_proba(self, features: Any) -> np.ndarray: ...


def letters(inputs: Ragged) -> list[str]:
    """Every sequence as a string with a character a step, between a mark of its beginning and one of its end.

    Ids ``(N,)`` become one character each whatever they stand for; values ``(N, C)`` (shares of the bases) the set of
    channels that are not 0, which is the IUPAC letter.
    """
    values = inputs.values.cpu().numpy()
    if values.ndim == 2:
        values = (values > 0) @ (1 << np.arange(values.shape[1]))
    codes = values.astype(np.uint32) + 0x100
    codes = np.where(codes >= 0xD800, codes + 0x800, codes)  # around the surrogates, which are no characters
    text = codes.astype("<u4").tobytes().decode("utf-32-le")
    stops = np.cumsum(inputs.lengths.numpy()).tolist()
    starts = [0, *stops[:-1]]
    return [f"\x02{text[start:stop]}\x03" for start, stop in zip(starts, stops, strict=True)]


class Grams:
    """Features of sequences: tf-idf of their n-grams, what stands at each place, and what stands beside them.

    Args:
        longest: symbols of the longest n-gram.
        places: steps of every sequence, if what stands at each place is to be a feature; 0: it is not.
        size: of a step: ``V`` of ids, channels of values.
    """

    def __init__(self, longest: int, places: int, size: int) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        self.places, self.size = places, size
        self.vectorizer = cast(
            _Vectorizer,
            TfidfVectorizer(
                analyzer="char",
                lowercase=False,
                ngram_range=(1, longest),
                max_features=MOST_GRAMS,
                sublinear_tf=True,
                dtype=np.float64,
            ),
        )

    def fit_transform(self, inputs: Ragged, static: Tensor | None) -> sparse.csr_matrix:
        """Learns which n-grams there are; gives the features ``(B, F)``."""
        return self._join(self.vectorizer.fit_transform(letters(inputs)), inputs, static)

    def transform(self, inputs: Ragged, static: Tensor | None) -> sparse.csr_matrix:
        """The features ``(B, F)``; n-grams never seen are left out."""
        return self._join(self.vectorizer.transform(letters(inputs)), inputs, static)

    def _join(self, grams: Any, inputs: Ragged, static: Tensor | None) -> sparse.csr_matrix:
        parts = [grams]
        if self.places:
            parts.append(self._at_places(inputs))
        if static is not None:
            parts.append(sparse.csr_matrix(static.cpu().numpy().astype(np.float64)))
        return sparse.hstack(parts, format="csr")

    def _at_places(self, inputs: Ragged) -> sparse.csr_matrix:
        """``(B, places * size)`` of norm about 1; steps beyond ``places`` are not seen."""
        inputs = inputs.slice(0, self.places)
        lengths, values = inputs.lengths.numpy(), inputs.values.cpu().numpy()
        row = np.repeat(np.arange(len(lengths)), lengths)
        place = np.arange(len(values)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        if values.ndim == 1:
            entries, columns = np.ones(len(values)), place * self.size + values
        else:
            row, columns = np.repeat(row, self.size), (place[:, None] * self.size + np.arange(self.size)).ravel()
            entries = values.ravel().astype(np.float64)
        shape = (len(lengths), self.places * self.size)
        return sparse.csr_matrix((entries / self.places**0.5, (row, columns)), shape=shape)


class NgramLogistic(nn.Module):
    """``p_k = σ(w_k features(x) + b_k) / sum_j σ(w_j features(x) + b_j)`` as a model: log probabilities ``(B, K)``."""

    def __init__(self, grams: Grams, regression: _Regression, outputs: int) -> None:
        super().__init__()
        self.grams, self.regression, self.outputs = grams, regression, outputs

    def forward(self, batch: Batch, state: State | None = None) -> tuple[Tensor, State]:
        """``(B, K)``, and no state."""
        del state
        chances = self.regression.predict_proba(self.grams.transform(batch.inputs, batch.static))
        answers = np.full((len(batch), self.outputs), NEVER)
        answers[:, self.regression.classes_] = np.maximum(chances, NEVER)
        return torch.from_numpy(np.log(answers)).float(), ()


def ngram_logistic(ground: Ground) -> nn.Module:
    """Logistic regression (each label against the rest) on tf-idf weighted n-grams; validation chooses the penalty.

    Text: 1 to 4 characters (words, tokens: 1 to 2); DNA: 1 to 6 bases; beginning and end of the sequence are symbols of
    their own. Where all training sequences have the same length (windows of DNA around a site), what stands at each
    place is a feature too: without it such a rival would be a straw man.

    Raises:
        UsageError: the task does not give a label to a sequence of symbols.
    """
    spec, examples = ground.task.spec, ground.train
    inputs, static = getattr(examples, "inputs", None), getattr(examples, "static", None)
    symbols = spec.inputs == "ids" or _unit(ground) == "dna"
    truth = target_array(examples)
    if spec.outputs != "sequence" or not symbols or not np.issubdtype(truth.dtype, np.integer):
        raise UsageError(f"ngram_logistic labels sequences of symbols; the task '{ground.task.name}' does not")
    assert isinstance(inputs, Ragged)
    rows = torch.from_numpy(np.flatnonzero(truth >= 0))
    inputs, static = inputs.take(rows), None if static is None else static[rows]
    grams = Grams(LONGEST[_unit(ground)], _places(inputs.lengths, spec.input_size), spec.input_size)
    features = grams.fit_transform(inputs, static)
    return _best(ground, grams, features, truth[truth >= 0])


def _best(ground: Ground, grams: Grams, features: sparse.csr_matrix, truth: np.ndarray) -> nn.Module:
    outputs = ground.task.spec.output_size
    if len(np.unique(truth)) < 2:
        raise UsageError("ngram_logistic needs two labels in the training part")
    strengths = STRENGTHS if len(ground.valid) else STRENGTHS[1:2]
    fitted = [NgramLogistic(grams, _fit(features, truth, c), outputs) for c in strengths]
    merits = [ground.merit(model) for model in fitted]
    return fitted[int(np.nanargmax(merits)) if not np.isnan(merits).all() else len(merits) // 2]


def _fit(features: sparse.csr_matrix, truth: np.ndarray, strength: float) -> _Regression:
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    # One against the rest by Newton steps: on names it was better than one multinomial fit and thirty times faster.
    model = OneVsRestClassifier(LogisticRegression(C=strength, solver="liblinear"))
    return cast(_Regression, model.fit(features, truth))


def _places(lengths: Tensor, size: int) -> int:
    """The one length of all training sequences; 0 where there are several or it is too long."""
    longest = int(lengths.max()) if len(lengths) else 0
    return longest if bool((lengths == longest).all()) and longest * size <= MOST_PLACES else 0


def _unit(ground: Ground) -> str:
    """What a step is: a key of :data:`LONGEST`, or another word where it is no symbol."""
    features = getattr(ground.task, "features", None)
    vocabulary = getattr(features, "vocabulary", None)
    if vocabulary is not None:
        return str(vocabulary.unit)
    return str(getattr(features, "kind", "char"))
