"""Features: the input columns of a table as tensors: one main sequence, and what stands beside it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, Self

from torch import Tensor

from ostinato.data import dna
from ostinato.data.channels import Channels
from ostinato.data.examples import Batch, SequenceExamples
from ostinato.data.media.base import Media
from ostinato.data.media.film import Films
from ostinato.data.media.image import Images
from ostinato.data.media.rolls import Rolls
from ostinato.data.media.sounds import Sounds
from ostinato.data.settings import DataSettings
from ostinato.data.spec import Spec
from ostinato.data.static import STATIC_KINDS, Static
from ostinato.data.strands import either_strand, other_strand
from ostinato.data.table import MEDIA_KINDS, SEQUENCE_KINDS, Column, Kind, Table
from ostinato.data.vocabulary import Vocabulary, dna_values
from ostinato.errors import DataError, ModelFolderError, intact, nearest
from ostinato.sequences import Ragged

_PARTS = ("kind", "vocabulary", "characters", "channels")
ENCODERS: Final[dict[Kind, type[Media]]] = {
    Kind.AUDIO: Sounds,
    Kind.VIDEO: Films,
    Kind.IMAGE: Images,
    Kind.MIDI: Rolls,
}
"""What reads the files of a column."""


@dataclass(frozen=True)
class Inputs:
    """Which columns are inputs: the sequence (several only if they are series, joined) and the static ones."""

    sequence: tuple[str, ...]
    static: tuple[str, ...]


def input_columns(table: Table, data: DataSettings, target: str) -> Inputs:
    """Sorts the input columns: those of ``data.inputs``, or every one that is not target, id, time or tags.

    Raises:
        DataError: a named column does not exist or cannot be an input; two sequences that cannot be joined.
    """
    others = {target, data.id, data.time}
    chosen = [table[name] for name in data.inputs] or [column for column in table if column.name not in others]
    for column in chosen if data.inputs else ():
        if column.kind not in SEQUENCE_KINDS | STATIC_KINDS:
            raise DataError(f"a {column.kind.value} column cannot be an input", path=table.path, column=column.name)
        if column.name == target:
            raise DataError("the target cannot be an input too", path=table.path, column=column.name)
    sequence = [column for column in chosen if column.kind in SEQUENCE_KINDS]
    if len(sequence) > 1 and any(column.kind != Kind.SERIES for column in sequence):
        found = ", ".join(f"'{column.name}' ({column.kind.value})" for column in sequence)
        raise DataError(f"{len(sequence)} sequence columns: {found}; choose one with --input", path=table.path)
    static = tuple(column.name for column in chosen if column.kind in STATIC_KINDS)
    return Inputs(tuple(column.name for column in sequence), static)


@dataclass(frozen=True)
class Features:
    """Fitted input columns.

    Args:
        column: the main sequence; of joined series the first.
        kind: of the main sequence.
        vocabulary: of text and tokens.
        characters: of the tokens, where they are wanted.
        channels: of series.
        static: the columns beside it.
        media: of files of sound, film or images.
        strands: whether DNA is read from both ends.
    """

    column: str
    kind: Kind
    vocabulary: Vocabulary | None = None
    characters: Vocabulary | None = None
    channels: Channels | None = None
    static: Static = field(default_factory=Static)
    media: Media | None = None
    strands: bool = False

    @classmethod
    def fit(
        cls, table: Table, data: DataSettings, target: str = "", groups: tuple[str, ...] = (), marks: bool = False
    ) -> Self:
        """From the training part.

        Args:
            table: the training part.
            data: which columns, and how text is cut.
            target: the target column, which is no input.
            groups: for tokens: ``characters`` adds the characters of every token; ``lower`` lower-cases the tokens.
            marks: whether the symbols have marks of begin and end.

        Raises:
            DataError: there is no sequence column, or several; a value cannot be read.
        """
        chosen = input_columns(table, data, target)
        if not chosen.sequence:
            found = ", ".join(f"'{c.name}' ({c.kind.value})" for c in table if c.name != target) or "no other column"
            raise DataError(f"no sequence to learn from: {found}; --set data.kinds names kinds", path=table.path)
        column = table[chosen.sequence[0]]
        static = Static.fit(table, chosen.static)
        dna.check_strands(data, column.kind)
        if column.kind == Kind.SERIES:
            channels = Channels.fit(table, chosen.sequence, data.missing)
            return cls(column.name, column.kind, channels=channels, static=static)
        if column.kind == Kind.DNA:
            both = data.strands == "both"
            return cls(column.name, column.kind, _kmers(column, data), static=static, strands=both)
        if column.kind in MEDIA_KINDS:
            media = ENCODERS[column.kind].fit(column, table, data)
            return cls(column.name, column.kind, static=static, media=media)
        tokens = column.kind == Kind.TOKENS
        unit = "token" if tokens else data.unit
        lower = data.lower or (tokens and "lower" in groups)
        vocabulary = Vocabulary.fit(
            column.values, unit, min_count=data.min_count, marks=marks, lower=lower, size=data.subwords
        )
        characters = None
        if tokens and "characters" in groups:
            characters = Vocabulary.fit([token for row in column.values for token in row], "char")
        return cls(column.name, column.kind, vocabulary, characters, static=static)

    @property
    def symbolic(self) -> bool:
        """Whether a step is a symbol: of a vocabulary, or a base."""
        return self.vocabulary is not None or self.kind == Kind.DNA

    def examples(self, table: Table, targets: Ragged | Tensor | None = None) -> SequenceExamples:
        """The rows as tensors, with ``targets`` put beside them.

        Raises:
            DataError: a column is missing, of another kind, or holds a value that cannot be read.
        """
        column = self._column(table)
        parts = None
        if self.characters is not None:
            parts = self.characters.encode([token for row in column.values for token in row])
        return SequenceExamples(self._encode(column, table), self.static.encode(table), parts, targets)

    def _column(self, table: Table) -> Column:
        column = table[self.column]
        if column.kind == self.kind or {column.kind, self.kind} <= {Kind.TEXT, Kind.DNA, Kind.CATEGORY, Kind.ID}:
            return column
        raise DataError(
            f"this is {column.kind.value}, but the model learned from {self.kind.value}",
            path=table.path,
            column=self.column,
        )

    def _encode(self, column: Column, table: Table) -> Ragged:
        if self.channels is not None:
            return self.channels.encode(table)
        if self.media is not None:
            return self.media.encode(column, table)
        if self.vocabulary is not None:
            return self.vocabulary.encode(list(column.values))
        return dna_values(list(column.values), table.line_of, column.name)

    def views(self, batch: Batch) -> tuple[Batch, ...]:
        """The batch, and with ``strands`` its reverse complement beside it."""
        if not self.strands:
            return (batch,)
        complements = self.vocabulary.complements if self.vocabulary else None
        return batch, replace(batch, inputs=other_strand(batch.inputs, complements))

    def draw(self, batch: Batch) -> Batch:
        """The batch to learn from: files changed at random; with ``strands`` a random half as reverse complements."""
        if self.media is not None:
            return replace(batch, inputs=self.media.vary(batch.inputs))
        views = self.views(batch)
        return either_strand(*views) if len(views) > 1 else batch

    def notes(self, table: Table) -> tuple[str, ...]:
        """What a user should know of this table against what was fitted."""
        if self.channels is not None:
            return self.channels.notes(table)
        if self.media is not None:
            return self.media.notes(self._column(table))
        if self.vocabulary is None:
            return ()
        ids = self.vocabulary.encode(list(self._column(table).values)).values
        unknown = int((ids == Vocabulary.UNKNOWN).sum())
        return (f"{unknown:,} of {len(ids):,} symbols are unknown",) if unknown else ()

    def spec(self, outputs: Literal["sequence", "step"], output_size: int) -> Spec:
        """The sizes a model needs for these inputs and the given answer."""
        kind: Literal["ids", "values"] = "values" if self.vocabulary is None else "ids"
        sized = self.channels or self.media
        size = sized.size if sized else 4 if self.vocabulary is None else len(self.vocabulary)
        parts_size = len(self.characters) if self.characters else 0
        spec = Spec(kind, size, outputs, output_size, static_size=self.static.size, parts_size=parts_size)
        return spec if self.media is None else replace(spec, frame=self.media.frame, scale=self.media.levels)

    def to_config(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "column": self.column,
            "kind": self.kind.value,
            "vocabulary": self.vocabulary.to_config() if self.vocabulary else None,
            "characters": self.characters.to_config() if self.characters else None,
            "channels": self.channels.to_config() if self.channels else None,
            "static": self.static.to_config(),
            **({"media": self.media.to_config()} if self.media else {}),
            **({"strands": True} if self.strands else {}),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The inverse of :meth:`to_config`; raises ``ModelFolderError`` on what does not fit."""
        with intact("the input columns are damaged"):
            kind, vocabulary, characters, channels = (config[key] for key in _PARTS)
            features = cls(
                config["column"],
                Kind(kind),
                None if vocabulary is None else Vocabulary.from_config(vocabulary),
                None if characters is None else Vocabulary.from_config(characters),
                None if channels is None else Channels.from_config(channels),
                Static.from_config(config["static"]),
                ENCODERS[Kind(kind)].from_config(config["media"]) if Kind(kind) in MEDIA_KINDS else None,
                bool(config.get("strands")),
            )
        symbols, series = kind not in {Kind.SERIES, Kind.DNA, *MEDIA_KINDS}, kind == Kind.SERIES
        fits = kind == Kind.DNA or (features.vocabulary is not None) == symbols
        if not fits or (features.channels is not None) != series:
            raise ModelFolderError(f"the input columns are damaged: a {kind} column without what it needs")
        return features


def _kmers(column: Column, data: DataSettings) -> Vocabulary | None:
    """Of DNA whose symbols are several bases; both strands are counted where both are read."""
    if data.kmer == 1:
        return None
    values = list(column.values)
    other = [dna.reverse_complement(value) for value in values if data.strands == "both"]
    return Vocabulary.fit(values + other, "kmer", min_count=data.min_count, width=data.kmer)


def check_groups(groups: tuple[str, ...]) -> None:
    """Raises ``DataError`` on a feature group that does not exist."""
    for group in groups:
        if group not in {"characters", "lower"}:
            raise DataError(f"no feature group '{group}'.{nearest(group, ['characters', 'lower'])}")
