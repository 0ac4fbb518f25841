"""What the kernels of restricted Boltzmann machines refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ictus import kernels


def zeros(*shape: int) -> np.ndarray:
    return np.zeros(shape)


def read_only(*shape: int) -> np.ndarray:
    a = np.zeros(shape)
    a.flags.writeable = False
    return a


def model(**arguments: Any) -> kernels.RbmModel:
    parameters = {"weights": zeros(6, 4), "visible_bias": zeros(6), "hidden_bias": zeros(4)}
    return kernels.rbm_model(**{**parameters, **arguments})


def hidden(given: Any = None, units: Any = None, **arguments: Any) -> None:
    given = zeros(3, 6) if given is None else given
    arguments = arguments or {"mean": zeros(3, 4)}
    kernels.hidden_layer(units or model(), given, **arguments)


def energy(given: Any = None, units: Any = None, **arguments: Any) -> None:
    kernels.free_energy(units or model(), zeros(3, 6) if given is None else given, **arguments)


def divergence(**arguments: Any) -> kernels.ContrastiveDivergence:
    m = arguments.pop("model", None) or model()
    first = {
        "weights_velocity": zeros(6, 4),
        "visible_velocity": zeros(6),
        "hidden_velocity": zeros(4),
    }
    return kernels.ContrastiveDivergence(m, **{**first, **arguments})


def update(state: dict[str, Any] | None = None, data: Any = None, **arguments: Any) -> None:
    divergence(**(state or {})).update(zeros(3, 6) if data is None else data, **arguments)


CONTEXT = {
    "visible_context": zeros(2, 6),
    "hidden_context": zeros(2, 4),
    "visible_context_velocity": zeros(2, 6),
    "hidden_context_velocity": zeros(2, 4),
}
GAUSSIAN = {"visible_type": "gaussian"}
SHARED = zeros(6, 4)
STATES = zeros(3, 6)

WRONG: list[tuple[Callable[[], Any], type[Exception], str]] = [
    # the model
    (lambda: model(weights=[0.0]), TypeError, "RbmModel: weights must be a NumPy array, got list"),
    (
        lambda: model(weights=np.zeros((6, 4), int)),
        TypeError,
        "RbmModel: weights must have dtype float32 or float64, got int64",
    ),
    (lambda: model(weights=zeros(6)), ValueError, "RbmModel: weights must have shape (any, any)"),
    (lambda: model(weights=zeros(4, 6).T), ValueError, "RbmModel: weights must be C-contiguous"),
    (lambda: model(weights=zeros(0, 4)), ValueError, "RbmModel: weights must not be empty"),
    (
        lambda: model(visible_bias=zeros(5)),
        ValueError,
        "RbmModel: visible_bias must have shape (6,), got (5,)",
    ),
    (
        lambda: model(hidden_bias=np.zeros(4, np.float32)),
        TypeError,
        "RbmModel: hidden_bias must have dtype float64, got float32",
    ),
    (
        lambda: model(variance=zeros(6)),
        ValueError,
        "RbmModel: variance must be None unless the visible units are gaussian",
    ),
    (
        lambda: model(visible_type="rectified"),
        ValueError,
        "rbm_model: visible_type must be one of bernoulli, gaussian, softmax, labelled, got "
        "'rectified'",
    ),
    (
        lambda: model(hidden_type=None),
        ValueError,
        "rbm_model: hidden_type must be one of bernoulli, gaussian, rectified, got None",
    ),
    (
        lambda: model(visible_type="softmax", group_size=4),
        ValueError,
        "RbmModel: group_size must be a divisor of the visible units, got 4",
    ),
    (
        lambda: model(visible_type="labelled", group_size=6),
        ValueError,
        "RbmModel: group_size must be at least 1 and less than the visible units, got 6",
    ),
    (
        lambda: model(group_size=2),
        ValueError,
        "RbmModel: group_size must be 1 where there are no groups, got 2",
    ),
    # a layer
    (lambda: hidden(zeros(3, 4)), ValueError, "hidden_layer: visible must have shape (any, 6)"),
    (
        lambda: kernels.visible_layer(model(), zeros(3, 6), mean=zeros(3, 6)),
        ValueError,
        "visible_layer: hidden must have shape (any, 4), got (3, 6)",
    ),
    (
        lambda: hidden(np.zeros((3, 6), np.float32)),
        TypeError,
        "hidden_layer: visible must have dtype float64, got float32",
    ),
    (
        lambda: hidden(zeros(6, 3).T),
        ValueError,
        "hidden_layer: visible must have contiguous rows that do not overlap",
    ),
    (
        lambda: hidden(row_bias=None),
        ValueError,
        "hidden_layer: mean and sample must not both be None",
    ),
    (
        lambda: hidden(mean=zeros(2, 4)),
        ValueError,
        "hidden_layer: mean must have shape (3, 4), got (2, 4)",
    ),
    (
        lambda: hidden(sample=read_only(3, 4)),
        ValueError,
        "hidden_layer: sample must be writeable, got a read-only array",
    ),
    (
        lambda: hidden(STATES, mean=STATES.reshape(-1)[:12].reshape(3, 4)),
        ValueError,
        "hidden_layer: mean must not overlap visible",
    ),
    (
        lambda: hidden(mean=SHARED[:3], sample=SHARED[2:5]),
        ValueError,
        "hidden_layer: sample must not overlap mean",
    ),
    (
        lambda: hidden(units=model(weights=SHARED), mean=SHARED[:3]),
        ValueError,
        "hidden_layer: mean must not overlap weights",
    ),
    (
        lambda: hidden(mean=SHARED[:3], row_bias=SHARED[:3]),
        ValueError,
        "hidden_layer: mean must not overlap row_bias",
    ),
    (
        lambda: hidden(mean=zeros(3, 4), row_bias=zeros(4)),
        ValueError,
        "hidden_layer: row_bias must have shape (3, 4), got (4,)",
    ),
    (
        lambda: hidden(units=model(hidden_type="gaussian"), mean=zeros(3, 4),
                       inverse_temperature=zeros(3)),
        ValueError,
        "hidden_layer: inverse_temperature must be None unless the units are bernoulli, softmax or "
        "labelled",
    ),
    (
        lambda: hidden(mean=zeros(3, 4), inverse_temperature=zeros(4)),
        ValueError,
        "hidden_layer: inverse_temperature must have shape (3,), got (4,)",
    ),
    (
        lambda: hidden(mean=zeros(3, 4), uniforms=zeros(3, 4)),
        ValueError,
        "hidden_layer: uniforms must be None but for samples of bernoulli units",
    ),
    (
        lambda: hidden(mean=zeros(3, 4), first_row=-1),
        ValueError,
        "hidden_layer: first_row must be at least 0, got -1",
    ),
    # free energy
    (
        lambda: energy(units=model(hidden_type="rectified")),
        ValueError,
        "free_energy: model must have bernoulli or gaussian hidden units, got rectified",
    ),
    (lambda: energy(out=zeros(4)), ValueError, "free_energy: out must have shape (3,), got (4,)"),
    (lambda: energy([0.0]), TypeError, "free_energy: visible must be a NumPy array, got list"),
    (
        lambda: energy(STATES, out=STATES.reshape(-1)[:3]),
        ValueError,
        "free_energy: out must not overlap visible",
    ),
    # the training state
    (
        lambda: divergence(model=model(weights=read_only(6, 4))),
        ValueError,
        "ContrastiveDivergence: weights must be writeable, got a read-only array",
    ),
    (
        lambda: divergence(weights_velocity=zeros(4, 6)),
        ValueError,
        "ContrastiveDivergence: weights_velocity must have shape (6, 4), got (4, 6)",
    ),
    (
        lambda: divergence(model=model(weights=SHARED), weights_velocity=SHARED),
        ValueError,
        "ContrastiveDivergence: weights_velocity must not overlap weights",
    ),
    (
        lambda: divergence(particles=SHARED, fast_weights=SHARED),
        ValueError,
        "ContrastiveDivergence: fast_weights must not overlap particles",
    ),
    (
        lambda: divergence(particles=zeros(0, 4)),
        ValueError,
        "ContrastiveDivergence: particles must be at least one row, got 0",
    ),
    (
        lambda: divergence(**CONTEXT, particles=zeros(3, 4)),
        ValueError,
        "ContrastiveDivergence: particles must be None with a context",
    ),
    (
        lambda: divergence(**{**CONTEXT, "hidden_context": None}),
        TypeError,
        "ContrastiveDivergence: hidden_context must be a NumPy array, got NoneType",
    ),
    (
        lambda: divergence(hidden_context=zeros(2, 4)),
        ValueError,
        "ContrastiveDivergence: hidden_context must be None without visible_context",
    ),
    (
        lambda: divergence(log_variance_velocity=zeros(6)),
        ValueError,
        "ContrastiveDivergence: log_variance_velocity must be None without log_variance",
    ),
    (
        lambda: divergence(
            model=model(**GAUSSIAN), log_variance=zeros(6), log_variance_velocity=zeros(6)
        ),
        TypeError,
        "ContrastiveDivergence: variance must be a NumPy array, got NoneType",
    ),
    # an update
    (lambda: update(data=zeros(3, 4)), ValueError, "update: data must have shape (any, 6)"),
    (
        lambda: update({"weights_velocity": SHARED}, SHARED.reshape(4, 6)),
        ValueError,
        "update: data must not overlap weights_velocity",
    ),
    (lambda: update(steps=0), ValueError, "update: steps must be at least 1, got 0"),
    (lambda: update(momentum=1.5), ValueError, "update: momentum must be in [0, 1], got 1.5"),
    (lambda: update(l1=-1.0), ValueError, "update: l1 must be at least 0, got -1"),
    (lambda: update(l2=np.nan), ValueError, "update: l2 must be at least 0, got nan"),
    (
        lambda: update(weight_rate=np.inf),
        ValueError,
        "update: weight_rate must be finite, got inf",
    ),
    (lambda: update(bias_rate=np.nan), ValueError, "update: bias_rate must be finite, got nan"),
    (
        lambda: update(context=zeros(3, 2)),
        ValueError,
        "update: context must be None where there is no visible_context",
    ),
    (
        lambda: update(CONTEXT),
        ValueError,
        "update: context must be given with visible_context, got None",
    ),
    (
        lambda: update(CONTEXT, context=zeros(2, 2)),
        ValueError,
        "update: context must have shape (3, 2), got (2, 2)",
    ),
    (
        lambda: update(fast_rate=0.1),
        ValueError,
        "update: fast_rate must be 0 without fast_weights, got 0.1",
    ),
    (
        lambda: update(variance_rate=0.1),
        ValueError,
        "update: variance_rate must be 0 without log_variance, got 0.1",
    ),
    (
        lambda: update(lowest_log_variance=1.0, highest_log_variance=-1.0),
        ValueError,
        "update: highest_log_variance must be at least lowest_log_variance, got -1",
    ),
    (
        lambda: update(sparsity_cost=0.1),
        ValueError,
        "update: sparsity_cost must be 0 without activity, got 0.1",
    ),
    (
        lambda: update({"model": model(**GAUSSIAN)}, negative_scale=0.1),
        ValueError,
        "update: negative_scale must be 0 with gaussian visible units",
    ),
    (
        lambda: update(visible_uniforms=zeros(3, 6)),
        ValueError,
        "update: visible_uniforms must be None but for one step of particles of Bernoulli units",
    ),
    (
        lambda: update({"particles": zeros(5, 4)}, hidden_uniforms=zeros(3, 4)),
        ValueError,
        "update: hidden_uniforms must have shape (5, 4), got (3, 4)",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "message"), WRONG, ids=[w[2] for w in WRONG])
def test_wrong_arguments(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value).startswith(message)


def test_sizes_that_cannot_be_counted_are_refused() -> None:
    """A view that repeats one number: more elements than any memory has."""
    particles = np.lib.stride_tricks.as_strided(np.zeros(1), (2**54, 4), (32, 8))
    message = "ContrastiveDivergence: particles must be small enough for this memory"
    with pytest.raises(ValueError, match=message):
        divergence(particles=particles)
