"""What a model file keeps of an estimator beside its model: parameters, features, fitted values."""

from __future__ import annotations

import inspect
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def plain(value: Any) -> Any:
    """Return a value as plain data that JSON can hold."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, tuple):
        return [plain(each) for each in value]
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def estimator_state(estimator: Any, fitted: tuple[str, ...]) -> dict[str, Any]:
    """Return parameters, features and the attributes `fitted` of a fitted estimator.

    A random state that is no integer is not kept.
    """
    parameters = estimator.get_params(deep=False)
    if not isinstance(parameters["random_state"], int | type(None)):
        parameters["random_state"] = None
    names = getattr(estimator, "feature_names_in_", None)
    return {
        "parameters": {name: plain(value) for name, value in parameters.items()},
        "fitted": {name: plain(getattr(estimator, name)) for name in fitted},
        "n_features_in": int(estimator.n_features_in_),
        "feature_names_in": None if names is None else [str(n) for n in names],
    }


# Fitted attributes that are arrays: of other values predictions could not be made.
ARRAYS = frozenset({"classes_", "symbols_", "image_shape_"})


def restored_value(name: str, value: Any) -> Any:
    """Return a fitted attribute of a model file; ValueError if it cannot be one of that name."""
    if isinstance(value, list) and not name.startswith("n_"):
        array = np.array(value)
        if array.size == 0 or array.dtype.kind not in "biufU":
            raise ValueError(f"{name} must be numbers or names, got {value!r}")
        return array
    if name in ARRAYS or isinstance(value, dict):
        raise ValueError(f"{name} must be an array, got {value!r}")
    if name.startswith("n_") and (type(value) is not int or value < 0):
        raise ValueError(f"{name} must be a count, got {value!r}")
    return value


def restored_estimator(cls: Any, config: dict[str, Any], fitted: tuple[str, ...]) -> Any:
    """Make the estimator again, without its model, from what :func:`estimator_state` gave.

    Raises
    ------
    KeyError, TypeError, ValueError
        The configuration is not that of such an estimator.
    """
    known = set(inspect.signature(cls.__init__).parameters) - {"self"}
    unknown = set(config["parameters"]) - known
    if unknown:
        raise ValueError(f"unknown parameter {sorted(unknown)[0]!r}")
    values = config["parameters"].items()
    estimator = cls(**{name: tuple(v) if isinstance(v, list) else v for name, v in values})
    estimator.n_features_in_ = int(config["n_features_in"])
    if config["feature_names_in"] is not None:
        estimator.feature_names_in_ = np.array(config["feature_names_in"], dtype=object)
    for name in fitted:
        setattr(estimator, name, restored_value(name, config["fitted"][name]))
    return estimator
