"""The native module: kernels on arrays that the callers in ictus.kernels have prepared."""

from collections.abc import Sequence
from typing import Any, final

from numpy.typing import NDArray

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

# random
def uniform(out: NDArray[Any], seed: int, stream: int, first_row: int, /) -> None: ...
def normal(out: NDArray[Any], seed: int, stream: int, first_row: int, /) -> None: ...
def bernoulli(
    p: NDArray[Any], out: NDArray[Any], seed: int, stream: int, first_row: int, /
) -> None: ...

# rbm
@final
class RbmModel:
    def __init__(
        self,
        weights: NDArray[Any],
        visible_bias: NDArray[Any],
        hidden_bias: NDArray[Any],
        variance: NDArray[Any] | None,
        visible_units: int,
        hidden_units: int,
        group: int,
    ) -> None: ...
    @property
    def shape(self) -> tuple[int, int]: ...

def hidden_layer(
    model: RbmModel,
    given: NDArray[Any],
    row_bias: NDArray[Any] | None,
    inverse_temperature: NDArray[Any] | None,
    mean: NDArray[Any] | None,
    sample: NDArray[Any] | None,
    uniforms: NDArray[Any] | None,
    seed: int,
    stream: int,
    first_row: int,
    /,
) -> None: ...
def visible_layer(
    model: RbmModel,
    given: NDArray[Any],
    row_bias: NDArray[Any] | None,
    inverse_temperature: NDArray[Any] | None,
    mean: NDArray[Any] | None,
    sample: NDArray[Any] | None,
    uniforms: NDArray[Any] | None,
    seed: int,
    stream: int,
    first_row: int,
    /,
) -> None: ...
def free_energy(
    model: RbmModel,
    visible: NDArray[Any],
    inverse_temperature: NDArray[Any] | None,
    out: NDArray[Any],
    /,
) -> None: ...

@final
class ContrastiveDivergence:
    def __init__(
        self,
        model: RbmModel,
        weights_velocity: NDArray[Any],
        visible_velocity: NDArray[Any],
        hidden_velocity: NDArray[Any],
        *,
        particles: NDArray[Any] | None = None,
        fast_weights: NDArray[Any] | None = None,
        visible_context: NDArray[Any] | None = None,
        hidden_context: NDArray[Any] | None = None,
        visible_context_velocity: NDArray[Any] | None = None,
        hidden_context_velocity: NDArray[Any] | None = None,
        log_variance: NDArray[Any] | None = None,
        log_variance_velocity: NDArray[Any] | None = None,
        activity: NDArray[Any] | None = None,
    ) -> None: ...
    def update(
        self,
        data: NDArray[Any],
        *,
        context: NDArray[Any] | None = None,
        steps: int = 1,
        weight_rate: float = 0.1,
        bias_rate: float = 0.1,
        momentum: float = 0.0,
        l1: float = 0.0,
        l2: float = 0.0,
        negative_scale: float = 0.0,
        visible_uniforms: NDArray[Any] | None = None,
        hidden_uniforms: NDArray[Any] | None = None,
        fast_rate: float = 0.0,
        fast_decay: float = 0.95,
        variance_rate: float = 0.0,
        lowest_log_variance: float = -7.0,
        highest_log_variance: float = 7.0,
        sparsity_target: float = 0.0,
        sparsity_cost: float = 0.0,
        sparsity_decay: float = 0.9,
        seed: int = 0,
        stream: int = 0,
    ) -> None: ...

# mean_covariance
@final
class MeanCovarianceModel:
    def __init__(
        self,
        filters: NDArray[Any],
        pooling: NDArray[Any] | None,
        weights: NDArray[Any],
        visible_bias: NDArray[Any],
        covariance_bias: NDArray[Any],
        mean_bias: NDArray[Any],
        offset: float,
    ) -> None: ...
    @property
    def shape(self) -> tuple[int, int, int, int]: ...
    @property
    def pooled(self) -> bool: ...

def mean_covariance_evaluate(
    model: MeanCovarianceModel,
    visible: NDArray[Any],
    covariance_mean: NDArray[Any] | None,
    mean_mean: NDArray[Any] | None,
    free_energy: NDArray[Any] | None,
    gradient: NDArray[Any] | None,
    /,
) -> None: ...
def mean_covariance_parameter_gradient(
    model: MeanCovarianceModel,
    visible: NDArray[Any],
    gradient: Sequence[NDArray[Any] | None],
    /,
) -> None: ...
def leapfrog(
    model: MeanCovarianceModel,
    visible: NDArray[Any],
    momentum: NDArray[Any],
    steps: int,
    step_size: float,
    energy_before: NDArray[Any] | None,
    energy_after: NDArray[Any] | None,
    /,
) -> None: ...
def hybrid_monte_carlo(
    model: MeanCovarianceModel,
    visible: NDArray[Any],
    trajectories: int,
    steps: int,
    step_size: float,
    seed: int,
    stream: int,
    first_row: int,
    acceptance: NDArray[Any] | None,
    free_energy: NDArray[Any] | None,
    /,
) -> None: ...

@final
class MeanCovarianceDivergence:
    def __init__(
        self,
        model: MeanCovarianceModel,
        velocity: Sequence[NDArray[Any] | None],
        *,
        particles: NDArray[Any] | None = None,
        filter_length: NDArray[Any] | None = None,
        pooling_mask: NDArray[Any] | None = None,
    ) -> None: ...
    def update(
        self,
        data: NDArray[Any],
        *,
        trajectories: int = 1,
        leapfrog_steps: int = 20,
        step_size: float = 0.01,
        rates: Sequence[float],
        momentum: float = 0.0,
        l1: float = 0.0,
        l2: float = 0.0,
        length_decay: float = 0.95,
        seed: int = 0,
        stream: int = 0,
        acceptance: NDArray[Any] | None = None,
        data_energy: NDArray[Any] | None = None,
        chain_energy: NDArray[Any] | None = None,
    ) -> None: ...

# tempering
def anneal(
    model: RbmModel,
    base_bias: NDArray[Any],
    inverse_temperature: NDArray[Any],
    visible: NDArray[Any],
    log_weights: NDArray[Any],
    seed: int,
    stream: int,
    /,
) -> None: ...
def parallel_tempering(
    model: RbmModel,
    base_bias: NDArray[Any],
    inverse_temperature: NDArray[Any],
    visible: NDArray[Any],
    temperature: NDArray[Any],
    row_at: NDArray[Any],
    swaps: NDArray[Any],
    steps: int,
    first_step: int,
    seed: int,
    stream: int,
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
