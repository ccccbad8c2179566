"""What flows through the house: sequences of unequal lengths, exact conversions, windows."""

from ostinato.sequences.interop import from_nested, from_packed_sequence, to_nested, to_packed_sequence
from ostinato.sequences.packed import Packed, pack, unpack
from ostinato.sequences.padded import from_padded, to_padded
from ostinato.sequences.ragged import Ragged
from ostinato.sequences.segments import cut
from ostinato.sequences.windows import Window, reverse, windows

__all__ = [
    "Packed",
    "Ragged",
    "Window",
    "cut",
    "from_nested",
    "from_packed_sequence",
    "from_padded",
    "pack",
    "reverse",
    "to_nested",
    "to_packed_sequence",
    "to_padded",
    "unpack",
    "windows",
]
