"""SciPy's batch methods on a network's loss: nonlinear conjugate gradients and L-BFGS."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.nn import Network
from ictus.train.history import History
from ictus.train.objective import NetworkObjective, check_deterministic

Array = NDArray[Any]

#: The methods by name, with the names that SciPy has for them.
METHODS = {"l-bfgs": "L-BFGS-B", "conjugate-gradient": "CG"}


def minimize(
    network: Network,
    batch: tuple[Any, Any, Array | None],
    method: str = "l-bfgs",
    *,
    iterations: int = 100,
    l2: float = 0.0,
    memory: int = 10,
    callback: Callable[[int, float], Any] | None = None,
) -> History:
    """Minimise the mean loss of a batch by one of SciPy's methods, from the network's parameters.

    What Hessian-free optimisation is compared with: the same loss of the same flat vector. SciPy
    sees the vector in double precision; the network works in its own.

    Parameters
    ----------
    network : Network
        Gets the best parameters.
    batch : (x, y, weights)
        As :meth:`Network.loss_and_gradient` takes them: x an array or a SequenceBatch.
    method : {"l-bfgs", "conjugate-gradient"}
        Limited-memory BFGS (Liu & Nocedal 1989); nonlinear conjugate gradients (Polak & Ribiere).
    iterations : int
    l2 : float
        Penalty ``l2 / 2`` times the sum of squared weights.
    memory : int
        Pairs of vectors that l-bfgs keeps.
    callback : callable, optional
        Called as ``callback(iteration, loss)``; a true answer ends it.

    Returns
    -------
    History
        "loss" (with the penalty), "seconds" and "evaluations" of each iteration.

    Raises
    ------
    ValueError
        Unknown method, or a network whose loss is drawn.
    """
    from scipy import optimize

    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    check_deterministic(network)
    function = _Function(network, batch, l2)
    history, began = History(), time.perf_counter()

    def after(vector: Array) -> None:
        nonlocal began
        loss = function.value_at(vector)
        now = time.perf_counter()
        history.append(loss=loss, seconds=now - began, evaluations=float(function.evaluations))
        began = now
        if callback is not None and callback(history.epochs, loss):
            history.stopped = "callback"
            raise StopIteration

    options: dict[str, Any] = {"maxiter": int(iterations)}
    if method == "l-bfgs":
        options |= {"maxcor": int(memory), "maxfun": 100 * int(iterations), "ftol": 0, "gtol": 0}
    else:
        options["gtol"] = 0.0
    try:
        result = optimize.minimize(
            function,
            network.parameters.astype(np.float64),
            jac=True,
            method=METHODS[method],
            options=options,
            callback=after,
        )
        history.stopped = history.stopped or str(result.message)
    except StopIteration:  # where SciPy itself does not take it as an end
        pass
    network.parameters[...] = function.best
    return history


class _Function:
    """Loss and gradient of a vector in double precision; keeps the best vector."""

    def __init__(self, network: Network, batch: Any, l2: float) -> None:
        self.network, self.l2 = network, float(l2)
        self.objective = NetworkObjective(network, batch)
        self.evaluations = 0
        self.best: Array = network.parameters.astype(np.float64)
        self._lowest = np.inf
        self._gradient = np.empty_like(network.parameters)
        self._last: tuple[Array, float] | None = None

    def __call__(self, vector: Array) -> tuple[float, Array]:
        self.network.parameters[...] = vector
        value = self.objective.loss_and_gradient(self._gradient)
        gradient = self._gradient.astype(np.float64)
        for begin, end in self.network.weight_segments if self.l2 else ():
            value += 0.5 * self.l2 * float(vector[begin:end] @ vector[begin:end])
            gradient[begin:end] += self.l2 * vector[begin:end]
        self.evaluations += 1
        value = value if np.isfinite(value) else np.inf
        if value < self._lowest:
            self._lowest, self.best = value, vector.copy()
        self._last = vector.copy(), value
        return value, gradient

    def value_at(self, vector: Array) -> float:
        """Return the loss of a vector, without a new evaluation where it was the last one."""
        if self._last is not None and np.array_equal(self._last[0], vector):
            return self._last[1]
        return self(vector)[0]
