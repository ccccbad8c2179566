"""What flows through the house: sequences of unequal lengths, exact conversions, windows."""

from ostinato.sequences.ragged import Ragged

__all__ = ["Ragged"]
