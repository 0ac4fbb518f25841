"""Initial weights: the spread that each paper names."""

import numpy as np
import pytest

from ictus.nn import INITIALIZATIONS, initialize_weights

INPUTS, UNITS = 400, 300
VARIANCES = {
    "glorot": 2 / (INPUTS + UNITS),
    "he": 2 / INPUTS,
    "lecun": 1 / INPUTS,
    "gaussian": 0.01**2,
    "sparse": 15 / INPUTS,
}


@pytest.mark.parametrize("name", sorted(INITIALIZATIONS))
@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_moments(name, scale):
    weights = initialize_weights(name, np.random.default_rng(0), INPUTS, UNITS, scale)
    assert weights.shape == (INPUTS, UNITS)
    expected = VARIANCES[name] * scale**2
    assert abs(weights.var() / expected - 1) < 0.06
    assert abs(weights.mean()) < 5 * np.sqrt(expected / weights.size)


def test_sparse_has_fifteen_connections_a_unit():
    weights = initialize_weights("sparse", np.random.default_rng(0), INPUTS, UNITS)
    np.testing.assert_array_equal((weights != 0).sum(axis=0), 15)
    few = initialize_weights("sparse", np.random.default_rng(0), 4, 6)
    assert np.all(few != 0)


def test_glorot_is_bounded():
    weights = initialize_weights("glorot", np.random.default_rng(0), INPUTS, UNITS)
    assert np.abs(weights).max() <= np.sqrt(6 / (INPUTS + UNITS))


def test_unknown_name():
    with pytest.raises(ValueError, match=r"initialization must be one of .* got 'xavier'"):
        initialize_weights("xavier", np.random.default_rng(0), 2, 2)
