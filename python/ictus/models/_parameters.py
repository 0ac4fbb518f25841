"""What the parameters of an estimator may be: one table of checks and of the words for them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np

from ictus.kernels._device import is_device_name
from ictus.kernels.gemm import ACTIVATIONS
from ictus.kernels.noise import CORRUPTIONS
from ictus.models.pretraining.layer_training import METHODS
from ictus.nn.initialization import INITIALIZATIONS

Check = tuple[Callable[[Any], bool], str]


def is_integer(value: Any) -> bool:
    """Whether the value is a whole number and no truth value."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Whether the value is a finite real number and no truth value."""
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def _units(value: Any) -> bool:
    values = np.atleast_1d(np.asarray(value, dtype=object))
    return values.ndim == 1 and all(is_integer(n) and n > 0 for n in values)


def _dtype(value: Any) -> bool:
    if isinstance(value, str):
        return value in ("auto", "float32", "float64")
    return value in (np.float32, np.float64)


def one_of(names: Any) -> Check:
    """The value must be one of these strings."""
    return (
        lambda value: isinstance(value, str) and value in names,
        f"one of {', '.join(names)}",
    )


POSITIVE_INTEGER: Check = (lambda n: is_integer(n) and n > 0, "a positive integer")
COUNT: Check = (lambda n: is_integer(n) and n >= 0, "a non-negative integer")
POSITIVE: Check = (lambda x: is_number(x) and x > 0, "a positive number")
POSITIVE_OR_NONE: Check = (lambda x: x is None or POSITIVE[0](x), "a positive number or None")
NOT_NEGATIVE: Check = (lambda x: is_number(x) and x >= 0, "a number, not negative")
PROBABILITY: Check = (lambda x: is_number(x) and 0 <= x < 1, "a number in [0, 1)")
TRUTH: Check = (lambda x: isinstance(x, bool | np.bool_), "True or False")

#: The parameters of dense estimators. random_state and checkpoint are checked where they are used.
DENSE: dict[str, Check] = {
    "hidden_units": (_units, "a sequence of positive integers"),
    "activation": one_of(ACTIVATIONS),
    "dropout": PROBABILITY,
    "input_dropout": PROBABILITY,
    "initialization": one_of(["auto", *INITIALIZATIONS]),
    "optimizer": one_of(["adam", "hessian-free", "rmsprop", "sgd"]),
    "learning_rate": POSITIVE_OR_NONE,
    "learning_rate_decay": POSITIVE,
    "momentum": PROBABILITY,
    "batch_size": POSITIVE_INTEGER,
    "max_epochs": COUNT,
    "tol": NOT_NEGATIVE,
    "patience": POSITIVE_INTEGER,
    "early_stopping": TRUTH,
    "validation_fraction": (lambda x: is_number(x) and 0 < x < 1, "a number in (0, 1)"),
    "l1": NOT_NEGATIVE,
    "l2": NOT_NEGATIVE,
    "max_norm": POSITIVE_OR_NONE,
    "clip_norm": POSITIVE_OR_NONE,
    "shuffle": TRUTH,
    "dtype": (_dtype, "one of auto, float32, float64"),
    "device": (is_device_name, "one of cpu, cuda"),
    "progress": (lambda x: x is None or TRUTH[0](x), "True, False or None"),
    "pretrain": (
        lambda x: x is None or (isinstance(x, str) and x in METHODS),
        f"one of {', '.join(METHODS)}, or None",
    ),
    "pretraining_epochs": COUNT,
    "pretraining_learning_rate": POSITIVE_OR_NONE,
    "optimizer_options": (lambda x: x is None or isinstance(x, dict), "a dictionary or None"),
}

#: The parameters of autoencoders.
AUTOENCODER: dict[str, Check] = {
    name: check for name, check in DENSE.items() if name not in ("dropout", "input_dropout")
} | {
    "hidden_units": (
        lambda x: _units(x) and np.atleast_1d(x).size > 0,
        "a sequence of positive integers, one at least",
    ),
    "code_activation": (
        lambda x: x is None or one_of(ACTIVATIONS)[0](x),
        f"one of {', '.join(ACTIVATIONS)}, or None",
    ),
    "tied": TRUTH,
    "corruption": (
        lambda x: x is None or (isinstance(x, str) and x in CORRUPTIONS),
        f"one of {', '.join(CORRUPTIONS)}, or None",
    ),
    "corruption_level": NOT_NEGATIVE,
    "contraction": NOT_NEGATIVE,
    "sparsity_target": (lambda x: is_number(x) and 0 < x < 1, "a number in (0, 1)"),
    "sparsity_cost": NOT_NEGATIVE,
    "code_noise": NOT_NEGATIVE,
    "loss": one_of(["auto", "binary_cross_entropy", "squared_error"]),
    "pretrain": (
        lambda x: x is None or (isinstance(x, str) and x in ("rbm", "autoencoder")),
        "one of rbm, autoencoder, or None",
    ),
}

#: What the estimators of a deep net's layers must have in order.
LAYER: dict[str, Check] = {
    "n_components": POSITIVE_INTEGER,
    "learning_rate": POSITIVE,
    "learning_rate_decay": POSITIVE,
    "n_iter": COUNT,
    "batch_size": POSITIVE_INTEGER,
    "k": POSITIVE_INTEGER,
}
#: The parameters of deep belief nets that are not their layers'.
DEEP: dict[str, Check] = {
    "hidden_units": (
        lambda value: _units(value) and np.size(value) > 0,
        "a sequence of positive integers, at least one",
    ),
    "fine_tune_epochs": COUNT,
    "fine_tune_learning_rate": POSITIVE_OR_NONE,
    "fine_tune_learning_rate_decay": POSITIVE,
    "fine_tune_batch_size": POSITIVE_INTEGER,
    "dtype": DENSE["dtype"],
    "progress": DENSE["progress"],
    "device": DENSE["device"],
}
#: More of them, of a classifier.
BACKPROPAGATION: dict[str, Check] = {
    "label_units": TRUTH,
    "fine_tune_momentum": PROBABILITY,
    "dropout": PROBABILITY,
    "input_dropout": PROBABILITY,
    "max_norm": POSITIVE_OR_NONE,
}


def check_parameters(owner: object, table: Mapping[str, Check]) -> None:
    """Check the attributes of an estimator.

    Raises
    ------
    ValueError
        Names the estimator, the parameter, what it must be and what it is.
    """
    for name, (allowed, expected) in table.items():
        value = getattr(owner, name)
        if not allowed(value):
            raise ValueError(f"{type(owner).__name__}: {name} must be {expected}, got {value!r}")
