"""Hessian-free optimisation on objectives with known answers: damping, search, breakdowns."""

from types import SimpleNamespace

import numpy as np
import pytest

from ictus.optim import BreakdownError, HessianFree, make_optimizer


class Quadratic:
    """``x A x / 2 - b x``, with what the optimiser asks of an objective."""

    def __init__(self, matrix, b, start, dtype=np.float64):
        self.matrix, self.b = np.asarray(matrix, dtype), np.asarray(b, dtype)
        self.parameters = np.array(start, dtype)
        self.size = 1
        self.structural = []

    def loss(self):
        x = self.parameters
        return float(0.5 * x @ self.matrix @ x - self.b @ x)

    def loss_and_gradient(self, out):
        out[...] = self.matrix @ self.parameters - self.b
        return self.loss()

    def curvature(self, examples, seed):
        return self

    def preconditioner(self):
        return "empirical_fisher"

    def mean_squared_gradients(self, kind, seed, out):
        out[...] = np.diag(self.matrix) ** 2

    def set_structural_damping(self, value):
        self.structural.append(value)

    def product(self, direction, out):
        out[...] = self.matrix @ direction
        return out

    def forms(self, directions):
        return np.array([[u @ self.matrix @ v for v in directions] for u in directions])


class Rosenbrock(Quadratic):
    """The sum of squares (10 (y - x^2), 1 - x): curvature J^T J."""

    def __init__(self):
        super().__init__(np.eye(2), np.zeros(2), [-1.2, 1.0])

    def loss(self):
        x, y = self.parameters
        return float(0.5 * ((10 * (y - x * x)) ** 2 + (1 - x) ** 2))

    def loss_and_gradient(self, out):
        x, y = self.parameters
        j = np.array([[-20 * x, 10.0], [-1.0, 0.0]])
        self.matrix = j.T @ j
        out[...] = j.T @ np.array([10 * (y - x * x), 1 - x])
        return self.loss()


def prepared(objective, **options):
    optimizer = HessianFree(**options)
    count = len(objective.parameters)
    optimizer.prepare(objective.parameters, np.array([[0, count]]), [])
    return optimizer


def well(size=6):
    generator = np.random.default_rng(0)
    factor = generator.standard_normal((size, size))
    return factor @ factor.T + np.eye(size), generator.standard_normal(size)


@pytest.mark.parametrize("preconditioner", ["none", "empirical_fisher", "auto"])
@pytest.mark.parametrize("momentum", [0.0, 0.95])
def test_reaches_the_minimum_of_a_quadratic(preconditioner, momentum):
    matrix, b = well()
    objective = Quadratic(matrix, b, np.zeros(6))
    optimizer = prepared(objective, preconditioner=preconditioner, momentum=momentum)
    dampings = []
    for _ in range(25):
        log = optimizer.iterate(objective)
        if log.loss - log.new_loss > 1e-9:  # an exact model: the ratio is 1 whatever the damping
            assert log.reduction_ratio == pytest.approx(1, abs=1e-5)
            dampings.append(log.damping)
    np.testing.assert_allclose(objective.parameters, np.linalg.solve(matrix, b), atol=1e-5)
    assert dampings == sorted(dampings, reverse=True)
    assert len(dampings) > 4


@pytest.mark.parametrize("l2", [0.0, 0.3])
@pytest.mark.parametrize("preconditioner", ["none", "empirical_fisher"])
def test_steps_in_the_plane_are_conjugate_gradients(preconditioner, l2):
    matrix, b = well()
    objective = Quadratic(matrix, b, np.zeros(6))
    options = {"cg_steps": 0, "damping": 1e-9, "damping_factor": 1.0001, "l2": l2}
    optimizer = prepared(objective, preconditioner=preconditioner, **options)
    # As many steps as there are unknowns.
    for _ in range(6):
        log = optimizer.iterate(objective)
        assert (log.cg_steps, log.cg_reason, log.step_length) == (0, "plane", 1.0)
        assert log.reduction_ratio == pytest.approx(1, abs=1e-5)
    expected = np.linalg.solve(matrix + l2 * np.eye(6), b)
    np.testing.assert_allclose(objective.parameters, expected, atol=1e-6)


def test_the_plane_is_refused_with_structural_damping():
    with pytest.raises(ValueError, match="structural_damping needs cg_steps above 0"):
        HessianFree(cg_steps=0, structural_damping=0.1)


def test_minimises_a_function_that_is_no_quadratic():
    objective = Rosenbrock()
    optimizer = prepared(objective, preconditioner="none")
    losses = [optimizer.iterate(objective).new_loss for _ in range(60)]
    assert losses == sorted(losses, reverse=True)
    np.testing.assert_allclose(objective.parameters, 1, atol=1e-3)


