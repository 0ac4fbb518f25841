"""Settings of a deep net's layers: a value for all or one a layer, and what files keep of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.models.boltzmann.bernoulli_rbm import BernoulliRBM
from ictus.models.boltzmann.boltzmann_estimator import BoltzmannEstimator
from ictus.models.boltzmann.gaussian_rbm import GaussianRBM
from ictus.models.boltzmann.softmax_rbm import SoftmaxRBM
from ictus.models.estimator_state import estimator_state, plain, restored_estimator

Array = NDArray[Any]

#: Parameters that each layer may have for itself, by the names that RBM estimators have for them.
BY_LAYER = (
    "learning_rate",
    "learning_rate_decay",
    "momentum",
    "n_iter",
    "batch_size",
    "k",
    "persistent",
    "l1",
    "l2",
    "sparsity_target",
    "sparsity_cost",
)
KINDS: dict[str, type[BoltzmannEstimator]] = {
    "BernoulliRBM": BernoulliRBM,
    "GaussianRBM": GaussianRBM,
    "SoftmaxRBM": SoftmaxRBM,
}


def by_layer(name: str, value: Any, count: int) -> list[Any]:
    """Return a value for each layer; ValueError for a sequence of another length."""
    if isinstance(value, tuple | list | np.ndarray) and np.ndim(value) > 0:
        if len(value) != count:
            raise ValueError(
                f"{name} must be one value, or {count} for {count} layers, got {len(value)}"
            )
        return list(value)
    return [value] * count


def layer_estimators(owner: Any) -> list[BoltzmannEstimator]:
    """Return an RBM estimator for each layer, from the parameters of a deep estimator."""
    units = list(np.atleast_1d(np.asarray(owner.hidden_units, dtype=object)))
    if owner.visible_type not in ("bernoulli", "gaussian"):
        raise ValueError(
            f"visible_type must be bernoulli or gaussian, got {owner.visible_type!r}: for others "
            "give layers"
        )
    values = {name: by_layer(name, getattr(owner, name), len(units)) for name in BY_LAYER}
    made: list[BoltzmannEstimator] = []
    for number, count in enumerate(units):
        options = {name: each[number] for name, each in values.items()}
        gaussian = number == 0 and owner.visible_type == "gaussian"
        if options["learning_rate"] is None:
            options["learning_rate"] = 0.001 if gaussian else 0.05
        if gaussian:
            made.append(GaussianRBM(count, **options))
        else:
            more: dict[str, Any] = {"draws": "counter", "initialize_biases": True, "shuffle": True}
            made.append(BernoulliRBM(count, **more, **options))
    return made


def layer_states(layers: list[BoltzmannEstimator]) -> list[dict[str, Any]]:
    """Return plain data that make the layers' estimators again, without their machines."""
    states = []
    for each in layers:
        parameters = each.get_params(deep=False) | {"checkpoint": None, "random_state": None}
        state: dict[str, Any] = {"kind": type(each).__name__}
        state["parameters"] = {name: plain(value) for name, value in parameters.items()}
        if isinstance(each, SoftmaxRBM) and hasattr(each, "n_categories_"):
            state["n_categories"] = int(each.n_categories_)
        states.append(state)
    return states


def layer_parameters(owner: Any, fitted: tuple[str, ...]) -> dict[str, Any]:
    """Return what a model file keeps of a deep estimator beside its machine and its layers."""
    given = owner.layers
    try:
        owner.layers = None
        config = estimator_state(owner, fitted)
    finally:
        owner.layers = given
    config["parameters"]["checkpoint"] = None
    config["parameters"]["dtype"] = (
        owner.dtype if isinstance(owner.dtype, str) else np.dtype(owner.dtype).name
    )
    config["layers_given"] = given is not None
    return config


def restored_layers(cls: Any, config: dict[str, Any], fitted: tuple[str, ...]) -> Any:
    """Make the estimator again with its layers; ValueError for layers of an unknown kind."""
    model = restored_estimator(cls, config, fitted)
    if model.layers is not None:
        raise ValueError("layers must not be among the parameters")
    model._layers = []
    for state in config["layers"]:
        if state["kind"] not in KINDS:
            raise ValueError(f"unknown kind of layer {state['kind']!r}")
        values = state["parameters"].items()
        each = KINDS[state["kind"]](
            **{k: tuple(v) if isinstance(v, list) else v for k, v in values}
        )
        if "n_categories" in state:
            each.n_categories_ = int(state["n_categories"])
        model._layers.append(each)
    if config["layers_given"]:
        model.layers = list(model._layers)
    return model
