"""The native module: kernels on arrays that the callers in ictus.kernels have prepared."""

from typing import Any, final

from numpy.typing import NDArray

# Levels and threads (bindings/runtime.cpp).
def instruction_set() -> str: ...
def instruction_sets() -> list[str]: ...
def set_instruction_set(name: str) -> None: ...
def num_threads() -> int: ...
def default_num_threads() -> int: ...
def set_num_threads(threads: int) -> None: ...

# gemm
@final
class PackedMatrix:
    def __init__(self, b: NDArray[Any]) -> None: ...
    def update(self, b: NDArray[Any]) -> None: ...
    @property
    def shape(self) -> tuple[int, int]: ...
    @property
    def version(self) -> int: ...

def gemm(
    a: NDArray[Any],
    b: NDArray[Any] | PackedMatrix,
    out: NDArray[Any],
    alpha: float,
    beta: float,
    bias: NDArray[Any] | None,
    activation: int,
    dropout_rate: float,
    sampling: int,
    seed: int,
    stream: int,
    first_row: int,
    /,
) -> None: ...
def measure_peak(duration: float, /) -> float: ...

# activation
def elementwise(name: str, x: NDArray[Any], out: NDArray[Any], function: int, /) -> None: ...
def activation_backward(
    grad: NDArray[Any],
    y: NDArray[Any],
    out: NDArray[Any],
    activation: int,
    dropout_rate: float,
    seed: int,
    stream: int,
    first_row: int,
    /,
) -> None: ...
def dropout(
    x: NDArray[Any],
    out: NDArray[Any],
    rate: float,
    seed: int,
    stream: int,
    first_row: int,
    /,
) -> None: ...

# random
def uniform(out: NDArray[Any], seed: int, stream: int, first_row: int, /) -> None: ...
def normal(out: NDArray[Any], seed: int, stream: int, first_row: int, /) -> None: ...
def bernoulli(
    p: NDArray[Any], out: NDArray[Any], seed: int, stream: int, first_row: int, /
) -> None: ...

# reduction, loss, optimizer
def column_sums(x: NDArray[Any], out: NDArray[Any], /) -> None: ...
def row_sums(x: NDArray[Any], out: NDArray[Any], /) -> None: ...
def log_sum_exp(x: NDArray[Any], out: NDArray[Any], /) -> None: ...
def softmax(x: NDArray[Any], out: NDArray[Any], /) -> None: ...
def log_softmax(x: NDArray[Any], out: NDArray[Any], /) -> None: ...
def sum_of_squares(x: NDArray[Any], /) -> float: ...
def loss(
    kind: int,
    logits: NDArray[Any],
    targets: NDArray[Any],
    gradient: NDArray[Any] | None,
    weights: NDArray[Any] | None,
    scale: float,
    /,
) -> float: ...
def output_curvature(
    kind: int,
    logits: NDArray[Any],
    v: NDArray[Any],
    out: NDArray[Any],
    weights: NDArray[Any] | None,
    scale: float,
    /,
) -> None: ...
def sgd_update(
    parameters: NDArray[Any],
    gradient: NDArray[Any],
    velocity: NDArray[Any] | None,
    learning_rate: float,
    momentum: float,
    nesterov: bool,
    dampened: bool,
    gradient_scale: float,
    l1: float,
    l2: float,
    segments: NDArray[Any] | None,
    /,
) -> None: ...
def rmsprop_update(
    parameters: NDArray[Any],
    gradient: NDArray[Any],
    mean_square: NDArray[Any],
    velocity: NDArray[Any] | None,
    learning_rate: float,
    decay: float,
    epsilon: float,
    momentum: float,
    gradient_scale: float,
    l1: float,
    l2: float,
    segments: NDArray[Any] | None,
    /,
) -> None: ...
def adam_update(
    parameters: NDArray[Any],
    gradient: NDArray[Any],
    mean: NDArray[Any],
    mean_square: NDArray[Any],
    step: int,
    learning_rate: float,
    beta1: float,
    beta2: float,
    epsilon: float,
    decoupled_decay: float,
    gradient_scale: float,
    l1: float,
    l2: float,
    segments: NDArray[Any] | None,
    /,
) -> None: ...
def max_norm(weights: NDArray[Any], limit: float, /) -> None: ...