def test_the_average_is_kept_beside_the_iterate():
    matrix, b = well()
    plain, averaged = Quadratic(matrix, b, np.ones(6)), Quadratic(matrix, b, np.ones(6))
    first, second = prepared(plain), prepared(averaged, averaging=0.3)
    expected = np.zeros(6)
    for step in range(1, 9):
        first.iterate(plain)
        log = second.iterate(averaged)
        decay = min((step - 1) / (step + 9), 0.3)
        expected = decay * expected + (1 - decay) * plain.parameters
        np.testing.assert_allclose(averaged.parameters, expected, rtol=1e-12)
        np.testing.assert_array_equal(second.state["iterate"], plain.parameters)
        assert log.new_loss == plain.loss()
    before = averaged.parameters.copy(), second.state["iterate"].copy()
    averaged.product = lambda direction, out: 1 / 0
    with pytest.raises(ZeroDivisionError):
        second.iterate(averaged)
    np.testing.assert_array_equal(averaged.parameters, before[0])
    np.testing.assert_array_equal(second.state["iterate"], before[1])


def test_l2_is_part_of_the_objective():
    matrix, b = well()
    objective = Quadratic(matrix, b, np.zeros(6))
    optimizer = HessianFree(l2=0.5, damping=1e-6, damping_factor=1.01)
    optimizer.prepare(objective.parameters, np.array([[1, 4]]), [])
    for _ in range(8):
        log = optimizer.iterate(objective)
    inside = np.diag([0, 1, 1, 1, 0, 0.0])
    expected = np.linalg.solve(matrix + 0.5 * inside, b)
    np.testing.assert_allclose(objective.parameters, expected, atol=1e-6)
    assert log.penalty == pytest.approx(0.25 * (expected[1:4] ** 2).sum(), rel=1e-4)
    assert log.new_loss == pytest.approx(objective.loss() + log.penalty)


class TestDamping:
    def log_with(self, change, damping=1.0):
        """Of a model that promises, beside an objective that keeps `change` of the promise."""
        objective = Quadratic(np.eye(2), np.ones(2), np.zeros(2))
        inner, start = objective.loss, objective.loss()
        objective.loss = lambda: start + change * (inner() - start)
        optimizer = prepared(objective, damping=damping, preconditioner="none")
        log = optimizer.iterate(objective)
        return log, optimizer

    @pytest.mark.parametrize(
        ("change", "factor"), [(1.0, 2 / 3), (0.8, 2 / 3), (0.5, 1.0), (0.2, 1.5)]
    )
    def test_follows_the_reduction_ratio(self, change, factor):
        log, optimizer = self.log_with(change)
        assert log.reduction_ratio == pytest.approx(change)
        assert optimizer.damping == pytest.approx(factor)

    def test_grows_where_nothing_is_better_and_the_parameters_stay(self):
        log, optimizer = self.log_with(-1.0)
        assert (log.step_length, log.new_loss) == (0.0, log.loss)
        assert optimizer.damping == pytest.approx(1.5)

    def test_structural_damping_goes_with_it(self):
        objective = Quadratic(np.eye(2), np.ones(2), np.zeros(2))
        optimizer = prepared(objective, damping=0.3, structural_damping=0.5)
        optimizer.iterate(objective)
        assert objective.structural[0] == pytest.approx(0.15)
        assert objective.structural[-1] == 0.0


