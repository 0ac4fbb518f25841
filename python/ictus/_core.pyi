"""The native module: kernels on arrays that the callers in ictus.kernels have prepared."""

from typing import Any, final

from numpy.typing import NDArray

from ictus._core_machines import ContrastiveDivergence as ContrastiveDivergence
from ictus._core_machines import DeltaRule as DeltaRule
from ictus._core_machines import MeanCovarianceDivergence as MeanCovarianceDivergence
from ictus._core_machines import MeanCovarianceModel as MeanCovarianceModel
from ictus._core_machines import RbmModel as RbmModel
from ictus._core_machines import anneal as anneal
from ictus._core_machines import free_energy as free_energy
from ictus._core_machines import hidden_layer as hidden_layer
from ictus._core_machines import hybrid_monte_carlo as hybrid_monte_carlo
from ictus._core_machines import label_energies as label_energies
from ictus._core_machines import leapfrog as leapfrog
from ictus._core_machines import mean_covariance_evaluate as mean_covariance_evaluate
from ictus._core_machines import (
    mean_covariance_parameter_gradient as mean_covariance_parameter_gradient,
)
from ictus._core_machines import parallel_tempering as parallel_tempering
from ictus._core_machines import visible_layer as visible_layer
from ictus._core_music import hamming_nearest as hamming_nearest
from ictus._core_music import hamming_nearest_keys as hamming_nearest_keys
from ictus._core_music import hamming_within as hamming_within
from ictus._core_music import hamming_within_parts as hamming_within_parts
from ictus._core_music import multi_index_build as multi_index_build
from ictus._core_music import multi_index_nearest as multi_index_nearest
from ictus._core_music import multi_index_within as multi_index_within
from ictus._core_music import spectrogram as spectrogram
from ictus._core_music import viterbi_advance as viterbi_advance
from ictus._core_music import viterbi_forward as viterbi_forward
from ictus._core_music import viterbi_trace as viterbi_trace

# Levels and threads (bindings/runtime.cpp).
def instruction_set() -> str: ...
def instruction_sets() -> list[str]: ...
def set_instruction_set(name: str, /) -> None: ...
def num_threads() -> int: ...
def default_num_threads() -> int: ...
def set_num_threads(threads: int, /) -> None: ...

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
def squared_slopes(y: NDArray[Any], out: NDArray[Any], activation: int, /) -> None: ...
def add_contraction(
    y: NDArray[Any], factors: NDArray[Any], grad: NDArray[Any], activation: int, /
) -> None: ...

# noise
def corrupt(
    corruption: int,
    x: NDArray[Any],
    out: NDArray[Any],
    level: float,
    low: float,
    high: float,
    seed: int,
    stream: int,
    first_row: int,
    /,
) -> None: ...

