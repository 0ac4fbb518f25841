"""Boltzmann machines small enough to enumerate: exact distributions in float64."""

from __future__ import annotations

import itertools

import numpy as np


def binary_states(units):
    """All states of binary units, (2**units, units)."""
    return np.array(list(itertools.product([0.0, 1.0], repeat=units))).reshape(-1, units)


def softmax_states(groups, size):
    """All states of groups of which one unit is 1, (size**groups, groups * size)."""
    eye = np.eye(size)
    codes = itertools.product(range(size), repeat=groups)
    return np.array([eye[list(code)].ravel() for code in codes])


def visible_states(rbm):
    """All visible states of a machine with discrete visible units."""
    if rbm.visible_type == "softmax":
        return softmax_states(rbm.visible_units // rbm.group_size, rbm.group_size)
    if rbm.visible_type == "labelled":
        bits = binary_states(rbm.visible_units - rbm.group_size)
        return np.array([[*row, *label] for row in bits for label in np.eye(rbm.group_size)])
    return binary_states(rbm.visible_units)


def energies(rbm, v, h):
    """E(v, h) of each pair, (rows of v, rows of h), as ictus/kernels/rbm.py defines it."""
    w = rbm.weights.astype(np.float64)
    b, c = rbm.visible_bias.astype(np.float64), rbm.hidden_bias.astype(np.float64)
    if rbm.visible_type == "gaussian":
        s2 = np.ones_like(b) if rbm.variance is None else rbm.variance.astype(np.float64)
        visible = (np.square(v - b) / (2 * s2)).sum(axis=1)
        v = v / s2
    else:
        visible = -(v @ b)
    out = visible[:, None] - (h @ c)[None, :] - v @ w @ h.T
    return out + np.square(h).sum(axis=1) / 2 if rbm.hidden_type == "gaussian" else out


def visible_distribution(rbm, inverse_temperature=1.0):
    """All visible states of a machine with binary hidden units, and their probabilities."""
    v, h = visible_states(rbm), binary_states(rbm.hidden_units)
    log_p = np.logaddexp.reduce(-inverse_temperature * energies(rbm, v, h), axis=1)
    p = np.exp(log_p - log_p.max())
    return v, p / p.sum()


def divergence(p, q):
    """Kullback-Leibler divergence of q from p, in nats."""
    on = p > 0
    return float((p[on] * np.log(p[on] / q[on])).sum())
