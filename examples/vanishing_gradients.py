"""How gradients fade over time in recurrent networks (Hochreiter 1991; Bengio et al. 1994).

Draws docs/results/hochreiter_1997.png: the length of the gradient of the last output with respect
to each earlier input, for the tanh network, and for LSTM with and without a bias of the forget
gates, and without forget gates.

    python examples/vanishing_gradients.py
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

import ictus
from ictus.nn.sequences import SequenceCache

Array = NDArray[Any]
STEPS, INPUTS, UNITS, NETWORKS = 200, 8, 32, 20
LAYERS = {
    "tanh network": lambda: ictus.Recurrent(UNITS, output="last", scale=0.9),
    "LSTM, forget bias 0": lambda: ictus.LSTM(UNITS, output="last", forget_bias=0.0),
    "LSTM, forget bias 1": lambda: ictus.LSTM(UNITS, output="last", forget_bias=1.0),
    "LSTM, forget bias 5": lambda: ictus.LSTM(UNITS, output="last", forget_bias=5.0),
    "LSTM of 1997 (no forget gates)": lambda: ictus.LSTM(UNITS, output="last", forget_gate=False),
}


def input_gradients(layer: ictus.Recurrent | ictus.LSTM, seed: int) -> Array:
    """Length of d(direction . last output) / dx_t for each lag from 0 on, direction random."""
    network = ictus.SequenceNetwork(INPUTS, [layer], "squared_error", dtype=np.float64, seed=seed)
    generator = np.random.default_rng(seed)
    batch = network.check_input([generator.standard_normal((STEPS, INPUTS))])
    cache = SequenceCache(network.dtype)
    cache.sequences = batch.sequences
    cache.fit(STEPS, INPUTS, 1, UNITS)
    views, gradients = (network.views(v)[0] for v in (network.parameters, network.gradient))
    layer.forward(batch.frames, views, cache, None)
    direction = generator.standard_normal((1, UNITS))
    back = layer.backward(direction, views, cache, gradients, False, True)
    assert back is not None
    return np.linalg.norm(back, axis=1)[::-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    default = Path(__file__).resolve().parents[1] / "docs" / "results"
    parser.add_argument("--output", type=Path, default=default, help="folder of the picture")
    folder = parser.parse_args().output
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for name, make in LAYERS.items():
        lengths = np.array([input_gradients(make(), seed) for seed in range(NETWORKS)])
        curve = np.median(lengths / lengths[:, :1], axis=0)
        axes.semilogy(curve, label=name)
        print(f"{name:32} lag 10: {curve[10]:.2g}  lag 100: {curve[100]:.2g}")
    axes.set(
        xlabel="time lag (steps)",
        ylabel="length of the gradient, lag 0 = 1",
        ylim=(1e-16, 10),
        xlim=(0, STEPS),
    )
    axes.legend(fontsize=8)
    axes.grid(alpha=0.3)
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / "hochreiter_1997.png", dpi=110)


if __name__ == "__main__":
    main()
