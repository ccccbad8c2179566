"""The Numenta Anomaly Benchmark: its data, and its windowed Gaussian, which must come out as published."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from benchmarks.nab import Corpus, corpus

from ostinato.tasks.nab import PROFILES, Judged, best_score, probation, score_at

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def series(real_data: Path) -> Corpus:
    return corpus(real_data / "nab")


def test_the_corpus(series: Corpus) -> None:
    assert len(series) == 58
    assert sum(len(values) for values, _ in series.values()) == 365_558
    assert sum(len(windows) for _, windows in series.values()) == 116
    assert sum(not windows for _, windows in series.values()) == 6
    assert all(first >= probation(len(values)) for values, windows in series.values() for first, _ in windows)


def published_gaussian(values: np.ndarray) -> np.ndarray:
    """The detector as it was published: a Gaussian over 6,400 values, moved on every 100; scores kept to 12 digits."""
    exact = values.astype(np.longdouble)
    sums = [np.concatenate([np.zeros(1, np.longdouble), np.cumsum(part)]) for part in (exact, exact**2)]
    time = np.arange(len(values))
    stop = np.where(time <= 6400, time, 6400 + (time - 6400) // 100 * 100)
    start = np.maximum(0, stop - 6400)
    count = np.maximum(stop - start, 1)
    mean = (sums[0][stop] - sums[0][start]) / count
    deviation = np.sqrt(np.maximum((sums[1][stop] - sums[1][start]) / count - mean**2, 0))
    far = np.abs(exact - mean) / np.where(deviation <= 1e-9 * np.abs(mean), 1e-6, deviation)
    scores = [float(f"{1 - 0.5 * math.erfc(float(z) / math.sqrt(2)):.12g}") for z in far]
    return np.array([0.0, *scores[1:]])


def test_the_windowed_gaussian_scores_as_published(series: Corpus) -> None:
    """39.6, 20.9 and 47.4 on the board; the raw scores are those of the benchmark's own result files."""
    found = {
        name: Judged(published_gaussian(values), windows, probation(len(values)))
        for name, (values, windows) in series.items()
    }
    board = {"standard": 39.6, "reward_low_FP_rate": 20.9, "reward_low_FN_rate": 47.4}
    for profile, score in board.items():
        best = best_score(list(found.values()), PROFILES[profile])
        assert best.threshold == 1.0
        assert best.normalised == pytest.approx(score, abs=0.05)
    raws = {
        "realKnownCause/ec2_request_latency_system_failure.csv": 2.02150685678,
        "realTweets/Twitter_volume_UPS.csv": -2.2051646682,
        "realAWSCloudwatch/ec2_disk_write_bytes_1ef3de.csv": -4.19089678552,
        "realTraffic/TravelTime_387.csv": -1.79598133079,
        "realAdExchange/exchange-3_cpc_results.csv": 2.50266326119,
        "artificialWithAnomaly/art_load_balancer_spikes.csv": -0.692444609523,
    }
    for name, raw in raws.items():
        assert score_at([found[name]], PROFILES["standard"], 1.0).raw == pytest.approx(raw, abs=1e-6)
    assert score_at(list(found.values()), PROFILES["standard"], 1.0).raw == pytest.approx(-24.0131054891, abs=1e-6)
