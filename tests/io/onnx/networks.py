"""Random networks of all kinds of layers, with weights and running statistics of all sizes."""

from __future__ import annotations

import numpy as np

from ictus.io.onnx.export import encode
from ictus.nn import (
    GRU,
    LSTM,
    Activation,
    Affine,
    AveragePool,
    BatchNorm,
    Conv1D,
    Conv2D,
    ConvTranspose2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    LayerNorm,
    LocalResponseNorm,
    MaxPool,
    MeanCovariance,
    Network,
    Noise,
    Recurrent,
    SequenceNetwork,
    SpatialDropout,
    Standardize,
    Subsampling,
    TiedDense,
    Upsample,
)

FUNCTIONS = ["identity", "sigmoid", "tanh", "relu", "softplus"]
LOSSES = ["softmax_cross_entropy", "binary_cross_entropy", "squared_error"]


class Maker:
    """Draws layers."""

    def __init__(self, seed):
        self.generator = np.random.default_rng(seed)

    def one(self, choices):
        return choices[self.generator.integers(len(choices))]

    def number(self, low, high):
        return int(self.generator.integers(low, high + 1))

    def function(self):
        return self.one(FUNCTIONS)

    def vectors(self, count):
        layers = []
        for _ in range(count):
            layers += self.one(
                [
                    lambda: [Dense(self.number(1, 9), self.function(), dropout=0.3)],
                    lambda: [Dense(self.number(2, 9)), BatchNorm(self.function(), epsilon=1e-3)],
                    lambda: [Dropout(0.2)],
                    lambda: [Noise("gaussian", 0.2)],
                    lambda: [Affine()],
                    lambda: [LayerNorm()],
                    lambda: [MeanCovariance(4, self.number(0, 2))],
                    lambda: [Activation(self.function())],
                    lambda: [LocalResponseNorm(self.one([1, 3, 5]), alpha=0.3)],
                ]
            )()
        return layers

    def padding(self, axes, window):
        kind = self.number(0, 2)
        if kind == 0:
            return self.one(["valid", "same"])
        if kind == 1:
            return self.number(0, window - 1)
        pairs = [(self.number(0, window - 1), self.number(0, window - 1)) for _ in range(axes)]
        return pairs[0] if axes == 1 else tuple(pairs)

    def window(self, axes):
        window = self.number(1, 3)
        return {
            "stride": self.number(1, 2),
            "padding": self.padding(axes, window),
            "dilation": self.number(1, 2),
        }, window

    def images(self, axes, count):
        layers = []
        conv = Conv1D if axes == 1 else Conv2D
        for _ in range(count):
            options, window = self.window(axes)
            kind = self.number(0, 9 if axes == 2 else 7)
            if kind <= 2:
                options["groups"] = 1
                layers.append(conv(2 * self.number(1, 3), window, self.function(), **options))
            elif kind == 3:
                layers += [conv(2, 2, padding="same", pool=2 if axes == 1 else (2, 1)),
                           conv(4, 1, groups=2)]  # fmt: skip
            elif kind == 4:
                layers.append(self.one([MaxPool, AveragePool])(window, **options))
            elif kind == 5:
                layers += [BatchNorm(self.function()), SpatialDropout(0.3)]
            elif kind == 6:
                layers += [LocalResponseNorm(3, alpha=0.5), LayerNorm(), Affine()]
            elif kind == 7:
                layers.append(Subsampling(window, self.function(), **options))
            elif kind == 8:
                layers.append(ConvTranspose2D(3, window, self.function(), **options))
            else:
                layers.append(Upsample((2, 1)))
        return layers

    def recurrent(self, skip=True, output="steps"):
        shared = {"directions": self.number(1, 2), "output": output}
        if skip and output == "steps" and self.number(0, 4) == 0:
            shared["skip"] = True
        units = self.number(1, 6)
        return self.one(
            [
                lambda: LSTM(units, **shared),
                lambda: LSTM(units, peepholes=True, **shared),
                lambda: LSTM(units, forget_gate=False, peepholes=True, **shared),
                lambda: GRU(units, **shared),
                lambda: Recurrent(units, self.one(["tanh", "relu"]), **shared),
            ]
        )()


