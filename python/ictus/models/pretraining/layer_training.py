"""How one hidden layer of a network is trained on its own: the methods of greedy pre-training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.kernels.noise import check_level
from ictus.models.boltzmann.divergence import DivergenceTrainer
from ictus.models.boltzmann.rbm import RBM
from ictus.models.examples import ROWS_AT_ONCE
from ictus.nn import Activation, Dense, Layer, Network, Noise, TiedDense
from ictus.optim import Adam
from ictus.train import History, Trainer

Array = NDArray[Any]

#: The hidden units of a Boltzmann machine that stand for a layer of each activation.
HIDDEN_UNITS = {
    "sigmoid": "bernoulli",
    "relu": "rectified",
    "softplus": "rectified",
    "identity": "gaussian",
}


@dataclass
class LayerSettings:
    """How a layer is trained; see :func:`ictus.models.pretrain`."""

    epochs: int
    learning_rate: float | None
    l2: float
    corruption: str | None
    corruption_level: float
    tied: bool
    batch_size: int
    seed: int

    def check(self, method: str, activation: str) -> None:
        """Raise ValueError for what cannot be trained."""
        if int(self.epochs) != self.epochs or self.epochs < 0:
            raise ValueError(f"pretrain: epochs must be non-negative integers, got {self.epochs!r}")
        if self.learning_rate is not None and not 0 < self.learning_rate < np.inf:
            raise ValueError(
                f"pretrain: learning_rate must be positive, got {self.learning_rate!r}"
            )
        if not 0 <= self.l2 < np.inf:
            raise ValueError(f"pretrain: l2 must not be negative, got {self.l2!r}")
        if self.corruption is not None:
            check_level("pretrain", self.corruption, self.corruption_level)
        if method == "rbm" and activation not in HIDDEN_UNITS:
            raise ValueError(
                "pretrain: method rbm has no hidden units for the activation "
                f"{activation!r}; it has for {', '.join(HIDDEN_UNITS)}"
            )


@dataclass
class LayerData:
    """Inputs of the layer, targets of the network, the checkpoint and what it must belong to."""

    x: Array
    y: Array | None
    checkpoint: Path | None
    digest: str

    def train(self, trainer: Any, *examples: Array) -> History:
        """Train from where the layer's checkpoint stands, if it belongs to this data."""
        trainer.data_digest = self.digest
        trainer.resume()
        history: History = trainer.fit(*examples)
        return history


@dataclass
class TrainedLayer:
    """Weights, bias and decoder of a layer that was trained on its own."""

    weights: Array
    bias: Array
    decoder_weights: Array | None
    decoder_bias: Array | None
    history: History


def in_unit_interval(x: Array) -> bool:
    """Whether all values are in [0, 1]."""
    parts = (x[first : first + ROWS_AT_ONCE] for first in range(0, len(x), ROWS_AT_ONCE))
    return all(bool(part.min() >= 0 and part.max() <= 1) for part in parts)


def _standardization(x: Array) -> tuple[Array, Array]:
    """Mean and deviation of the columns; the deviation of a constant column is 1."""
    mean, deviation = x.mean(axis=0, dtype=np.float64), x.std(axis=0, dtype=np.float64)
    return mean, np.where(deviation <= 1e-6 * np.maximum(np.abs(mean), 1e-6), 1.0, deviation)


def _machine_rate(rbm: RBM) -> float:
    if rbm.hidden_type == "gaussian":
        return 0.001
    return 0.01 if "gaussian" in rbm.visible_type or rbm.hidden_type == "rectified" else 0.1


