"""Is a model surer than it is right? A calibrated one is seldom called so, and its calibration error is not 0."""

from __future__ import annotations

import numpy as np
import pytest

from mnistarena.stats.calibration import chance_error, expected_calibration_error
from mnistarena.stats.gaps import gaps

RUNS = 150


def drawn(rng: np.random.Generator, seeds: int, n: int, more: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Confidences, and where the seeds are right: as often as they say, but for `more`."""
    hard = rng.beta(8, 1, n)
    confidence = np.clip(hard + rng.normal(0, 0.03, (seeds, n)), 0.1, 1.0)
    return confidence, rng.random((seeds, n)) < confidence - more


@pytest.mark.parametrize("seeds", [1, 2, 3, 5])
def test_a_calibrated_model_is_seldom_called_anything_else(seeds: int) -> None:
    rng = np.random.default_rng(seeds)
    found = [gaps([drawn(rng, seeds, 300)])[0] for _ in range(RUNS)]
    # 10 % are almost three standard errors of so many draws above the 5 % that are promised.
    assert sum(one.p < 0.05 for one in found) <= 0.1 * RUNS
    assert all(one.low < one.estimate < one.high for one in found)
    assert sum(one.low <= 0 <= one.high for one in found) >= 0.9 * RUNS


def test_a_model_that_is_surer_than_right_is_found_and_p_is_corrected() -> None:
    rng = np.random.default_rng(0)
    sure, fair = drawn(rng, 3, 1000, more=0.08), drawn(rng, 3, 1000)
    alone, beside = gaps([sure])[0], gaps([sure, fair, fair, fair])[0]
    assert alone.estimate == beside.estimate == pytest.approx(sure[0].mean() - sure[1].mean())
    assert alone.low > 0
    assert alone.p < beside.p == pytest.approx(4 * alone.p)
    assert gaps([]) == []


@pytest.mark.parametrize(("n", "level"), [(300, 0.9), (300, 0.999), (5000, 0.9)])
def test_the_calibration_error_of_chance_is_that_of_simulated_true_confidences(n: int, level: float) -> None:
    rng = np.random.default_rng(n)
    confidence = np.clip(rng.beta(level * 20, (1 - level) * 20, n), 0.01, 1.0)
    errors = [expected_calibration_error(confidence, rng.random(n) < confidence) for _ in range(200)]
    assert chance_error(confidence) == pytest.approx(np.mean(errors), rel=0.1)
