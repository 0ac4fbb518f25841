"""The deep belief net: directed layers below an associative memory."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ictus.kernels import log_softmax
from ictus.kernels._device import empty, to_device, to_host
from ictus.kernels.rbm import RbmModel, label_energies, visible_layer
from ictus.models.boltzmann import gibbs
from ictus.models.boltzmann.gibbs import Chains, check_steps
from ictus.models.boltzmann.machine import (
    Machine,
    answers_where_asked,
    as_matrix_on,
    fill,
)
from ictus.models.boltzmann.rbm import RBM
from ictus.models.deep_belief.deep_chains import DeepChains
from ictus.models.deep_belief.deep_layers import Part, Pattern, check_chain

Array = NDArray[Any]

#: Bias of a label unit that is clamped on, and minus that of the others of its group.
CLAMPED = 1e4
_KEPT = ("visible_units", "hidden_units", "visible_type", "hidden_type", "group_size")


class DeepBeliefMachine(Machine):
    """A deep belief net (Hinton, Osindero & Teh 2006): directed layers, and an RBM at the top.

    ``p(v, h1, .., hn) = p(v | h1) .. p(h(n-2) | h(n-1)) p(h(n-1), hn)``, where the last factor is
    the machine at the top. The layers below have generative weights, downwards, and recognition
    weights, upwards, by which the layers are inferred one after the other. They are the same
    (*tied*) as layer-wise training leaves them; :meth:`untied` gives a net where each can learn on
    its own. Where the machine at the top has labelled visible units, the net models labels, too.

    Parameters
    ----------
    layers : sequence of mappings
        Of each layer, from the data upwards, arguments of :class:`RBM`: ``visible_units``,
        ``hidden_units``, ``visible_type``, ``hidden_type``, ``group_size``, ``learn_variance``.
        The last is the machine at the top. Hidden units of one must be visible ones of the next:
        Bernoulli units are seen as Bernoulli, others as Gaussian.
    tied : bool
    dtype : float32 or float64
    seed : int
        Of the initial weights, N(0, 0.01^2), and of every draw.
    parameters : array, shape (parameter_count,), optional
        Taken (copied) instead of initial ones.

    Attributes
    ----------
    parameters : array, shape (parameter_count,)
        All parameters: of the recognition layers upwards, where they are not tied of the
        generative ones upwards, of the top. Assign to its elements.
    recognition, generative : list of RBM
        The layers below the top, from the data upwards; tied, the same ones.
    top : RBM
    labels : int
        Number of label units.
    top_units : int
        Visible units of the top but for the labels.

    Raises
    ------
    ValueError
        Layers that do not chain.

    Examples
    --------
    >>> machine = DeepBeliefMachine.from_machines([RBM(784, 500), RBM(500, 2000)])
    >>> machine.sample(3, steps=10).shape
    (3, 784)
    """

    def __init__(
        self,
        layers: Sequence[Mapping[str, Any]],
        *,
        tied: bool = True,
        dtype: DTypeLike = "float32",
        seed: int = 0,
        parameters: Array | None = None,
    ) -> None:
        self.layers = [dict(layer) for layer in layers]
        self.tied = bool(tied)
        patterns = [Pattern(**layer, dtype=dtype) for layer in self.layers]
        check_chain(patterns)
        self._shapes = [pattern.shapes() for pattern in patterns]
        super().__init__(dtype, seed, parameters)
        memory = iter(self.split(self.parameters))
        below = self.layers[:-1]
        self.recognition: list[RBM] = [Part(self, next(memory), layer) for layer in below]
        self.generative: list[RBM] = self.recognition
        if not self.tied:
            self.generative = [Part(self, next(memory), layer) for layer in below]
        self.top: RBM = Part(self, next(memory), self.layers[-1])
        self.labels = self.top.group_size if self.top.visible_type == "labelled" else 0
        self.top_units = self.top.visible_units - self.labels
        first = self.parts[0]
        self.visible_units = first.visible_units if below else self.top_units
        self.visible_type = "bernoulli" if first.visible_type == "labelled" else first.visible_type
        self.group_size = first.group_size if self.visible_type == "softmax" else 1
        self.hidden_units = self.top.hidden_units
        if parameters is None:
            self.initialize()

    @classmethod
    def from_machines(cls, machines: Sequence[RBM], seed: int | None = None) -> DeepBeliefMachine:
        """Make a net with tied weights from a stack of machines, whose parameters it copies.

        Parameters
        ----------
        machines : sequence of RBM
            From the data upwards, all of one dtype.
        seed : int, optional
            Of the draws; that of the first machine if not given.
        """
        if not machines:
            raise ValueError("machines must not be empty")
        layers = [
            {name: getattr(rbm, name) for name in (*_KEPT, "learn_variance")} for rbm in machines
        ]
        if len({rbm.dtype for rbm in machines}) > 1:
            raise ValueError("machines must have one dtype in common")
        return cls(
            layers,
            dtype=machines[0].dtype,
            seed=machines[0].seed if seed is None else seed,
            parameters=np.concatenate([to_host(rbm.parameters) for rbm in machines]),
        ).to(machines[0].device)

    def untied(self) -> DeepBeliefMachine:
        """Return a copy whose generative weights are no longer the recognition weights."""
        tops = self.top.parameter_count
        parameters = to_host(self.parameters)
        if self.tied:
            below, top = parameters[:-tops], parameters[-tops:]
            parameters = np.concatenate([below, below, top])
        machine = type(self)(**self.config() | {"tied": False}, parameters=parameters)
        machine.draw_count = self.draw_count
        return machine.to(self.device)

    # --- parameters ---------------------------------------------------------------------------

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return names and shapes of the parameters, in the order of the flat vector."""
        return {f"{name}.{key}": shape for name, key, shape in self._named_shapes()}

    def _named_shapes(self) -> list[tuple[str, str, tuple[int, ...]]]:
        *below, top = self._shapes
        names = [f"layer{i}" for i in range(len(below))]
        named = list(zip(names, below, strict=True))
        if not self.tied:
            directions = ("recognition", "generative")
            named = [(f"{way}{i}", s) for way in directions for i, s in enumerate(below)]
        named.append(("top", top))
        return [(name, key, shape) for name, shapes in named for key, shape in shapes.items()]

    def split(self, flat: Array) -> list[Array]:
        """Return the part of a flat vector that belongs to each of :attr:`parts`, as views."""
        sizes: dict[str, int] = {}
        for name, _, shape in self._named_shapes():
            sizes[name] = sizes.get(name, 0) + math.prod(shape)
        return np.split(flat, np.cumsum(list(sizes.values()))[:-1].tolist())

    @property
    def parts(self) -> list[RBM]:
        """Recognition layers, generative ones where they are not tied, and the top."""
        generative = [] if self.tied else self.generative
        return [*self.recognition, *generative, self.top]

    def _set_views(self) -> None:
        for part, memory in zip(self.parts, self.split(self.parameters), strict=True):
            part._place(memory)

    def initialize(self, seed: int | None = None) -> None:
        """Draw weights from N(0, 0.01^2), set the rest to 0, and start the draws anew."""
        if seed is not None:
            self.seed = int(seed)
        self.draw_count = 0
        self.parameters[...] = 0
        for number, part in enumerate(self.parts):
            generator = np.random.Generator(np.random.PCG64([self.seed, number]))
            fill(part.weights, generator.normal(0.0, 0.01, part.weights.shape))
        if not self.tied:
            for up, down in zip(self.recognition, self.generative, strict=True):
                down.parameters[...] = up.parameters

    # --- what gibbs.py needs to know ----------------------------------------------------------

    @property
    def native(self) -> RbmModel:
        """The lowest generative layer, as the kernels take it."""
        return (self.generative[0] if self.generative else self.top).native

    @property
    def variance(self) -> Array | None:
        """The variance of each visible unit of the lowest layer; None where it is 1."""
        return (self.generative[0] if self.generative else self.top).variance

    @property
    def visible_bias(self) -> Array:
        """The biases of the visible units that are no labels, from above."""
        bias = (self.generative[0] if self.generative else self.top).visible_bias
        return bias[: self.visible_units]

    # --- layers -------------------------------------------------------------------------------

    def check_visible(self, v: Any) -> Array:
        """Return visible states as a matrix; ValueError for a wrong shape or what is not finite."""
        return self.recognition[0].check_visible(v) if self.recognition else self._matrix(v)

    def _matrix(self, v: Any) -> Array:
        return as_matrix_on(self.device, v, "v", self.visible_units, self.dtype)

    @answers_where_asked
    def upwards(self, v: Any) -> Array:
        """Return the means of the layers' units, upwards to those that the top sees, as states."""
        states = self.check_visible(v)
        for part in self.recognition:
            states = part.mean_hiddens(states)
        return states

    @answers_where_asked
    def mean_hiddens(self, v: Any, layer: int = -1) -> Array:
        """Return the means of a layer's hidden units given visible states, by one upward pass.

        Parameters
        ----------
        v : array, shape (rows, visible_units)
        layer : int
            0: the lowest; -1: the top, whose label units are given their probabilities.

        Returns
        -------
        array, shape (rows, hidden units of the layer)
        """
        count = len(self.recognition) + 1
        if isinstance(layer, bool) or int(layer) != layer or not -count <= layer < count:
            raise ValueError(f"layer must be in {-count} .. {count - 1}, got {layer!r}")
        states = self.check_visible(v)
        for part in self.recognition[: int(layer) % count + 1]:
            states = part.mean_hiddens(states)
        return self._top_means(states) if layer % count == count - 1 else states

    def _top_means(self, states: Array) -> Array:
        if self.labels:
            states = np.concatenate([states, np.exp(self._log_labels(states))], axis=1)
        return self.top.mean_hiddens(states)

    def _downwards(self, states: Array, *, mean: bool, draw: bool) -> Array:
        """Visible states from those of the top; without `draw` by means all the way."""
        for number in reversed(range(len(self.generative))):
            part = self.generative[number]
            wants_mean = not draw or (mean and number == 0)
            out = empty(states, (len(states), part.visible_units), self.dtype)
            which: dict[str, Any] = {"mean" if wants_mean else "sample": out}
            stream = self.next_streams(1)
            visible_layer(part.native, states, seed=self.seed, stream=stream, **which)
            states = out
        return states

    # --- labels -------------------------------------------------------------------------------

    def _log_labels(self, states: Array) -> Array:
        energies = empty(states, (len(states), self.labels), self.dtype)
        label_energies(self.top.native, states, energies)
        return log_softmax(-energies)

    @answers_where_asked
    def log_label_probabilities(self, v: Any) -> Array:
        """Return log p(label | v), (rows, labels): exact given the upward pass of means.

        The free energy of the top is taken for each label in turn, its hidden units summed out
        (Hinton, Osindero & Teh 2006, section 6.2).
        """
        if not self.labels:
            raise ValueError("the machine has no label units: make its top with labelled units")
        return self._log_labels(self.upwards(self.check_visible(v)))

    def _label_bias(self, label: Any, rows: int) -> Array | None:
        """Biases that clamp the label units of each row."""
        if label is None:
            return None
        if not self.labels:
            raise ValueError("label must be None: the machine has no label units")
        label = np.asarray(to_host(label))
        if label.shape not in ((), (rows,)) or label.dtype.kind not in "iu":
            raise ValueError(f"label must be an integer, or {rows} of them, got {label!r}")
        if label.size and not (label.min() >= 0 and label.max() < self.labels):
            raise ValueError(f"label must be in 0 .. {self.labels - 1}, got {label.max()}")
        on = np.broadcast_to(label, (rows,))[:, None] == np.arange(self.labels)
        clamped = np.where(on, CLAMPED, -CLAMPED).astype(self.dtype)
        return to_device(self.device, clamped)  # type: ignore[no-any-return]

    def top_bias(
        self, rows: int, label_bias: Array | None, bias: Array | None = None
    ) -> Array | None:
        """Return biases a row of the top's visible units, or None where they are the machine's."""
        if label_bias is None and bias is None:
            return None
        out: Array = np.tile(self.top.visible_bias, (rows, 1))
        if bias is not None:
            out[:, : self.top_units] = bias
        if label_bias is not None:
            out[:, self.top_units :] = label_bias
        return out

    # --- chains -------------------------------------------------------------------------------

    @answers_where_asked
    def sample(
        self, n: int, steps: int = 1000, start: Any = None, *, mean: bool = False, label: Any = None
    ) -> Array:
        """Return n fantasies: Gibbs sampling at the top, then one pass downwards.

        Parameters
        ----------
        n : int
        steps : int
            Of the chains at the top.
        start : array, shape (n, visible_units), optional
            Where the chains start, drawn upwards from there; by default from the top's biases.
        mean : bool
            Return the means of the visible units instead of draws.
        label : int or array of int, shape (n,), optional
            What the label units are clamped to.
        """
        n = check_steps(n, "n")
        bias = self.top_bias(n, self._label_bias(label, n))
        chains = Chains(self.top, rows=n, visible_bias=bias)
        if start is not None:
            states = self.check_visible(start)
            if len(states) != n:
                raise ValueError(f"start must have {n} rows, got {len(states)}")
            for part in self.recognition:
                states = part.sample_hiddens(states)
            chains.visible[:, : self.top_units] = states
        chains.run(check_steps(steps))
        plain = mean and not self.generative
        states = (chains.visible_mean if plain else chains.visible)[:, : self.top_units]
        return self._downwards(states, mean=mean, draw=True).copy()

    @answers_where_asked
    def reconstruct(self, v: Any) -> Array:
        """Return the means of the visible units after a pass of means upwards and down again."""
        hidden = self._top_means(self.upwards(self.check_visible(v)))
        return self._downwards(
            self.top.mean_visibles(hidden)[:, : self.top_units], mean=True, draw=False
        )

    @answers_where_asked
    def complete(self, v: Any, known: Any = None, steps: int = 200, *, label: Any = None) -> Array:
        """Return v with what is not known replaced by its mean under the net, given the rest.

        Parameters
        ----------
        v : array, shape (rows, visible_units)
        known : array of bool, shape (rows, visible_units) or (visible_units,), optional
            Where not given, what is NaN in v is not known.
        steps : int
            Of :class:`DeepChains`; the mean is over their second half.
        label : int or array of int, optional
        """
        visible, known = (to_device(self.device, x) for x in gibbs.check_known(v, known, self))
        rows = len(visible)
        chains = DeepChains(self, rows=rows, label_bias=self._label_bias(label, rows))
        return gibbs.complete(chains, visible, known, check_steps(steps))

    @answers_where_asked
    def denoise(
        self, v: Any, *, noise: float | None = None, steps: int = 50, label: Any = None
    ) -> Array:
        """Return the mean of clean states given noisy ones, the net as prior; see ``RBM.denoise``.

        The chains pass through all layers, with the evidence as biases of the visible units.
        """
        v = self.check_visible(v)
        noise = gibbs.check_noise(noise, self.visible_type)
        chains = DeepChains(self, v, label_bias=self._label_bias(label, len(v)))
        return gibbs.denoise(self, chains, v, noise, check_steps(steps))

    # --- configuration ------------------------------------------------------------------------

    def config(self) -> dict[str, Any]:
        """Return plain data that make this machine again, without its parameters."""
        layers = [dict(layer) for layer in self.layers]
        return {"layers": layers, "tied": self.tied, "dtype": self.dtype.name, "seed": self.seed}
