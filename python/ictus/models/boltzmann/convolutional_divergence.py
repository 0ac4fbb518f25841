"""Contrastive divergence of the convolutional RBM: its update, and its trainer."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.kernels import column_sums, convolution_weights_gradient
from ictus.kernels._device import empty, zeros
from ictus.models.boltzmann.convolutional_machine import ConvolutionalMachine
from ictus.models.boltzmann.divergence import DivergenceTrainer

Array = NDArray[Any]


class ConvolutionalDivergence:
    """Updates of a convolutional machine by CD-k (Hinton 2002) or PCD (Tieleman 2008).

    The gradient of the log-likelihood sums over all places of a filter; here it is their mean, and
    the mean over pixels for the visible biases, so that a learning rate does not depend on the
    size of the images.

    Parameters
    ----------
    machine : ConvolutionalMachine
    velocity : array, shape (parameter_count,)
        The last update.
    particles : array, shape (particles, *hidden_shape), optional
        Detection maps of persistent chains.
    activity : array, shape (filters,)
        The decayed mean of each filter's activity.
    """

    def __init__(
        self,
        machine: ConvolutionalMachine,
        velocity: Array,
        particles: Array | None,
        activity: Array,
    ) -> None:
        self.machine, self.particles, self.activity = machine, particles, activity
        self._velocity = machine.views(velocity)
        self._gradient = machine.views(np.empty_like(machine.parameters))
        self._chain_room: tuple[Array, Array] | None = None
        self._rooms: dict[int, tuple[Array, Array, Array, Array]] = {}

    def _room(self, rows: int) -> tuple[Array, Array, Array, Array]:
        """Detection means and samples, images, and detection means at the chains' end."""
        if rows not in self._rooms:
            machine = self.machine
            maps, images = (rows, *machine.hidden_shape), (rows, *machine.image_shape)
            if len(self._rooms) > 1:  # the last minibatch of an epoch may be smaller
                self._rooms.clear()
            self._rooms[rows] = (
                empty(machine.weights, maps),
                empty(machine.weights, maps),
                empty(machine.weights, images),
                empty(machine.weights, maps),
            )
        return self._rooms[rows]

    def update(
        self,
        v: Array,
        *,
        steps: int,
        weight_rate: float,
        bias_rate: float,
        momentum: float,
        l1: float,
        l2: float,
        sparsity_target: float,
        sparsity_cost: float,
        sparsity_decay: float,
        seed: int,
        stream: int,
    ) -> None:
        """Make one update from a minibatch of images (rows, height, width, channels).

        Draws from the streams ``stream`` to ``stream + 2 * steps``; the seed is the machine's.
        """
        machine = self.machine
        mean, sample, image, last = self._room(len(v))
        first = {} if self.particles is not None else {"sample": sample, "stream": stream}
        machine.pool(machine.hidden_inputs(v, mean), mean, **first)
        if self.particles is not None:
            sample, image, last = self._persistent_room()
        for step in range(steps):
            machine.visible_mean(sample, image)
            machine.draw_visible(image, image, stream + 2 * step + 1)
            drawn = {"sample": sample, "stream": stream + 2 * step + 2}
            wanted = step + 1 < steps or self.particles is not None
            machine.pool(machine.hidden_inputs(image, last), last, **(drawn if wanted else {}))
        self._gradients(v, mean, image, last)
        self._draw_to_target(mean, sparsity_target, sparsity_cost, sparsity_decay)
        self._move(weight_rate, bias_rate, momentum, l1, l2)

    def _persistent_room(self) -> tuple[Array, Array, Array]:
        assert self.particles is not None
        count = len(self.particles)
        if self._chain_room is None:
            machine = self.machine
            image = empty(machine.weights, (count, *machine.image_shape))
            self._chain_room = image, np.empty_like(self.particles)
        return self.particles, *self._chain_room

    def _gradients(self, v: Array, mean: Array, image: Array, last: Array) -> None:
        """Means over images and places of the data's statistics less the chains'."""
        machine, gradient = self.machine, self._gradient
        places = machine.hidden_units // machine.filters
        data, chains = 1 / (len(v) * places), 1 / (len(image) * places)
        padding = machine.zeros_before
        # The scale of the chains is put into their maps: the two products share one sum.
        positive = _sums(mean, machine.filters) * data
        negative = _sums(last, machine.filters) * chains
        last *= -chains / data
        weights = gradient["weights"]
        convolution_weights_gradient(image, last, weights, padding=padding)
        convolution_weights_gradient(v, mean, weights, padding=padding, beta=1.0)
        weights *= data
        gradient["hidden_bias"][...] = positive - negative
        channels = machine.image_shape[2]
        pixels = machine.visible_units // channels
        gradient["visible_bias"][...] = (
            _sums(v, channels) / len(v) - _sums(image, channels) / len(image)
        ) / pixels

    def _draw_to_target(self, mean: Array, target: float, cost: float, decay: float) -> None:
        """Draw the hidden biases to where filters have the target's activity (Lee et al. 2009)."""
        if cost == 0:
            return
        machine = self.machine
        now = _sums(mean, machine.filters) / (len(mean) * machine.hidden_units / machine.filters)
        self.activity[...] = decay * self.activity + (1 - decay) * now
        self._gradient["hidden_bias"] += cost * (target - self.activity)

    def _move(
        self, weight_rate: float, bias_rate: float, momentum: float, l1: float, l2: float
    ) -> None:
        machine, gradient = self.machine, self._gradient
        w = machine.weights
        if l1 or l2:
            gradient["weights"] -= l2 * w + l1 * np.sign(w)
        rates = {"weights": weight_rate, "visible_bias": bias_rate, "hidden_bias": bias_rate}
        for name, rate in rates.items():
            velocity = self._velocity[name]
            velocity *= momentum
            velocity += rate * gradient[name]
            getattr(machine, name)[...] += velocity