class TestBreakdowns:
    def test_zero_gradient(self):
        objective = Quadratic(np.eye(2), np.zeros(2), np.zeros(2))
        log = prepared(objective).iterate(objective)
        assert (log.cg_reason, log.step_length, log.new_loss) == ("zero gradient", 0.0, 0.0)

    def test_negative_curvature_at_once(self):
        objective = Quadratic(-5 * np.eye(2), np.ones(2), np.ones(2))
        optimizer = prepared(objective, preconditioner="none")
        log = optimizer.iterate(objective)
        assert log.cg_reason == "negative curvature"
        assert optimizer.damping == 1.5**4
        np.testing.assert_array_equal(objective.parameters, 1)

    def test_negative_preconditioner_at_once(self):
        objective = Quadratic(np.eye(2), np.ones(2), np.zeros(2))
        factors = SimpleNamespace(count=1.0)
        factors.preconditioner = lambda count, damping: lambda v, out: np.negative(v, out=out)
        objective.kronecker = lambda seed: factors
        optimizer = prepared(objective, preconditioner="kronecker")
        log = optimizer.iterate(objective)
        assert (log.cg_reason, log.step_length) == ("negative preconditioner", 0.0)
        assert optimizer.damping == 1.5**4
        np.testing.assert_array_equal(objective.parameters, 0)

    def test_a_kept_preconditioner_that_fails_is_made_anew(self):
        """Where lambda is so low that the inverse is not positive, until lambda has grown."""
        asked = []

        class Factors:
            count = 1.0

            def __init__(self):
                self.moments = np.ones(1)

            def preconditioner(self, count, damping):
                asked.append(damping)
                sign = 1.0 if damping > 0.5 else -1.0
                return lambda vector, out: np.multiply(vector, sign, out=out)

        objective = Quadratic(np.diag([1.0, 2.0]), [1.0, 1.0], [0.0, 0.0])
        objective.kronecker = lambda seed: Factors()
        rule = prepared(
            objective, cg_steps=0, preconditioner="kronecker", factor_every=10, damping=0.15
        )
        lengths = [rule.iterate(objective).step_length for _ in range(3)]
        assert lengths[0] == 0.0
        assert lengths[1] > 0
        assert asked == pytest.approx([0.15, 0.15 * 1.5**4])

    @pytest.mark.parametrize("what", ["loss", "gradient", "product"])
    def test_not_finite(self, what):
        objective = Quadratic(*well(), np.arange(6.0))
        if what == "loss":
            objective.loss_and_gradient = lambda out: float("nan")
        elif what == "gradient":
            objective.loss_and_gradient = lambda out: out.fill(np.inf) or 0.0
        else:
            objective.product = lambda direction, out: out.fill(np.nan)
        optimizer = prepared(objective)
        with pytest.raises(BreakdownError, match=f"{what}.*(nan|inf|not finite)"):
            optimizer.iterate(objective)
        np.testing.assert_array_equal(objective.parameters, np.arange(6))

    def test_damping_beyond_bounds(self):
        objective = Quadratic(*well(), np.arange(6.0))
        objective.loss = lambda: 0.0
        optimizer = prepared(objective, damping=0.6e12)
        assert optimizer.exhausted == ""
        for _ in range(3):
            assert optimizer.iterate(objective).step_length == 0.0
        assert optimizer.exhausted == "no step reduces the loss"
        assert optimizer.damping == 1e12
        np.testing.assert_array_equal(objective.parameters, np.arange(6))

    def test_an_interruption_leaves_the_parameters(self):
        objective = Quadratic(*well(), np.arange(6.0))

        def interrupted():
            raise KeyboardInterrupt

        objective.loss = interrupted
        objective.loss_and_gradient = lambda out: out.fill(1.0) or 0.0
        with pytest.raises(KeyboardInterrupt):
            prepared(objective).iterate(objective)
        np.testing.assert_array_equal(objective.parameters, np.arange(6))


def test_backtracking_takes_the_iterate_that_is_best_on_the_examples():
    generator = np.random.default_rng(1)
    factor = generator.standard_normal((60, 60))
    matrix = factor @ factor.T
    objective = Quadratic(matrix, generator.standard_normal(60), np.zeros(60))
    whole = objective.loss
    # A loss that long steps make worse: the earliest iterates are the best.
    objective.loss = lambda: whole() + 1e3 * float(objective.parameters @ objective.parameters)
    first = prepared(objective, damping=1e-3, preconditioner="none").iterate(objective)
    objective.parameters[...] = 0
    options = {"damping": 1e-3, "preconditioner": "none", "backtracking": False}
    second = prepared(objective, **options).iterate(objective)
    assert first.cg_chosen < first.cg_steps == second.cg_chosen


def test_arguments():
    with pytest.raises(ValueError, match="HessianFree: damping must be positive, got 0"):
        HessianFree(damping=0)
    with pytest.raises(ValueError, match="damping_factor must be above 1, got 1"):
        HessianFree(damping_factor=1)
    with pytest.raises(ValueError, match="cg_steps must be an integer of at least 0, got -1"):
        HessianFree(cg_steps=-1)
    with pytest.raises(ValueError, match=r"preconditioner must be one of auto, none, .* got 'x'"):
        HessianFree(preconditioner="x")
    with pytest.raises(TypeError, match="needs an objective with curvature"):
        HessianFree().step(np.zeros(2), np.zeros(2))
    optimizer = make_optimizer("hessian-free", damping=3.0, structural_damping=0.1)
    config = optimizer.config()
    assert config["name"] == "hessian-free"
    assert make_optimizer(**config).config() == config