def random_layers(maker, kind):
    """Input size and layers of a kind of network."""
    m, outputs = maker, maker.number(1, 4)
    if kind == "vectors":
        return m.number(1, 12), [*m.vectors(m.number(0, 4)), Dense(outputs)]
    if kind == "tied":
        inputs = m.number(2, 8)
        return inputs, [
            Dense(5, "tanh"),
            Dense(3, m.function()),
            TiedDense(1, "relu"),
            TiedDense(0),
        ]
    if kind in ("sequences", "symbols"):
        first = [Embedding(m.number(1, 5))] if kind == "symbols" else []
        layers = [m.recurrent() for _ in range(m.number(1, 2))]
        if m.number(0, 1):
            layers.insert(m.number(0, len(layers)), m.one([Affine(), Dense(4, "tanh"), LayerNorm(),
                                                           BatchNorm("tanh"),
                                                           LocalResponseNorm(3)]))  # fmt: skip
        if m.number(0, 2) == 0:
            layers.append(m.recurrent(output="last"))
        return m.number(2, 7), [*first, *layers, Dense(outputs)]
    axes = 1 if kind == "time" else 2
    shape = (*(m.number(9, 14) for _ in range(axes)), 2 * m.number(1, 2))
    first = m.one([[], [], [Standardize()], [Affine(), Activation("tanh")], [LayerNorm()]])
    layers = [*first, *m.images(axes, m.number(1, 3))]
    end = m.number(0, 3)
    if end == 0:  # an output at each place
        return shape, [*layers, (Conv1D if axes == 1 else Conv2D)(outputs, 1)]
    if end == 1:
        layers.append(m.one([MaxPool(None), AveragePool(None)]))
        fixed = isinstance(layers[0], Standardize)
        shape = (None, *(n if fixed else None for n in shape[1:-1]), shape[-1])
    return shape, [*layers, Flatten(), *m.vectors(m.number(0, 2)), Dense(outputs)]


KINDS = ["vectors", "tied", "images", "time", "images", "sequences", "symbols", "sequences"]


def random_network(seed):
    """A random network: its kind goes round with the seed. Draws again where layers do not fit."""
    maker = Maker(seed)
    kind = KINDS[seed % len(KINDS)]
    while True:
        shape, layers = random_layers(maker, kind)
        of = SequenceNetwork if kind in ("sequences", "symbols") else Network
        try:
            network = of(shape, layers, maker.one(LOSSES), seed=seed)
            network.parameters += 0.2 * maker.generator.standard_normal(network.parameter_count)
            for one, views in zip(network.layers, network.layer_views, strict=True):
                if isinstance(one, Standardize):
                    views[0][...] = maker.generator.normal(size=views[0].shape)
                    views[1][...] = maker.generator.uniform(0.5, 2, views[1].shape)
                if isinstance(one, BatchNorm):
                    views[2][...] = maker.generator.normal(size=views[2].shape)
                    views[3][...] = maker.generator.uniform(0.5, 2, views[3].shape)
            network.predict(random_input(network, seed))
            encode(network)  # refused: padding by a size that is not known, with dilation
            return network
        except ValueError:
            continue


def random_input(network, seed, rows=3):
    """Examples for a network, as many steps in each sequence."""
    generator = np.random.default_rng(seed + 1)
    if isinstance(network, SequenceNetwork):
        steps = int(generator.integers(1, 12))
        if network.symbols:
            return generator.integers(0, network.input_size, (rows, steps))
        shape = (rows, steps, network.input_size)
    else:
        shape = (rows, *(n or int(generator.integers(9, 14)) for n in network.input_shape))
    return generator.normal(size=shape).astype(np.float32)
