"""A forecast with its uncertainty: the last eleven years of yearly sunspot numbers, from those before."""

import sys

import numpy as np

from ostinato import Forecaster, plots
from ostinato.runs.demo_data import SUNSPOTS, SUNSPOTS_FROM

HORIZON = 11  # about one solar cycle


def main(picture: str = "") -> None:
    series = np.array([float(number) for number in SUNSPOTS.split()])
    known, truth = series[:-HORIZON], series[-HORIZON:]

    model = Forecaster(horizon=HORIZON, hidden=32, epochs=10).fit(known)
    low, middle, high = model.predict_quantiles().T  # of quantiles 0.1, 0.5 and 0.9

    first = SUNSPOTS_FROM + len(known)
    print("year  truth  forecast  80 % of futures between")
    for step in range(HORIZON):
        print(f"{first + step}  {truth[step]:5.0f}  {middle[step]:8.0f}  {low[step]:5.0f} and {high[step]:.0f}")
    print(f"\nmean absolute error        {np.abs(middle - truth).mean():5.1f}")
    print(f"repeating the last value   {np.abs(known[-1] - truth).mean():5.1f}")
    print(f"repeating the last cycle   {np.abs(known[-HORIZON:] - truth).mean():5.1f}")
    if picture:
        fan, rivals = np.stack([low, middle, high], 1), {"the last cycle again": known[-HORIZON:]}
        words = {
            "name": "Sunspots, the last eleven years unseen",
            "label": "sunspot number",
            "unit": "year",
            "first": first,
        }
        plots.save(
            plots.forecast_fan(known[-4 * HORIZON :], fan, (0.1, 0.5, 0.9), truth, rivals=rivals, **words), picture
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