def train_machine(
    network: Network,
    number: int,
    activation: str,
    data: LayerData,
    settings: LayerSettings,
    progress: bool | None,
) -> TrainedLayer:
    """Train a restricted Boltzmann machine by CD-1 (Hinton & Salakhutdinov 2006)."""
    x, bernoulli = data.x, in_unit_interval(data.x)
    mean, deviation = np.zeros(x.shape[1]), np.ones(x.shape[1])
    if not bernoulli:
        mean, deviation = _standardization(x)
        if settings.tied:  # the decoder has the same weights: no scale can be undone
            deviation = np.ones(x.shape[1])
        x = ((x - mean) / deviation).astype(network.dtype)
    rbm = RBM(
        x.shape[1],
        network.layers[number].output_size,
        visible_type="bernoulli" if bernoulli else "gaussian",
        hidden_type=HIDDEN_UNITS[activation],
        dtype=network.dtype,
        seed=settings.seed,
    ).to(network.device)
    rate = settings.learning_rate
    trainer = DivergenceTrainer(
        rbm,
        learning_rate=_machine_rate(rbm) if rate is None else rate,
        l2=settings.l2,
        batch_size=settings.batch_size,
        epochs=settings.epochs,
        seed=settings.seed,
        checkpoint=data.checkpoint,
        progress=progress,
    )
    history = data.train(trainer, x)
    rbm.to("cpu")
    weights = rbm.weights / deviation[:, None]
    return TrainedLayer(
        weights,
        rbm.hidden_bias - mean @ weights,
        rbm.weights.T * deviation,
        rbm.visible_bias * deviation + mean,
        history,
    )


def train_network(
    network: Network,
    x: Array,
    y: Array,
    data: LayerData,
    settings: LayerSettings,
    progress: Any,
    device: str,
) -> History:
    """Train a small network around the layer by Adam on a device, and return the history.

    The network is on the host afterwards.
    """
    rate = 0.001 if settings.learning_rate is None else settings.learning_rate
    trainer = Trainer(
        network.to(device),
        Adam(rate, l2=settings.l2),
        batch_size=settings.batch_size,
        epochs=settings.epochs,
        seed=settings.seed,
        checkpoint=data.checkpoint,
        progress=progress,
    )
    history = data.train(trainer, x, y)
    network.to("cpu")
    return history


def train_autoencoder(
    network: Network,
    number: int,
    activation: str,
    data: LayerData,
    settings: LayerSettings,
    progress: bool | None,
) -> TrainedLayer:
    """Train an autoencoder of one hidden layer (Bengio et al. 2007), denoising with corruption.

    Cross-entropy where the layer's inputs are in [0, 1], else the squared error.
    """
    x, layer = data.x, network.layers[number]
    assert isinstance(layer, Dense)
    hidden = Dense(layer.units, activation, initialization=layer.initialization, scale=layer.scale)
    below: list[Layer] = []
    if settings.corruption is not None and settings.corruption_level:
        below = [Noise(settings.corruption, settings.corruption_level)]
    output = TiedDense(len(below)) if settings.tied else Dense(x.shape[1])
    small = Network(
        x.shape[1],
        [*below, hidden, output],
        "binary_cross_entropy" if in_unit_interval(x) else "squared_error",
        dtype=network.dtype,
        seed=settings.seed,
    )
    history = train_network(small, x, x, data, settings, progress, network.device)
    views = small.views(small.parameters)
    weights, bias = views[len(below)]
    back = views[-1]
    decoder = (weights.T, back[0]) if settings.tied else (back[0], back[1])
    return TrainedLayer(weights, bias, *decoder, history)


def train_supervised(
    network: Network,
    number: int,
    activation: str,
    data: LayerData,
    settings: LayerSettings,
    progress: bool | None,
) -> TrainedLayer:
    """Train the layer under a temporary output layer (Bengio et al. 2007, section 4)."""
    layer = network.layers[number]
    assert isinstance(layer, Dense) and data.y is not None
    hidden: list[Layer] = [
        Dense(
            layer.units,
            layer.activation,
            dropout=layer.dropout,
            initialization=layer.initialization,
            scale=layer.scale,
            bias=layer.bias,
        )
    ]
    if activation != layer.activation:
        hidden.append(Activation(activation))
    small = Network(
        data.x.shape[1],
        [*hidden, Dense(network.output_size, initialization="glorot")],
        network.loss_name,
        dtype=network.dtype,
        seed=settings.seed,
    )
    history = train_network(small, data.x, data.y, data, settings, progress, network.device)
    weights, bias = small.views(small.parameters)[0]
    return TrainedLayer(weights, bias, None, None, history)


#: The methods of pre-training by name.
TRAIN_LAYER: dict[str, Callable[..., TrainedLayer]] = {
    "rbm": train_machine,
    "autoencoder": train_autoencoder,
    "supervised": train_supervised,
}
METHODS = tuple(TRAIN_LAYER)
