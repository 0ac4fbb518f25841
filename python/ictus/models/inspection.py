"""Looking inside networks: what units see, what excites them, where examples lie in a layer.

Computations on :class:`ictus.nn.Network`, or on a fitted estimator that has one; pictures of their
results are in :mod:`ictus.plot`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.nn import Network

Array = NDArray[Any]


def network_of(model: Any) -> Network:
    """Return the network of a fitted estimator, or the network itself.

    Raises
    ------
    TypeError
        What has no network, or is not fitted.
    """
    network = getattr(model, "network_", model)
    if not isinstance(network, Network):
        raise TypeError(
            f"model must be a Network, or a fitted estimator with one, got {type(model).__name__}"
        )
    return network


# --- what units see -------------------------------------------------------------------------------


def filters(model: Any, layer: int = 0) -> Array:
    """Return the weights of a layer's units as what they look for.

    Parameters
    ----------
    model : Network or estimator
    layer : int
        Counted in ``network.layers``.

    Returns
    -------
    array, shape (units, window height, window width, channels)
        Of a convolution; of a dense first layer (units, *input_shape), of others (units, inputs).

    Raises
    ------
    ValueError
        The layer has no weights.
    """
    network = network_of(model)
    number = network.layer_number(layer)
    views = network.views(network.parameters)[number]
    if not views or views[0].ndim not in (2, 4):
        name = type(network.layers[number]).__name__
        raise ValueError(f"layer must have weights, {name} (layer {number}) has none")
    weights = np.moveaxis(views[0], -1, 0).copy()
    if weights.ndim == 2 and weights.shape[1] == network.input_size:
        return weights.reshape(len(weights), *network.examples(weights[:1]).shape[1:])
    return weights


def feature_maps(model: Any, x: Any, layer: int = 0) -> Array:
    """Return the outputs of a layer, (rows, *output shape): of a convolution, its maps."""
    return network_of(model).activations(x, layer)


# --- what moves a unit ----------------------------------------------------------------------------


def _unit_gradient(network: Network, x: Array, unit: Any, layer: int) -> Array:
    """The gradient of the chosen units' sum over places, with respect to the layer's outputs."""
    shape = network.activations(x[:1], layer).shape[1:]
    units = _units(network, x, unit, layer, shape[-1])
    out = np.zeros((len(x), *shape), network.dtype)
    places = (slice(None),) * (len(shape) - 1)
    for row, each in enumerate(units):
        out[(row, *places, each)] = 1
    return out


def _units(network: Network, x: Array, unit: Any, layer: int, count: int) -> Array:
    if unit is None:
        outputs = network.activations(x, layer)
        return np.asarray(outputs.reshape(len(x), -1, count).mean(axis=1).argmax(axis=1))
    units = np.broadcast_to(np.asarray(unit), len(x))
    if units.dtype.kind not in "iu" or ((units < 0) | (units >= count)).any():
        raise ValueError(f"unit must be an integer in [0, {count}), one or one a row, got {unit!r}")
    return units


def saliency(model: Any, x: Any, unit: Any = None, *, layer: int = -1) -> Array:
    """Return the gradient of a unit's output with respect to each input.

    How much the unit's output would grow with each pixel (Simonyan, Vedaldi & Zisserman 2013, who
    look at its magnitude, the largest over the channels).

    Parameters
    ----------
    model : Network or estimator
    x : array, shape (rows, *input_shape)
    unit : int or array of int, shape (rows,), optional
        The unit, or the filter, whose outputs are summed over its places. If not given, of each
        example the one with the largest output.
    layer : int
        Counted in ``network.layers``; -1: the logits.

    Returns
    -------
    array like x
    """
    network = network_of(model)
    x = network.check_input(x)
    return network.input_gradient(x, _unit_gradient(network, x, unit, layer), layer)


def guided_backpropagation(model: Any, x: Any, unit: Any = None, *, layer: int = -1) -> Array:
    """Return :func:`saliency` with rectifiers that pass down only positive gradients.

    What of the input a unit takes for its pattern, without what speaks against it (Springenberg,
    Dosovitskiy, Brox & Riedmiller 2015).
    """
    network = network_of(model)
    x = network.check_input(x)
    return network.input_gradient(x, _unit_gradient(network, x, unit, layer), layer, guided=True)


def occlusion(
    model: Any,
    x: Any,
    unit: Any = None,
    *,
    patch: int | Sequence[int] = 5,
    stride: int | Sequence[int] = 1,
    value: float = 0.0,
) -> Array:
    """Return by how much the network's output of a unit falls where a patch is covered.

    Zeiler & Fergus 2013, section 4.2: a patch of each image is replaced by a constant, at all
    places in turn.

    Parameters
    ----------
    model : Network or estimator
    x : array, shape (rows, height, width[, channels])
        Images, also for a network that takes them as vectors.
    unit : int or array of int, shape (rows,), optional
        A class; if not given, of each example the most probable one.
    patch, stride : int or (int, int)
        Size of the patch, and the steps from place to place, down and across.
    value : float
        Of the covered pixels.

    Returns
    -------
    array, shape (rows, places down, places across)
        Output (a probability) without the patch less that with it.
    """
    from ictus.kernels.convolution import pair

    network = network_of(model)
    x = np.array(x, network.dtype)
    if x.ndim not in (3, 4):
        raise ValueError(f"x must have shape (rows, height, width[, channels]), got {x.shape}")
    (tall, wide), (down, across) = pair("patch", patch), pair("stride", stride)
    if tall > x.shape[1] or wide > x.shape[2]:
        raise ValueError(f"patch must fit the images {x.shape[1:3]}, got {(tall, wide)}")

    def outputs(images: Array) -> Array:
        flat = images if len(network.input_shape) > 1 else images.reshape(len(images), -1)
        return network.predict(flat)

    before = outputs(x)
    units = before.argmax(axis=1) if unit is None else _units(network, x, unit, -1, before.shape[1])
    rows = np.arange(len(x))
    tops = range(0, x.shape[1] - tall + 1, down)
    lefts = range(0, x.shape[2] - wide + 1, across)
    out = np.empty((len(x), len(tops), len(lefts)), network.dtype)
    for i, top in enumerate(tops):
        for j, left in enumerate(lefts):
            covered = x.copy()
            covered[:, top : top + tall, left : left + wide] = value
            out[:, i, j] = before[rows, units] - outputs(covered)[rows, units]
    return out


def activation_maximisation(
    model: Any,
    units: Sequence[int] | Array,
    *,
    layer: int = -1,
    input_shape: Sequence[int] | None = None,
    steps: int = 200,
    step_size: float = 0.1,
    l2: float = 0.01,
    blur: float = 0.5,
    blur_every: int = 4,
    bounds: tuple[float, float] | None = None,
    seed: int = 0,
) -> Array:
    """Return an input for each unit that excites it: gradient ascent on its output.

    Erhan, Bengio, Courville & Vincent 2009, "Visualizing higher-layer features of a deep network",
    from a little noise; a penalty on the square of the input and a blur between the steps keep it
    from patterns of single pixels (Yosinski et al. 2015). Where a unit's gradient is zero, as that
    of a rectifier that is off, it starts anew from more noise.

    Parameters
    ----------
    model : Network or estimator
    units : sequence of int
        Of a convolution: filters, whose mean over all places is maximised.
    layer : int
        Counted in ``network.layers``; -1: the logits.
    input_shape : sequence of int, optional
        Of an example, where the network takes any size. A vector of pixels is blurred if it is
        given here as (height, width).
    steps : int
    step_size : float
        Length of a step, as the root of its mean square over an input.
    l2 : float
        What the input loses in a step, as a share of it.
    blur : float
        Standard deviation of the Gaussian blur, in pixels; 0: none.
    blur_every : int
        Steps from blur to blur.
    bounds : (float, float), optional
        Inputs stay within, for example (0, 1).
    seed : int

    Returns
    -------
    array, shape (units, *input_shape)
    """
    network = network_of(model)
    given_shape = network.input_shape if input_shape is None else tuple(input_shape)
    if None in given_shape:
        raise ValueError(f"input_shape must be given, the network takes any size: {given_shape}")
    shape = tuple(int(n or 0) for n in given_shape)
    units = np.asarray(units)
    generator = np.random.Generator(np.random.PCG64(seed))
    centre = 0.0 if bounds is None else float(np.mean(bounds))
    x = (centre + 0.01 * generator.standard_normal((len(units), *shape))).astype(network.dtype)
    for step in range(steps):
        given = x if len(network.input_shape) > 1 else x.reshape(len(x), -1)
        given = network.check_input(given)
        up = network.input_gradient(given, _unit_gradient(network, given, units, layer), layer)
        up = up.reshape(len(x), -1)
        size = np.sqrt(np.square(up).mean(axis=1, keepdims=True))
        # Where a rectifier is off the gradient says nothing: another start, further out.
        off = size[:, 0] == 0
        noise = generator.standard_normal((int(off.sum()), *shape))
        x[off] = centre + step_size * (step + 1) * noise
        x += (step_size * up / np.maximum(size, 1e-12)).reshape(x.shape)
        x *= 1 - l2
        if blur and (step + 1) % blur_every == 0 and step + 1 < steps:
            x = _blurred(x, blur, last=x.ndim - (len(network.input_shape) > 1))
        if bounds is not None:
            np.clip(x, *bounds, out=x)
    return x


def _blurred(x: Array, deviation: float, last: int) -> Array:
    """Blur along the axes from 1 to before `last`: those of an image or of time."""
    from scipy.ndimage import gaussian_filter1d

    for axis in range(1, last if x.ndim > 2 else 1):
        x = gaussian_filter1d(x, deviation, axis=axis)
    return np.ascontiguousarray(x)


# --- where examples lie ---------------------------------------------------------------------------


def nearest_neighbours(
    model: Any, x: Any, among: Any, *, layer: int = -2, count: int = 5, metric: str = "euclidean"
) -> tuple[Array, Array]:
    """Return which examples are nearest in a layer's feature space, and how far they are.

    Parameters
    ----------
    model : Network or estimator
    x, among : array, shape (rows, *input_shape)
        Whose neighbours are sought, and where.
    layer : int
        Counted in ``network.layers``; -2: mostly the last hidden one.
    count : int
    metric : str
        As of scikit-learn's NearestNeighbors: "euclidean", "cosine", ...

    Returns
    -------
    indices, distances : array, shape (rows, count)
        Rows of ``among``, the nearest first.
    """
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_neighbors=count, metric=metric).fit(_features(model, among, layer))
    distances, indices = search.kneighbors(_features(model, x, layer))
    return indices, distances


def embedding(
    model: Any, x: Any, *, layer: int = -2, method: str = "pca", seed: int = 0, **options: Any
) -> Array:
    """Return the examples as points of a plane: a view of a layer's feature space.

    Parameters
    ----------
    model : Network or estimator
    x : array, shape (rows, *input_shape)
    layer : int
        Counted in ``network.layers``.
    method : {"pca", "tsne"}
        Principal components, or t-SNE (van der Maaten & Hinton 2008), of scikit-learn.
    seed : int
        Of t-SNE.
    **options
        Of scikit-learn's class.

    Returns
    -------
    array, shape (rows, 2)
    """
    features = _features(model, x, layer)
    if method == "pca":
        from sklearn.decomposition import PCA

        return np.asarray(PCA(2, random_state=seed, **options).fit_transform(features))
    if method == "tsne":
        from sklearn.manifold import TSNE

        return np.asarray(TSNE(2, random_state=seed, **options).fit_transform(features))
    raise ValueError(f"method must be one of pca, tsne, got {method!r}")


def _features(model: Any, x: Any, layer: int) -> Array:
    outputs = feature_maps(model, x, layer)
    return np.asarray(outputs.reshape(len(outputs), -1))
