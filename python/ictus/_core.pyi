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
