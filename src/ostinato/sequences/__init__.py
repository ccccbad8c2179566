"""What flows through the house: sequences of unequal lengths, exact conversions, windows."""

from ostinato.sequences.packed import Packed, pack, unpack
from ostinato.sequences.ragged import Ragged

__all__ = ["Packed", "Ragged", "pack", "unpack"]
