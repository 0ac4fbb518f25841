"""Float64 NumPy of restricted Boltzmann machines, written to be read."""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass, field

import numpy as np

from tests import reference

Array = np.ndarray
# The same draws are asked for at every level; the reference takes its time to make them.
uniform = functools.lru_cache(1000)(reference.uniform)
normal = functools.lru_cache(1000)(reference.normal)


@dataclass
class Machine:
    """Parameters, by the equations of ictus/rbm.h."""

    weights: Array  # (visible, hidden)
    visible_bias: Array
    hidden_bias: Array
    variance: Array | None = None
    visible_type: str = "bernoulli"
    hidden_type: str = "bernoulli"
    group_size: int = 1

    def doubled(self) -> Machine:
        """The same in float64."""
        arrays = (self.weights, self.visible_bias, self.hidden_bias, self.variance)
        doubles = [None if a is None else a.astype(np.float64) for a in arrays]
        return Machine(*doubles, self.visible_type, self.hidden_type, self.group_size)

    def scaled(self, visible: Array) -> Array:
        """Visible states as the hidden units see them: divided by the variance."""
        return visible if self.variance is None else visible / self.variance

    def hidden_input(self, visible: Array, row_bias: Array | None = None) -> Array:
        bias = self.hidden_bias if row_bias is None else row_bias
        return self.scaled(visible) @ self.weights + bias

    def visible_input(self, hidden: Array, row_bias: Array | None = None) -> Array:
        bias = self.visible_bias if row_bias is None else row_bias
        return hidden @ self.weights.T + bias


def softmax(x: Array, group: int) -> Array:
    """Of each group of a row."""
    grouped = x.reshape(len(x), -1, group)
    e = np.exp(grouped - grouped.max(axis=-1, keepdims=True))
    return (e / e.sum(axis=-1, keepdims=True)).reshape(x.shape)


def unit_means(kind: str, x: Array, group: int = 1) -> Array:
    if kind == "bernoulli":
        return reference.sigmoid(x)
    if kind == "rectified":
        return reference.softplus(x)
    if kind == "softmax":
        return softmax(x, group)
    if kind == "labelled":
        plain, label = x[:, :-group], x[:, -group:]
        return np.concatenate([reference.sigmoid(plain), softmax(label, group)], axis=1)
    return x


@dataclass
class Draws:
    """Which random numbers a layer draws."""

    seed: int = 0
    stream: int = 0
    first_row: int = 0
    dtype: type = np.float64

    def uniform(self, rows: int, columns: int) -> Array:
        u = uniform(rows, columns, self.dtype, self.seed, self.stream, self.first_row)
        return u.astype(np.float64)

    def normal(self, rows: int, columns: int) -> Array:
        return normal(rows, columns, self.dtype, self.seed, self.stream, self.first_row)


