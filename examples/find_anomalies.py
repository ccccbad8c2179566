"""Anomalies in a series, found as it comes in: a spike, a stop, and a time of disturbance."""

import sys

import numpy as np

from ostinato import Detector, plots

DAY = 48
LEARNED, STEPS = 30 * DAY, 60 * DAY
SHOWN = 1600  # step from which on the picture shows it


def series() -> tuple[np.ndarray, dict[str, tuple[int, int]]]:
    """Sixty days of a daily rhythm with noise, and where something is wrong: first and last step."""
    random = np.random.default_rng(0)
    time = np.arange(STEPS)
    values = 20 + 6 * np.sin(2 * np.pi * time / DAY) + random.normal(0, 0.5, STEPS)
    wrong = {"a spike": (1700, 1701), "a stop": (2150, 2165), "unrest": (2600, 2629)}
    values[1700:1702] += 15
    values[2150:2166] = values[2150]
    values[2600:2630] += random.normal(0, 3, 30)
    return values, wrong


def main(picture: str = "") -> None:
    values, wrong = series()
    model = Detector(hidden=16, epochs=12, alarms=0.005).fit(values[:LEARNED])  # it never sees what is wrong
    scores, rang = -model.score_samples(values), model.alarm(values)

    for name, (first, last) in wrong.items():
        height = scores[first : last + 1].max()
        rank = int((scores[LEARNED:] > height).sum()) + 1
        alarms = np.flatnonzero(rang[first : last + 1])
        told = f"alarm {alarms[0]} steps after it began" if len(alarms) else "no alarm"
        print(f"{name:8}  score {height:5.1f}, place {rank} of {STEPS - LEARNED:,} new steps; {told}")

    inside = np.zeros(STEPS, dtype=bool)
    for first, last in wrong.values():
        inside[first : last + 31] = True  # what comes right after is strange too
    if picture:
        shown = slice(SHOWN, None)
        stretches = [(first - SHOWN, last - SHOWN) for first, last in wrong.values()]
        alarms = np.flatnonzero(rang[shown])
        plots.save(
            plots.anomalies(
                values[shown], (), scores[shown], alarms, stretches, name="A daily rhythm, a step every half-hour"
            ),
            picture,
        )
    print(f"alarms where nothing is wrong: {int((rang & ~inside)[LEARNED:].sum())} in {STEPS - LEARNED:,} steps")


if __name__ == "__main__":
    main(*sys.argv[1:])
