"""Boltzmann machines in the native module; _core.pyi has them in its name."""

from collections.abc import Sequence
from typing import Any, final

from numpy.typing import NDArray

Array = NDArray[Any]

# rbm
@final
class RbmModel:
    def __init__(
        self,
        weights: Array,
        visible_bias: Array,
        hidden_bias: Array,
        variance: Array | None,
        visible_units: int,
        hidden_units: int,
        group: int,
    ) -> None: ...
    @property
    def shape(self) -> tuple[int, int]: ...

def hidden_layer(
    model: RbmModel,
    given: Array,
    row_bias: Array | None,
    inverse_temperature: Array | None,
    mean: Array | None,
    sample: Array | None,
    uniforms: Array | None,
    seed: int,
    stream: int,
    first_row: int,
    /,
) -> None: ...
def visible_layer(
    model: RbmModel,
    given: Array,
    row_bias: Array | None,
    inverse_temperature: Array | None,
    mean: Array | None,
    sample: Array | None,
    uniforms: Array | None,
    seed: int,
    stream: int,
    first_row: int,
    /,
) -> None: ...
def free_energy(
    model: RbmModel, visible: Array, inverse_temperature: Array | None, out: Array, /
) -> None: ...
def label_energies(model: RbmModel, visible: Array, out: Array, /) -> None: ...

class ContrastiveDivergence:
    def __init__(
        self,
        model: RbmModel,
        weights_velocity: Array,
        visible_velocity: Array,
        hidden_velocity: Array,
        *,
        particles: Array | None = None,
        fast_weights: Array | None = None,
        visible_context: Array | None = None,
        hidden_context: Array | None = None,
        visible_context_velocity: Array | None = None,
        hidden_context_velocity: Array | None = None,
        log_variance: Array | None = None,
        log_variance_velocity: Array | None = None,
        activity: Array | None = None,
    ) -> None: ...
    def update(
        self,
        data: Array,
        *,
        context: Array | None = None,
        steps: int = 1,
        weight_rate: float = 0.1,
        bias_rate: float = 0.1,
        momentum: float = 0.0,
        l1: float = 0.0,
        l2: float = 0.0,
        negative_scale: float = 0.0,
        visible_uniforms: Array | None = None,
        hidden_uniforms: Array | None = None,
        fast_rate: float = 0.0,
        fast_decay: float = 0.95,
        variance_rate: float = 0.0,
        lowest_log_variance: float = -7.0,
        highest_log_variance: float = 7.0,
        sparsity_target: float = 0.0,
        sparsity_cost: float = 0.0,
        sparsity_decay: float = 0.9,
        chain_visible: Array | None = None,
        seed: int = 0,
        stream: int = 0,
    ) -> None: ...

class DeltaRule:
    def __init__(
        self, model: RbmModel, hidden: bool, weights_velocity: Array, bias_velocity: Array
    ) -> None: ...
    def update(
        self,
        given: Array,
        target: Array,
        *,
        weight_rate: float = 0.1,
        bias_rate: float = 0.1,
        momentum: float = 0.0,
        l1: float = 0.0,
        l2: float = 0.0,
    ) -> None: ...

# mean_covariance
@final
class MeanCovarianceModel:
    def __init__(
        self,
        filters: Array,
        pooling: Array | None,
        weights: Array,
        visible_bias: Array,
        covariance_bias: Array,
        mean_bias: Array,
        offset: float,
    ) -> None: ...
    @property
    def shape(self) -> tuple[int, int, int, int]: ...
    @property
    def pooled(self) -> bool: ...

def mean_covariance_evaluate(
    model: MeanCovarianceModel,
    visible: Array,
    covariance_mean: Array | None,
    mean_mean: Array | None,
    free_energy: Array | None,
    gradient: Array | None,
    /,
) -> None: ...
def mean_covariance_parameter_gradient(
    model: MeanCovarianceModel,
    visible: Array,
    gradient: Sequence[Array | None],
    /,
) -> None: ...
def leapfrog(
    model: MeanCovarianceModel,
    visible: Array,
    momentum: Array,
    steps: int,
    step_size: float,
    energy_before: Array | None,
    energy_after: Array | None,
    /,
) -> None: ...
def hybrid_monte_carlo(
    model: MeanCovarianceModel,
    visible: Array,
    trajectories: int,
    steps: int,
    step_size: float,
    seed: int,
    stream: int,
    first_row: int,
    acceptance: Array | None,
    free_energy: Array | None,
    /,
) -> None: ...

class MeanCovarianceDivergence:
    def __init__(
        self,
        model: MeanCovarianceModel,
        velocity: Sequence[Array | None],
        *,
        particles: Array | None = None,
        filter_length: Array | None = None,
        pooling_mask: Array | None = None,
    ) -> None: ...
    def update(
        self,
        data: Array,
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
        acceptance: Array | None = None,
        data_energy: Array | None = None,
        chain_energy: Array | None = None,
    ) -> None: ...

# tempering
def anneal(
    model: RbmModel,
    base_bias: Array,
    inverse_temperature: Array,
    visible: Array,
    log_weights: Array,
    seed: int,
    stream: int,
    /,
) -> None: ...
def parallel_tempering(
    model: RbmModel,
    base_bias: Array,
    inverse_temperature: Array,
    visible: Array,
    temperature: Array,
    row_at: Array,
    swaps: Array,
    steps: int,
    first_step: int,
    seed: int,
    stream: int,
    /,
) -> None: ...