def unit_samples(
    kind: str, x: Array, draws: Draws, group: int = 1, variance: Array | None = None
) -> Array:
    """Samples of units whose inputs are x (ictus/rbm.h)."""
    rows, columns = x.shape
    if kind == "bernoulli":
        return (draws.uniform(rows, columns) < reference.sigmoid(x)).astype(np.float64)
    if kind == "rectified":
        deviation = np.sqrt(reference.sigmoid(x))
        return np.maximum(0, x + deviation * draws.normal(rows, columns))
    if kind == "gaussian":
        deviation = 1 if variance is None else np.sqrt(variance)
        return x + deviation * draws.normal(rows, columns)
    if kind == "labelled":  # the label draws by the number of its first unit
        plain = columns - group
        u = draws.uniform(rows, plain + 1)
        bits = (u[:, :plain] < reference.sigmoid(x[:, :plain])).astype(np.float64)
        return np.concatenate([bits, group_samples(x[:, plain:], u[:, plain:], group)], axis=1)
    return group_samples(x, draws.uniform(rows, columns // group), group)


def group_samples(x: Array, uniforms: Array, group: int) -> Array:
    """States of softmax groups, by inverting their distribution at a number each."""
    rows, columns = x.shape
    below = np.cumsum(softmax(x, group).reshape(rows, columns // group, group), axis=-1)
    u = uniforms[..., None] * below[..., -1:]
    chosen = np.minimum((u >= below).sum(axis=-1), group - 1)
    return np.eye(group)[chosen].reshape(rows, columns)


# --- free energy and what follows from it --------------------------------------------------------


def visible_energy(m: Machine, visible: Array) -> Array:
    """The terms of the energy without hidden units."""
    if m.visible_type != "gaussian":
        return -visible @ m.visible_bias
    variance = np.ones_like(m.visible_bias) if m.variance is None else m.variance
    return (((visible - m.visible_bias) ** 2) / (2 * variance)).sum(axis=1)


def free_energy(m: Machine, visible: Array, beta: Array | float = 1.0) -> Array:
    x = m.hidden_input(visible)
    b = np.asarray(beta)[..., None]
    hidden = b / 2 * x**2 if m.hidden_type == "gaussian" else reference.softplus(b * x)
    return beta * visible_energy(m, visible) - hidden.sum(axis=1)


def visible_states(m: Machine) -> Array:
    """All states of Bernoulli or softmax visible units."""
    units = len(m.visible_bias)
    if m.visible_type == "bernoulli":
        return np.array(list(itertools.product((0.0, 1.0), repeat=units)))
    if m.visible_type == "labelled":
        bits = itertools.product((0.0, 1.0), repeat=units - m.group_size)
        return np.array([(*b, *y) for b in bits for y in np.eye(m.group_size)])
    groups = itertools.product(np.eye(m.group_size), repeat=units // m.group_size)
    return np.array([np.concatenate(each) for each in groups])


def log_likelihood(m: Machine, data: Array) -> float:
    """The mean log-probability of visible states, by enumeration of all."""
    negative = -free_energy(m, visible_states(m))
    top = negative.max()
    partition = top + np.log(np.exp(negative - top).sum())
    return float((-free_energy(m, data) - partition).mean())


# --- contrastive divergence ----------------------------------------------------------------------


@dataclass
class Training:
    """Everything that an update changes, beside the machine."""

    weights_velocity: Array
    visible_velocity: Array
    hidden_velocity: Array
    particles: Array | None = None
    fast_weights: Array | None = None
    visible_context: Array | None = None
    hidden_context: Array | None = None
    visible_context_velocity: Array | None = None
    hidden_context_velocity: Array | None = None
    log_variance: Array | None = None
    log_variance_velocity: Array | None = None
    activity: Array | None = None


@dataclass
class Rule:
    """The numbers of an update, by the names of ContrastiveDivergence.update."""

    steps: int = 1
    weight_rate: float = 0.1
    bias_rate: float = 0.1
    momentum: float = 0.0
    l1: float = 0.0
    l2: float = 0.0
    negative_scale: float = 0.0
    fast_rate: float = 0.0
    fast_decay: float = 0.95
    variance_rate: float = 0.0
    lowest_log_variance: float = -7.0
    highest_log_variance: float = 7.0
    sparsity_target: float = 0.0
    sparsity_cost: float = 0.0
    sparsity_decay: float = 0.9
    seed: int = 0
    stream: int = 0


@dataclass
class Chain:
    """The two phases of an update."""

    positive_visible: Array
    positive_hidden: Array
    negative_visible: Array
    negative_hidden: Array
    states: Array = field(default_factory=lambda: np.empty(0))


def run_chain(m: Machine, t: Training, data: Array, rule: Rule, context: Array | None) -> Chain:
    """The means of the data's hidden units, and the chain of `steps` steps from them."""
    visible_rows = hidden_rows = None
    if context is not None:
        visible_rows = m.visible_bias + context @ t.visible_context
        hidden_rows = m.hidden_bias + context @ t.hidden_context
    x = m.hidden_input(data, hidden_rows)
    positive = unit_means(m.hidden_type, x)
    if t.particles is None:
        hidden = unit_samples(m.hidden_type, x, Draws(rule.seed, rule.stream))
    else:
        hidden = t.particles
    weights = m.weights if t.fast_weights is None else m.weights + t.fast_weights
    moving = Machine(weights, *list(vars(m).values())[1:])
    for k in range(rule.steps):
        draws = Draws(rule.seed, rule.stream + 1 + 2 * k)
        x = moving.visible_input(hidden, visible_rows)
        visible = unit_samples(m.visible_type, x, draws, m.group_size, m.variance)
        x = moving.hidden_input(visible, hidden_rows)
        hidden = unit_samples(m.hidden_type, x, Draws(rule.seed, rule.stream + 2 + 2 * k))
    return Chain(data, positive, visible, unit_means(m.hidden_type, x), hidden)


def move(w: Array, velocity: Array, gradient: Array, rate: float, rule: Rule, decay: bool) -> None:
    """One step of a parameter, in place."""
    if decay:
        gradient = gradient - rule.l2 * w - rule.l1 * np.sign(w)
    velocity *= rule.momentum
    velocity += rate * gradient
    w += velocity


def log_variance_gradient(m: Machine, c: Chain, visible_rows: Array, hidden: Array) -> Array:
    """exp(-z) times the phases' difference of (v - b)^2 / 2 - v (W h) (Cho, Ilin & Raiko 2011)."""

    def phase(v: Array, h: Array) -> Array:
        return ((v - visible_rows) ** 2 / 2 - v * (h @ m.weights.T)).mean(axis=0)

    positive = phase(c.positive_visible, hidden)
    negative = phase(c.negative_visible, c.negative_hidden)
    return (positive - negative) / m.variance


def update(m: Machine, t: Training, data: Array, rule: Rule, context: Array | None = None) -> Chain:
    """One update of the machine and its training state, in place."""
    c = run_chain(m, t, data, rule, context)
    negative_scale = rule.negative_scale or 1 / len(c.negative_visible)
    positive_hidden = c.positive_hidden
    if rule.sparsity_cost:
        t.activity *= rule.sparsity_decay
        t.activity += (1 - rule.sparsity_decay) * positive_hidden.mean(axis=0)
        excess = t.activity - rule.sparsity_target
        positive_hidden = positive_hidden - rule.sparsity_cost * excess

    def difference(positive: Array, negative: Array) -> Array:
        return positive / len(data) - negative_scale * negative

    variance = np.ones_like(m.visible_bias) if m.variance is None else m.variance.copy()
    ones = (np.ones((1, len(data))), np.ones((1, len(c.negative_visible))))

    def statistics(left: tuple[Array, Array], right: tuple[Array, Array]) -> Array:
        return difference(left[0] @ right[0], left[1] @ right[1])

    visible = (c.positive_visible, c.negative_visible)
    hidden = (positive_hidden, c.negative_hidden)
    gradient = statistics((visible[0].T, visible[1].T), hidden) / variance[:, None]
    visible_gradient = statistics(ones, visible)[0] / variance
    hidden_gradient = statistics(ones, hidden)[0]
    rows = m.visible_bias if context is None else m.visible_bias + context @ t.visible_context
    if t.log_variance is not None:
        z_gradient = log_variance_gradient(m, c, rows, positive_hidden)
    if context is not None:
        by_context = (context.T, context.T)
        a = statistics(by_context, visible) / variance
        b = statistics(by_context, hidden)
        move(t.visible_context, t.visible_context_velocity, a, rule.weight_rate, rule, True)
        move(t.hidden_context, t.hidden_context_velocity, b, rule.weight_rate, rule, True)
    if t.fast_weights is not None:
        t.fast_weights *= rule.fast_decay
        t.fast_weights += rule.fast_rate * gradient
    if t.log_variance is not None:
        move(t.log_variance, t.log_variance_velocity, z_gradient, rule.variance_rate, rule, False)
        t.log_variance.clip(rule.lowest_log_variance, rule.highest_log_variance, t.log_variance)
        m.variance[:] = np.exp(t.log_variance)
    move(m.weights, t.weights_velocity, gradient, rule.weight_rate, rule, True)
    move(m.visible_bias, t.visible_velocity, visible_gradient, rule.bias_rate, rule, False)
    move(m.hidden_bias, t.hidden_velocity, hidden_gradient, rule.bias_rate, rule, False)
    if t.particles is not None:
        t.particles[...] = c.states
    return c
