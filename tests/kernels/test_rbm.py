"""Restricted Boltzmann machines: layers, free energy, contrastive divergence, at every level."""

from __future__ import annotations

import numpy as np

from ictus import kernels
from tests import reference


def test_mean_of_a_bernoulli_layer(each_level: str) -> None:
    generator = np.random.default_rng(0)
    weights = generator.standard_normal((7, 5))
    model = kernels.rbm_model(weights, np.zeros(7), np.ones(5))
    visible = (generator.random((3, 7)) < 0.5).astype(float)
    mean = np.empty((3, 5))
    kernels.hidden_layer(model, visible, mean=mean)
    np.testing.assert_allclose(mean, reference.sigmoid(visible @ weights + 1), rtol=1e-14)
