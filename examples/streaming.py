"""One step at a time, for live streams that come and go: their states are all there is to keep."""

import torch

from ostinato import nn


def main() -> None:
    torch.manual_seed(0)
    layer = nn.LSTM(3, 16)
    signals = torch.randn(50, 4, 3)  # T = 50 steps of B = 4 signals

    with torch.no_grad():
        whole, _ = layer(signals)
        state, chunked = None, []
        for chunk in signals.split([7, 1, 30, 12]):
            output, state = layer(chunk, state)
            chunked.append(output)
        alone, _ = layer(signals[20:, 1])

    live = layer.stream(4)
    stepped = torch.stack([live.step(x) for x in signals])  # as they arrive, (B, I)

    live.reset()
    for x in signals[:20]:
        live.step(x)
    live.reset(1)  # a new episode begins in stream 1
    live.close(3)  # and stream 3 ends
    renewed = torch.stack([live.step(x[:3]) for x in signals[20:]])

    guest = live.open()  # a new one takes its number
    x = torch.randn(3)
    first = live.step(x.unsqueeze(0), rows=[guest])  # alone, while the others wait
    with torch.no_grad():
        wanted, _ = layer(x.view(1, 1, 3))

    small = layer.stream(4, weights="int8")
    rough = torch.stack([small.step(x) for x in signals])

    print(f"step by step against the whole:   {(stepped - whole).abs().max():.0e}")
    print(f"in four chunks against the whole: {(torch.cat(chunked) - whole).abs().max():.0e}")
    print(f"a stream that starts anew against the same stream alone: {(renewed[:, 1] - alone).abs().max():.0e}")
    print(f"stream {guest}, opened while others ran, against a layer: {(first - wanted).abs().max():.0e}")
    print(f"with weights of 8 bits against the whole {(rough - whole).abs().max():.3f}")
    print(f"kept for each stream between steps: {sum(part[:, 0].numel() for part in live.state)} numbers")


if __name__ == "__main__":
    main()