# probabilistic pooling
def probabilistic_pooling(
    x: NDArray[Any],
    down: int,
    across: int,
    mean: NDArray[Any],
    sample: NDArray[Any] | None,
    pooled_mean: NDArray[Any] | None,
    pooled_sample: NDArray[Any] | None,
    log_sum: NDArray[Any] | None,
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

# conjugate_gradient
def cg_damp(
    direction: NDArray[Any],
    product: NDArray[Any],
    damping: float,
    l2: float,
    segments: NDArray[Any] | None,
    /,
) -> float: ...
def cg_advance(
    alpha: float,
    direction: NDArray[Any],
    product: NDArray[Any],
    inverse: NDArray[Any] | None,
    gradient: NDArray[Any],
    x: NDArray[Any],
    residual: NDArray[Any],
    /,
) -> tuple[float, float]: ...
def cg_turn(
    beta: float,
    residual: NDArray[Any],
    inverse: NDArray[Any] | None,
    direction: NDArray[Any],
    /,
) -> None: ...

# convolution
def convolution(
    x: NDArray[Any],
    weights: NDArray[Any],
    out: NDArray[Any],
    bias: NDArray[Any] | None,
    activation: int,
    beta: float,
    geometry: tuple[int, ...],
    /,
) -> None: ...
def convolution_data_gradient(
    y_gradient: NDArray[Any],
    weights: NDArray[Any],
    out: NDArray[Any],
    beta: float,
    geometry: tuple[int, ...],
    /,
) -> None: ...
def convolution_weights_gradient(
    x: NDArray[Any],
    y_gradient: NDArray[Any],
    out: NDArray[Any],
    beta: float,
    geometry: tuple[int, ...],
    /,
) -> None: ...

# batch_normalization
def batch_normalization(
    x: NDArray[Any],
    scale: NDArray[Any],
    shift: NDArray[Any],
    running_mean: NDArray[Any],
    running_variance: NDArray[Any],
    mean: NDArray[Any],
    reciprocal_deviation: NDArray[Any],
    out: NDArray[Any],
    activation: int,
    epsilon: float,
    momentum: float,
    training: bool,
    /,
) -> None: ...
def batch_normalization_backward(
    y_gradient: NDArray[Any],
    x: NDArray[Any],
    mean: NDArray[Any],
    reciprocal_deviation: NDArray[Any],
    scale: NDArray[Any],
    scale_gradient: NDArray[Any],
    shift_gradient: NDArray[Any],
    x_gradient: NDArray[Any] | None,
    beta: float,
    training: bool,
    /,
) -> None: ...
def batch_normalization_tangent(
    x: NDArray[Any],
    x_dot: NDArray[Any] | None,
    mean: NDArray[Any],
    reciprocal_deviation: NDArray[Any],
    scale: NDArray[Any],
    scale_dot: NDArray[Any],
    shift_dot: NDArray[Any],
    out: NDArray[Any],
    training: bool,
    /,
) -> None: ...
def multiply_channels(x: NDArray[Any], factors: NDArray[Any], out: NDArray[Any], /) -> None: ...

# pooling
def max_pooling(
    x: NDArray[Any],
    out: NDArray[Any],
    argmax: NDArray[Any] | None,
    geometry: tuple[int, ...],
    /,
) -> None: ...
def max_pooling_backward(
    y_gradient: NDArray[Any],
    argmax: NDArray[Any],
    out: NDArray[Any],
    geometry: tuple[int, ...],
    /,
) -> None: ...
def max_pooling_tangent(
    x_dot: NDArray[Any],
    argmax: NDArray[Any],
    out: NDArray[Any],
    geometry: tuple[int, ...],
    /,
) -> None: ...
def average_pooling(x: NDArray[Any], out: NDArray[Any], geometry: tuple[int, ...], /) -> None: ...
def average_pooling_backward(
    y_gradient: NDArray[Any], out: NDArray[Any], geometry: tuple[int, ...], /
) -> None: ...

# pooled_convolution
def pooled_convolution(
    x: NDArray[Any],
    weights: NDArray[Any],
    bias: NDArray[Any] | None,
    activation: int,
    out: NDArray[Any],
    argmax: NDArray[Any] | None,
    geometry: tuple[int, ...],
    /,
) -> None: ...
def pooled_convolution_backward(
    x: NDArray[Any],
    weights: NDArray[Any],
    y: NDArray[Any],
    y_gradient: NDArray[Any],
    argmax: NDArray[Any] | None,
    activation: int,
    beta: float,
    weights_gradient: NDArray[Any],
    bias_gradient: NDArray[Any],
    x_gradient: NDArray[Any] | None,
    geometry: tuple[int, ...],
    /,
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

# Recurrent layers: lengths of a ragged batch; a layer's parameters (or gradients) and its passes
@final
class Sequences:
    def __init__(self, lengths: NDArray[Any]) -> None: ...
    @property
    def count(self) -> int: ...
    @property
    def rows(self) -> int: ...

class _RecurrentPasses:
    def __init__(
        self,
        input_weights: NDArray[Any],
        recurrent_weights: NDArray[Any],
        bias: NDArray[Any],
        extra: NDArray[Any] | None = None,
        activation: int = 2,
    ) -> None: ...
    inputs: int
    units: int
    directions: int
    # Arrays, or None where that is allowed, in the order of cpp/bindings/sequence.h.
    def forward(self, sequences: Sequences, /, *arrays: NDArray[Any] | None) -> None: ...
    def backward(self, sequences: Sequences, /, *arrays: Any) -> None: ...
    def tangent(self, sequences: Sequences, /, *arrays: Any) -> None: ...

class _RecurrentStream:
    state: NDArray[Any]
    def __init__(self, layer: Any) -> None: ...
    def step(self, x: NDArray[Any], y: NDArray[Any], /) -> None: ...
    def reset(self) -> None: ...
    def pack(self) -> None: ...

class GRULayer(_RecurrentPasses): ...
class GRUStream(_RecurrentStream): ...
class LSTMLayer(_RecurrentPasses): ...
class LSTMStream(_RecurrentStream): ...
class RecurrentLayer(_RecurrentPasses): ...
class RecurrentStream(_RecurrentStream): ...
