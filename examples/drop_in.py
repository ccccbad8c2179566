"""One import changed: `torch.nn.LSTM` becomes `ostinato.nn.LSTM`, and sequences may have any lengths."""

import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from ostinato import Ragged, explain, nn


def main() -> None:
    torch.manual_seed(0)
    theirs = torch.nn.LSTM(4, 8, bidirectional=True, batch_first=True)
    ours = nn.LSTM(4, 8, bidirectional=True, batch_first=True)
    ours.load_state_dict(theirs.state_dict())

    lengths = [3, 9, 1, 6]
    padded = torch.randn(4, 9, 4)
    padded[0, 3:] = float("nan")  # nothing beyond a length is ever read

    packed = pack_padded_sequence(padded, torch.tensor(lengths), batch_first=True, enforce_sorted=False)
    expected, _ = pad_packed_sequence(theirs(packed)[0], batch_first=True)
    output, (h, _) = ours(padded, lengths=lengths)
    print(f"torch.nn, sorted and packed by hand: {tuple(expected.shape)}")
    print(f"ostinato.nn, lengths={lengths}:   {tuple(output.shape)}")
    print(f"largest difference: {(output - expected).abs().max():.1e}")

    ragged = Ragged.from_list([padded[b, :length] for b, length in enumerate(lengths)])
    output, (h_ragged, _) = ours(ragged)
    print(f"without any padding: {len(ragged.values)} steps instead of {padded.shape[0] * padded.shape[1]}")
    print(f"the same final state: {torch.allclose(h, h_ragged, atol=1e-6)}")
    print(f"\nwho computes it, and why\n{explain(ours)}")


if __name__ == "__main__":
    main()
