"""The optimiser and the minibatch that the parameters of an estimator of networks stand for."""

from __future__ import annotations

import inspect
from typing import Any

from ictus.optim import OPTIMIZERS, Optimizer, make_optimizer

DEFAULT_LEARNING_RATES = {"adam": 0.001, "rmsprop": 0.001, "sgd": 0.1, "hessian-free": 1.0}
# More examples than there are: a gradient of all of them.
ALL_EXAMPLES = 1 << 40
#: Parameters that rules without curvature alone have.
FIRST_ORDER = ("l1", "max_norm", "clip_norm", "clip_value")


def estimator_optimizer(owner: Any) -> Optimizer:
    """Return the optimiser of an estimator.

    Parameters
    ----------
    owner : estimator
        With ``optimizer``, ``learning_rate``, ``momentum``, ``l2`` and ``optimizer_options``, and
        perhaps others of the optimiser's arguments. Arguments in ``optimizer_options`` count.

    Raises
    ------
    ValueError
        An unknown optimiser, an option that it does not take, or one outside its range.
    """
    name = owner.optimizer
    if name not in DEFAULT_LEARNING_RATES:
        known = ", ".join(DEFAULT_LEARNING_RATES)
        raise ValueError(f"optimizer must be one of {known}, got {name!r}")
    rate = owner.learning_rate
    options: dict[str, Any] = {
        "learning_rate": DEFAULT_LEARNING_RATES[name] if rate is None else rate,
        "l2": owner.l2,
    }
    given = {key: getattr(owner, key, None) for key in FIRST_ORDER}
    if name == "hessian-free":
        for key in ("l1", "max_norm"):
            if given[key]:
                raise ValueError(
                    f"{type(owner).__name__}: {key} must be {'0' if key == 'l1' else 'None'} with "
                    f"the optimizer hessian-free, got {given[key]!r}"
                )
    else:
        options |= {key: value for key, value in given.items() if value is not None}
    if name in ("sgd", "rmsprop"):
        options["momentum"] = owner.momentum
    more = getattr(owner, "optimizer_options", None) or {}
    unknown = sorted(set(more) - _arguments(name))
    if unknown:
        known = ", ".join(sorted(_arguments(name)))
        raise ValueError(
            f"{type(owner).__name__}: optimizer_options of {name} must be among {known}, got "
            f"{unknown[0]!r}"
        )
    return make_optimizer(name, **(options | more))


def _arguments(name: str) -> set[str]:
    """Names of the arguments that an optimiser takes."""
    parameters = set(inspect.signature(OPTIMIZERS[name].__init__).parameters)
    if "options" in parameters:
        parameters |= set(inspect.signature(Optimizer.__init__).parameters)
    return parameters - {"self", "options"}


def estimator_batch_size(owner: Any) -> int:
    """Return the examples of a gradient: with hessian-free all of them."""
    return ALL_EXAMPLES if owner.optimizer == "hessian-free" else int(owner.batch_size)
