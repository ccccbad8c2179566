"""One step at a time, for many live streams: the state is all there is to keep, and chunks equal the whole."""

import torch

from ostinato import nn


def main() -> None:
    torch.manual_seed(0)
    layer = nn.LSTM(3, 16)
    cell = nn.LSTMCell(3, 16)
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in layer.state_dict().items()})
    streams = torch.randn(50, 4, 3)  # T = 50 steps of B = 4 streams

    with torch.no_grad():
        whole, _ = layer(streams)

        state = None
        stepped = []
        for x in streams:  # as they arrive, (B, I)
            state = cell(x, state)
            stepped.append(state[0])

        state, chunked = None, []
        for chunk in streams.split([7, 1, 30, 12]):
            output, state = layer(chunk, state)
            chunked.append(output)

        begins = torch.zeros(50, 4, dtype=torch.bool)
        begins[20, 1] = True  # stream 1 starts anew at step 20
        renewed, _ = layer(streams, reset=begins)
        alone, _ = layer(streams[20:, 1])

    print(f"step by step against the whole:   {(torch.stack(stepped) - whole).abs().max():.0e}")
    print(f"in four chunks against the whole: {(torch.cat(chunked) - whole).abs().max():.0e}")
    print(f"a stream that starts anew against the same stream alone: {(renewed[20:, 1] - alone).abs().max():.0e}")
    print(f"kept for each stream between steps: {sum(part[0].numel() for part in state)} numbers")


if __name__ == "__main__":
    main()
