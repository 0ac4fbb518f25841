"""Pictures of machines: what is drawn is what was given."""

import numpy as np
import pytest

from ictus import plot


def test_update_histograms_name_the_ratio():
    weights = np.random.default_rng(0).normal(size=(20, 10))
    figure = plot.update_histograms(weights, 2e-3 * weights)
    left, right = figure.axes
    assert sum(bar.get_height() for bar in left.patches) == 200
    assert sum(bar.get_height() for bar in right.patches) == 200
    assert "2.0e-03" in right.get_title(loc="left")
    plot.update_histograms(weights * 0, weights * 0)


def test_free_energy_gap():
    figure = plot.free_energy_gap({"free_energy_gap": [0.1, 0.2, 0.4]})
    np.testing.assert_array_equal(figure.axes[0].lines[0].get_ydata(), [0.1, 0.2, 0.4])
    with pytest.raises(ValueError, match="no free_energy_gap: train with validation examples"):
        plot.free_energy_gap({})
