"""The convolutional RBM with probabilistic max-pooling: parameters, layers, energy, samples."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ictus.kernels import (
    bernoulli,
    convolution,
    convolution_data_gradient,
    corrupt,
    probabilistic_pooling,
    sigmoid,
)
from ictus.kernels._device import contiguous, empty, is_device_array, to_device, to_host
from ictus.kernels.convolution import Padding, padded, pair
from ictus.kernels.probabilistic_pooling import pooled_shape
from ictus.models.boltzmann import convolutional_energy, gibbs
from ictus.models.boltzmann.convolutional_chains import ConvolutionalChains
from ictus.models.boltzmann.gibbs import check_steps
from ictus.models.boltzmann.machine import Machine, answers_where_asked, check_finite, fill
from ictus.models.examples import Rows, check_values, column_moments, independent_biases

Array = NDArray[Any]

VISIBLE_TYPES = ("bernoulli", "gaussian")
#: Detection units that are computed at a time, so that many images need little memory.
UNITS_AT_ONCE = 1 << 22


class ConvolutionalMachine(Machine):
    """A convolutional restricted Boltzmann machine (Lee, Grosse, Ranganath & Ng, ICML 2009).

    Each filter sees the whole image through its window and has a map of detection units; maps are
    cut into blocks in each of which at most one unit is on, and a pooling unit says whether one is.
    With the inputs ``x = convolution(v, weights) + hidden_bias`` the energy is
    ``-sum(c v) - sum(x h)``, for Gaussian visible units of variance 1
    ``sum((v - c)**2) / 2 - sum(x h)``, and infinite where two units of a block are on. A visible
    bias is one channel's, a hidden bias one filter's.

    Spectrograms (Lee, Largman, Pham & Ng, NIPS 2009) are images of the shape (frames, 1, bands)
    with a kernel (frames, 1) and a block (frames, 1).

    Parameters
    ----------
    image_shape : (height, width) or (height, width, channels)
    filters : int
    kernel_size : int or (int, int)
        Of the window of the filters, down and across.
    block : int or (int, int)
        Detection places of a pooling unit; blocks at the lower and right edges may be smaller.
    padding : {"valid", "same"}, int, ...
        Zeros around the image, as of :func:`ictus.kernels.convolution`.
    visible_type : {"bernoulli", "gaussian"}
    dtype : float32 or float64
    seed : int
        Of the initial weights, N(0, 0.01^2), and of every draw.
    parameters : array, shape (parameter_count,), optional
        Taken (copied) instead of initial ones.

    Attributes
    ----------
    parameters : array, shape (parameter_count,)
        All parameters. Assign to its elements, not to the attribute.
    weights : array, shape (kernel height, kernel width, channels, filters)
    visible_bias, hidden_bias : array, shape (channels,), (filters,)
        Views of ``parameters``, like ``weights``.
    hidden_shape, pooled_shape : (height, width, filters)
        Of the detection and pooling maps of an image.
    visible_units, hidden_units, pooled_units : int
        Of an image.
    draw_count : int
        Number of random streams used so far: names the next draws. Part of a checkpoint.

    Examples
    --------
    >>> machine = ConvolutionalMachine((28, 28), 12, kernel_size=7, seed=1)
    >>> machine.mean_pooled(np.zeros((5, 28, 28))).shape
    (5, 11, 11, 12)
    """

    # What the trainer and the chains ask every machine.
    hidden_type: ClassVar[str] = "bernoulli"
    group_size: ClassVar[int] = 1
    learn_variance: ClassVar[bool] = False
    log_variance: ClassVar[None] = None
    variance: ClassVar[None] = None

    def __init__(
        self,
        image_shape: Sequence[int],
        filters: int,
        kernel_size: int | Sequence[int],
        *,
        block: int | Sequence[int] = 2,
        padding: Padding = "valid",
        visible_type: str = "bernoulli",
        dtype: DTypeLike = "float32",
        seed: int = 0,
        parameters: Array | None = None,
    ) -> None:
        shape = tuple(image_shape)
        if len(shape) not in (2, 3):
            raise ValueError(
                f"{type(self).__name__}: image_shape must be (height, width) or (height, width, "
                f"channels), got {image_shape!r}"
            )
        height, width, channels = (self.positive("image_shape", n) for n in (*shape, 1)[:3])
        self.image_shape = (height, width, channels)
        self.filters = self.positive("filters", filters)
        self.kernel_size = pair("kernel_size", kernel_size)
        self.block = pair("block", block)
        self.padding = padding
        self.zeros_before, places = padded(
            padding, (height, width), self.kernel_size, (1, 1), (1, 1)
        )
        if visible_type not in VISIBLE_TYPES:
            known = ", ".join(VISIBLE_TYPES)
            raise ValueError(
                f"{type(self).__name__}: visible_type must be one of {known}, got {visible_type!r}"
            )
        self.visible_type = visible_type
        self.hidden_shape = (*places, self.filters)
        self.pooled_shape = pooled_shape((1, *self.hidden_shape), self.block)[1:]
        self.visible_units = math.prod(self.image_shape)
        self.hidden_units = math.prod(self.hidden_shape)
        self.pooled_units = math.prod(self.pooled_shape)
        super().__init__(dtype, seed, parameters)
        self._set_views()
        if parameters is None:
            self.initialize()

    def _set_views(self) -> None:
        views = self.views(self.parameters)
        self.weights = views["weights"]
        self.visible_bias, self.hidden_bias = views["visible_bias"], views["hidden_bias"]

    # --- parameters ------------------------------------------------------------------------------

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return names and shapes of the parameters, in the order of the flat vector."""
        channels = self.image_shape[2]
        return {
            "weights": (*self.kernel_size, channels, self.filters),
            "visible_bias": (channels,),
            "hidden_bias": (self.filters,),
        }

    def config(self) -> dict[str, Any]:
        """Return plain data that make this machine again, without its parameters."""
        padding = self.padding
        return {
            "image_shape": list(self.image_shape),
            "filters": self.filters,
            "kernel_size": list(self.kernel_size),
            "block": list(self.block),
            "padding": padding if isinstance(padding, str | int) else np.array(padding).tolist(),
            "visible_type": self.visible_type,
            "dtype": self.dtype.name,
            "seed": self.seed,
        }

    def resized(self, image_shape: Sequence[int]) -> Self:
        """Return a machine with these parameters, copied, for images of another size."""
        made = self.from_config(self.config() | {"image_shape": image_shape}, self.parameters)
        return made.to(self.device)

    def initialize(self, seed: int | None = None) -> None:
        """Draw weights from N(0, 0.01^2), set the rest to 0, and start the draws anew."""
        if seed is not None:
            self.seed = int(seed)
        self.draw_count = 0
        self.parameters[...] = 0
        generator = np.random.Generator(np.random.PCG64(self.seed))
        fill(self.weights, generator.normal(0.0, 0.01, self.weights.shape))

    def initialize_biases(self, data: Any) -> None:
        """Set the visible bias so that a machine with no weights fits the data's means.

        Parameters
        ----------
        data : array, shape (n, height, width, channels)
        """
        pixels = np.asarray(data).reshape(-1, self.image_shape[2])
        mean = column_moments(pixels)[0]
        fill(self.visible_bias, independent_biases(mean, len(data), self.visible_type, 1))

    def examples(self, x: Any, name: str, check_range: bool = True) -> Rows:
        """Return a source of minibatches; ValueError naming `name` for what cannot be trained on.

        Parameters
        ----------
        x : array or memory map, shape (n, height, width, channels)
            Or (n, visible_units), or without the axis of a single channel.
        check_range : bool
            Whether values that the visible units cannot take are an error.
        """
        x = self._images(np.asanyarray(x), name)
        if len(x) == 0:
            raise ValueError(f"{name} must have at least one row, got 0")
        kind = self.visible_type if check_range else "gaussian"
        check_values(x.reshape(len(x), -1), kind, 1, name)
        return Rows(x, self.dtype)

    # --- layers ----------------------------------------------------------------------------------

    def _images(self, x: Array, name: str) -> Array:
        shapes: tuple[tuple[int, ...], ...] = (self.image_shape, (self.visible_units,))
        shapes += (self.image_shape[:2],) if self.image_shape[2] == 1 else ()
        if x.shape[1:] not in shapes:
            raise ValueError(
                f"{name} must have shape (rows, {', '.join(map(str, self.image_shape))}) or "
                f"(rows, {self.visible_units}), got {x.shape}"
            )
        return x.reshape(len(x), *self.image_shape)

    def _finite(self, x: Array, name: str) -> Array:
        check_finite(x, name)
        return contiguous(to_device(self.device, x), self.dtype)  # type: ignore[no-any-return]

    def check_visible(self, v: Any) -> Array:
        """Return images as a C-contiguous array (rows, height, width, channels) of the dtype.

        ValueError for another shape than that, (rows, height, width) of one channel, or
        (rows, visible_units), and for what is not finite.
        """
        v = v if is_device_array(v) else np.asarray(v)
        return self._finite(self._images(v, "v"), "v")

    def check_hidden(self, h: Any) -> Array:
        """Return detection maps as a C-contiguous array (rows, *hidden_shape) of the dtype."""
        h = h if is_device_array(h) else np.asarray(h)
        if h.shape[1:] not in (self.hidden_shape, (self.hidden_units,)):
            shape = ", ".join(map(str, self.hidden_shape))
            raise ValueError(f"h must have shape (rows, {shape}), got {h.shape}")
        return self._finite(h.reshape(len(h), *self.hidden_shape), "h")

    def hidden_inputs(self, v: Array, out: Array | None = None) -> Array:
        """Return the inputs of the detection units of checked images."""
        zeros = self.padding
        return convolution(v, self.weights, out, bias=self.hidden_bias, padding=zeros)

    def pool(self, x: Array, mean: Array | None = None, **options: Any) -> Array:
        """Return the means of detection units with the inputs x.

        Options are those of :func:`ictus.kernels.probabilistic_pooling`.
        """
        return probabilistic_pooling(x, self.block, mean, seed=self.seed, **options)

    def visible_mean(self, h: Array, out: Array, bias: Array | None = None) -> Array:
        """Write the means of the visible units given checked detection maps; return `out`."""
        out[...] = self.visible_bias if bias is None else bias
        convolution_data_gradient(h, self.weights, out, padding=self.zeros_before, beta=1.0)
        return sigmoid(out, out) if self.visible_type == "bernoulli" else out

    def draw_visible(self, mean: Array, out: Array, stream: int) -> Array:
        """Draw visible states with these means into `out`, which may be `mean`; return it."""
        flat = len(mean), self.visible_units  # rows of the numbered draws: images
        draw = {"seed": self.seed, "stream": stream}
        if self.visible_type == "bernoulli":
            bernoulli(mean.reshape(flat), out.reshape(flat), **draw)
        else:
            corrupt(mean.reshape(flat), "gaussian", 1.0, out.reshape(flat), **draw)
        return out

    def by_parts(self, function: Callable[[Array], Array], v: Array) -> Array:
        """Return function(v) of checked images, made of some at a time."""
        rows = max(1, UNITS_AT_ONCE // self.hidden_units)
        if len(v) <= rows:
            return function(v)
        return np.concatenate([function(v[i : i + rows]) for i in range(0, len(v), rows)])

    @answers_where_asked
    def mean_hiddens(self, v: Any) -> Array:
        """Return the probabilities of the detection units given images, (rows, *hidden_shape)."""
        x = self.hidden_inputs(self.check_visible(v))
        return self.pool(x, x)

    @answers_where_asked
    def sample_hiddens(self, v: Any) -> Array:
        """Return detection maps drawn given images, (rows, *hidden_shape)."""
        x = self.hidden_inputs(self.check_visible(v))
        out = np.empty_like(x)
        self.pool(x, x, sample=out, stream=self.next_streams(1))
        return out

    @answers_where_asked
    def mean_pooled(self, v: Any) -> Array:
        """Return the probabilities of the pooling units given images, (rows, *pooled_shape)."""
        return self.by_parts(lambda part: self.pooled(part, "pooled_mean"), self.check_visible(v))

    def pooled(self, v: Array, what: str) -> Array:
        """Return a result of :meth:`pool` with a number for each pooling unit of checked images."""
        out: Array = empty(v, (len(v), *self.pooled_shape))
        x = self.hidden_inputs(v)
        self.pool(x, x, **{what: out})
        return out

    @answers_where_asked
    def mean_visibles(self, h: Any) -> Array:
        """Return the means of the visible units given detection maps, (rows, *image_shape)."""
        h = self.check_hidden(h)
        return self.visible_mean(h, empty(h, (len(h), *self.image_shape)))

    @answers_where_asked
    def sample_visibles(self, h: Any) -> Array:
        """Return visible states drawn given detection maps, (rows, *image_shape)."""
        mean = self.mean_visibles(h)
        return self.draw_visible(mean, mean, self.next_streams(1))

    # --- energies --------------------------------------------------------------------------------

    @answers_where_asked
    def energy(self, v: Any, h: Any) -> Array:
        """Return the energy of each pair of images and detection maps, shape (rows,).

        It is infinite where more than one unit of a block is on.
        """
        v, h = self.check_visible(v), self.check_hidden(h)
        if len(v) != len(h):
            raise ValueError(f"h must have {len(v)} rows like v, got {len(h)}")
        return convolutional_energy.energy(self, v, h)

    @answers_where_asked
    def free_energy(self, v: Any) -> Array:
        """Return ``F(v) = -log sum_h exp(-E(v, h))`` of each image, shape (rows,).

        The sum over the states of a block is ``1 + sum exp(x)``, and blocks are independent given
        v: exact. Lower is more probable: ``log p(v) = -F(v) - log Z``.
        """
        return convolutional_energy.free_energy(self, self.check_visible(v))

    # --- chains ----------------------------------------------------------------------------------

    def chains(self, rows: int, start: Array | None = None) -> ConvolutionalChains:
        """Return Gibbs chains from the images `start`, or draws with the hidden units off."""
        return ConvolutionalChains(self, start, rows=rows)

    @answers_where_asked
    def gibbs(self, v: Any, steps: int = 1) -> Array:
        """Return images after `steps` steps of Gibbs sampling from v."""
        v = self.check_visible(v)
        chains = self.chains(len(v), v)
        chains.run(check_steps(steps))
        return chains.visible

    @answers_where_asked
    def sample(self, n: int, steps: int = 1000, start: Any = None, *, mean: bool = False) -> Array:
        """Return n fantasies: images at the end of Gibbs chains; see :meth:`RBM.sample`."""
        n, steps = check_steps(n, "n"), check_steps(steps)
        start = None if start is None else self.check_visible(start)
        if start is not None and len(start) != n:
            raise ValueError(f"start must have {n} rows, got {len(start)}")
        chains = self.chains(n, start)
        chains.run(steps)
        return chains.visible_mean if mean else chains.visible

    @answers_where_asked
    def reconstruct(self, v: Any) -> Array:
        """Return the means of the visible units given the means of the hidden ones given v."""
        return self.by_parts(
            lambda part: self.mean_visibles(self.mean_hiddens(part)), self.check_visible(v)
        )

    @answers_where_asked
    def complete(self, v: Any, known: Any = None, steps: int = 200) -> Array:
        """Return v with its unknown elements replaced by their means given the known ones.

        Parameters
        ----------
        v : array, shape (rows, height, width, channels)
        known : array of bool, of the shape of v or of one image, optional
            Where not given, what is NaN in v is not known.
        steps : int
            Of the Gibbs chains; the mean is over their second half.
        """
        v = self._images(np.asarray(to_host(v)), "v")
        if known is not None:
            known = np.asarray(to_host(known))
            one = known.shape in (self.image_shape, self.image_shape[:2], (self.visible_units,))
            known = self._images(known[None] if one else known, "known")
            known = np.broadcast_to(known, v.shape).reshape(len(v), -1)
        machine: Any = self
        flat, known = gibbs.check_known(v.reshape(len(v), -1), known, machine)
        visible, known = (to_device(self.device, x.reshape(v.shape)) for x in (flat, known))
        return gibbs.complete(self.chains(len(v)), visible, known, check_steps(steps))

    @answers_where_asked
    def denoise(self, v: Any, *, noise: float | None = None, steps: int = 50) -> Array:
        """Return the posterior mean of clean images given noisy ones; see :meth:`RBM.denoise`."""
        v = self.check_visible(v)
        noise = gibbs.check_noise(noise, self.visible_type)
        machine: Any = self
        return gibbs.denoise(machine, self.chains(len(v), v), v, noise, check_steps(steps))
