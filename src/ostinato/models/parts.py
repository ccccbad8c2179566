"""PartsEncoder: the characters of a token as one vector."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from ostinato.nn import LSTM
from ostinato.sequences import Ragged

EMBEDDING = 32
HIDDEN = 64


class PartsEncoder(nn.Module):
    """Reads the characters of every token from both ends; the two final hidden states are the token's vector.

    ``v(token) = [h_forward(last character); h_backward(first character)]`` (Lample et al. 2016, section 4.1). A word
    that was never seen still has its ending, its capitals and its digits.

    Each distinct token of a batch is read once, however often it stands there: natural text repeats itself.

    Args:
        vocabulary: number of characters.
        embedding: size of a character's vector.
        hidden: hidden size of each direction.
    """

    def __init__(self, vocabulary: int, embedding: int = EMBEDDING, hidden: int = HIDDEN) -> None:
        super().__init__()
        self.size = 2 * hidden
        self.embedding = nn.Embedding(vocabulary, embedding)
        self.layer = LSTM(embedding, hidden, bidirectional=True, init="orthogonal", forget_bias=1.0)

    def forward(self, parts: Ragged) -> Tensor:
        """``parts``: ``N`` sequences of character ids. Gives ``(N, size)``; a token without characters gives zeros."""
        first, inverse = distinct(parts)
        characters = parts.take(first).map(self.embedding)
        _, (h, _) = self.layer(characters)
        vectors = torch.cat([h[0], h[1]], dim=-1)
        return vectors.index_select(0, inverse.to(vectors.device))


def distinct(sequences: Ragged) -> tuple[Tensor, Tensor]:
    """Where each distinct sequence stands first ``(K,)``, and which of these each one is ``(B,)``; exact, no hashing.

    ``sequences.take(first).take(inverse)`` equals ``sequences``.
    """
    values = sequences.values.cpu().numpy()
    bounds = sequences.offsets.tolist()
    seen: dict[bytes, int] = {}
    first: list[int] = []
    inverse: list[int] = []
    for row, (start, stop) in enumerate(pairwise(bounds)):
        number = seen.setdefault(values[start:stop].tobytes(), len(first))
        if number == len(first):
            first.append(row)
        inverse.append(number)
    return torch.tensor(first, dtype=torch.int64), torch.tensor(inverse, dtype=torch.int64)