def _sums(x: Array, last: int) -> Array:
    """Sums over all axes but the last, of that size, in float64."""
    rows = x.reshape(len(x), -1)
    if last >= 16:
        return column_sums(x.reshape(-1, last)).astype(np.float64)
    # Few columns would leave most lanes of a vector empty.
    sums: Array = column_sums(rows).astype(np.float64).reshape(-1, last).sum(axis=0)
    return sums


class ConvolutionalTrainer(DivergenceTrainer):
    """Trains a convolutional machine by CD-k or PCD; see :class:`DivergenceTrainer`.

    Parameters
    ----------
    machine : ConvolutionalMachine
    **options
        Those of :class:`DivergenceTrainer`, but for fast weights and learned variances. The
        learning rate is that of means over places (:class:`ConvolutionalDivergence`); the sparsity
        target is the share of the detection units of a filter that are on, at most one over the
        units of a block, and moves the hidden biases alone.
    """

    def __init__(self, machine: ConvolutionalMachine, **options: Any) -> None:
        for name in ("fast_weights", "variance_learning_rate"):
            if options.get(name):
                raise ValueError(f"{name} is not for convolutional machines")
        rbm: Any = machine
        super().__init__(rbm, **options)
        self.activity = zeros(machine.weights, (machine.filters,)) + self.sparsity_target
        if self.particles is not None:
            self.particles = self.particles.reshape(-1, *machine.hidden_shape)

    def _start(self, source: Any) -> None:
        if self.sparsity_cost > 0:
            # With weights near 0 the detection units are on with the target's probability.
            machine: Any = self.rbm
            units = min(np.prod(machine.block), machine.hidden_units // machine.filters)
            share = min(self.sparsity_target, 0.5 / units)
            machine.hidden_bias[...] = np.log(share / (1 - share * units))
        super()._start(source)

    def _make_updates(self) -> Any:
        machine: Any = self.rbm
        return ConvolutionalDivergence(machine, self.velocity, self.particles, self.activity)
