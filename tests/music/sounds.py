"""Recordings and networks small enough for tests: clicks, and a detector of clicks."""

from __future__ import annotations

import numpy as np

from ictus.nn import LSTM, Bidirectional, Dense, SequenceNetwork


def clicks(seconds=8.0, period=0.5, first=0.2, rate=44_100, seed=0):
    """A quiet noise with short bursts; and the times at which they begin."""
    rng = np.random.default_rng(seed)
    signal = 1e-4 * rng.standard_normal(int(seconds * rate))
    times = np.arange(first, seconds - 0.1, period)
    for time in times:
        start = round(time * rate)
        burst = rng.standard_normal(800) * np.exp(-np.arange(800) / 150)
        signal[start : start + 800] += 0.2 * burst
    return signal.astype(np.float32), times


def detector(inputs=266, outputs=1):
    """A network that reacts to any increase: it is not trained, but given its weights."""
    loss = "binary_cross_entropy" if outputs == 1 else "softmax_cross_entropy"
    network = SequenceNetwork(inputs, [Dense(outputs)], loss)
    weights, bias = network.views(network.parameters)[0]
    weights[...], bias[...] = 0, 0
    bands = {266: (39, 45, 49), 162: (81,), 314: (20, 45, 92)}[inputs]
    column = 0
    for count in bands:
        weights[column + count : column + 2 * count, -1] = 12.0 / sum(bands)
        column += 2 * count
    bias[-1] = -4.0
    return network


def recurrent(inputs=266, directions=2, seed=0):
    """A recurrent network with random weights."""
    layer = LSTM(6, peepholes=True)
    layers = [Bidirectional(layer) if directions == 2 else layer, Dense(1)]
    return SequenceNetwork(inputs, layers, "binary_cross_entropy", seed=seed)
