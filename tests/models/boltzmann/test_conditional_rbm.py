"""The conditional RBM: machine by enumeration, sequences learned, continued and completed."""

import pickle

import numpy as np
import pytest
from sklearn.utils.estimator_checks import check_estimator

import ictus
from ictus import ConditionalRBM
from ictus.models import ConditionalMachine, DivergenceTrainer, Windows
from tests.models.enumeration import binary_states, divergence, visible_states


def make_machine(visible=4, hidden=3, context=5, seed=0, dtype="float64", **options):
    machine = ConditionalMachine(visible, hidden, context, dtype=dtype, seed=seed, **options)
    machine.parameters[...] = np.random.default_rng(seed).normal(0, 0.7, machine.parameter_count)
    return machine


def energies(machine, v, h, u):
    """E(v, h | u) of each pair, in one context."""
    b = machine.visible_bias + u @ machine.visible_context
    c = machine.hidden_bias + u @ machine.hidden_context
    gaussian = machine.visible_type == "gaussian"
    visible = np.square(v - b).sum(axis=1) / 2 if gaussian else -(v @ b)
    out = visible[:, None] - (h @ c)[None] - v @ machine.weights @ h.T
    return out + np.square(h).sum(axis=1) / 2 if machine.hidden_type == "gaussian" else out


class TestMachine:
    @pytest.mark.parametrize("visible_type", ["bernoulli", "gaussian", "softmax"])
    def test_energies_by_enumeration(self, visible_type):
        size = 2 if visible_type == "softmax" else 1
        machine = make_machine(visible_type=visible_type, group_size=size)
        generator = np.random.default_rng(1)
        u = generator.normal(size=(3, 5))
        h = binary_states(3)
        v = (
            generator.normal(size=(3, 4))
            if visible_type == "gaussian"
            else visible_states(machine)[:3]
        )
        for i in range(3):
            pairs = energies(machine, v, h, u[i])
            contexts = np.tile(u[i], (3, 1))
            free_energy = -np.logaddexp.reduce(-pairs, axis=1)
            np.testing.assert_allclose(machine.free_energy(v, contexts), free_energy, rtol=1e-10)
            np.testing.assert_allclose(
                machine.energy(v, h[:3], contexts), pairs[np.arange(3), np.arange(3)], rtol=1e-10
            )

    def test_a_context_of_zeros_is_the_machine_without(self):
        machine = make_machine()
        v, zeros = visible_states(machine), np.zeros((16, 5))
        plain = ictus.RBM(4, 3, dtype="float64")
        plain.parameters[...] = machine.parameters[: plain.parameter_count]
        np.testing.assert_allclose(machine.mean_hiddens(v, zeros), plain.mean_hiddens(v))
        np.testing.assert_allclose(machine.free_energy(v, zeros), plain.free_energy(v))

    def test_chains_draw_from_the_conditional_distribution(self):
        machine = make_machine()
        v, u = visible_states(machine), np.random.default_rng(3).normal(size=5)
        log_p = np.logaddexp.reduce(-energies(machine, v, binary_states(3), u), axis=1)
        p = np.exp(log_p - np.logaddexp.reduce(log_p))
        found = machine.sample(20_000, steps=30, context=np.tile(u, (20_000, 1)))
        counts = np.bincount(found.astype(int) @ [8, 4, 2, 1], minlength=16)
        # Of n draws the divergence of the shares found is chi square / 2n: 15 / 2n on average.
        assert divergence(counts / counts.sum(), p) < 5 * 15 / 40_000

    def test_gradient_of_the_context_weights_is_learned(self):
        """A machine without hidden influence is logistic regression on the context."""
        generator = np.random.default_rng(0)
        u = generator.normal(size=(3000, 2))
        p = 1 / (1 + np.exp(-(u @ [[2.0, -1.0], [0.0, 1.0]] + [0.5, -0.5])))
        x = (generator.random(p.shape) < p).astype(float)
        machine = ConditionalMachine(2, 1, 2, seed=0)
        windows = Windows([x], 0, [u])
        DivergenceTrainer(machine, epochs=60, learning_rate=0.05, progress=False).fit(windows)
        np.testing.assert_allclose(machine.visible_context, [[2, -1], [0, 1]], atol=0.25)

    def test_pickle_and_file(self, tmp_path):
        machine = make_machine(dtype="float32")
        v, u = visible_states(machine), np.ones((16, 5))
        ictus.save(tmp_path / "machine", machine)
        for other in (pickle.loads(pickle.dumps(machine)), ictus.load(tmp_path / "machine")):
            np.testing.assert_array_equal(other.free_energy(v, u), machine.free_energy(v, u))


class TestWindows:
    @pytest.mark.parametrize("order", [0, 1, 3])
    def test_contexts(self, order):
        generator = np.random.default_rng(0)
        sequences = [generator.normal(size=(n, 2)) for n in (5, 1, 4)]
        inputs = [generator.normal(size=(n, 3)) for n in (5, 1, 4)]
        windows = Windows(sequences, order, inputs, np.float64)
        assert windows.size == 10
        assert windows.context_units == 2 * order + 3
        rows = [(s, t) for s, n in enumerate((5, 1, 4)) for t in range(n)]
        order_of_rows = generator.permutation(10)
        v, context = windows.take(order_of_rows)
        for i, row in enumerate(order_of_rows):
            s, t = rows[row]
            padded = np.concatenate([np.zeros((order, 2)), sequences[s]])
            expected = np.append(padded[t : t + order].ravel(), inputs[s][t])
            np.testing.assert_array_equal(v[i], sequences[s][t])
            np.testing.assert_array_equal(context[i], expected)

    @pytest.mark.parametrize(
        ("call", "message"),
        [
            (lambda: Windows([]), "sequences must be arrays of shape"),
            (lambda: Windows([np.zeros(3)]), "sequences must be arrays of shape"),
            (lambda: Windows([np.zeros((3, 2)), np.zeros((3, 4))]), r"sequence 1 must have shape"),
            (lambda: Windows([np.zeros((3, 2))], -1), "order must be a non-negative integer"),
            (
                lambda: Windows([np.zeros((3, 2))], 0),
                "order must be positive where there are no in",
            ),
            (
                lambda: Windows([np.zeros((3, 2))], 1, [np.zeros((2, 1))]),
                "inputs must have the leng",
            ),
            (
                lambda: Windows([np.zeros((1, 2))], 1, [np.full((1, 1), np.nan)]),
                "inputs must be finite",
            ),
        ],
    )
    def test_bad_arguments(self, call, message):
        with pytest.raises(ValueError, match=message):
            call()


def rounds(count=6, frames=60):
    """Patterns that go round: which of eight units is on is settled by the two frames before."""
    steps = [1, -1]
    return [np.eye(8)[(start + steps[start % 2] * np.arange(frames)) % 8] for start in range(count)]


@pytest.fixture(scope="module")
def dancer():
    return ConditionalRBM(
        30,
        order=2,
        visible_type="bernoulli",
        learning_rate=0.1,
        batch_size=20,
        n_iter=150,
        random_state=0,
    ).fit(rounds())


class TestSequences:
    def test_continues_a_deterministic_sequence(self, dancer):
        for sequence in rounds(8, 40)[6:]:  # starts not seen in training
            continued = dancer.generate(sequence[:4], steps=36)
            np.testing.assert_array_equal(continued.argmax(axis=1), sequence[4:].argmax(axis=1))

    def test_completes_missing_frames(self, dancer):
        sequence = rounds(8, 40)[7]
        known = np.ones(sequence.shape, bool)
        known[10:15] = False
        known[20:, :4] = False
        completed = dancer.complete(sequence, known)
        np.testing.assert_array_equal(completed.argmax(axis=1), sequence.argmax(axis=1))
        np.testing.assert_array_equal(completed[known], sequence[known])
        np.testing.assert_array_equal(
            dancer.complete(np.where(known, sequence, np.nan)).argmax(axis=1),
            sequence.argmax(axis=1),
        )

    def test_right_sequences_are_more_probable(self, dancer):
        sequence = rounds(8, 40)[6]
        wrong = np.random.default_rng(0).permutation(sequence)
        scores = [dancer.score_samples(each)[2:].mean() for each in (sequence, wrong)]
        assert scores[0] > scores[1] + 3

    def test_inputs_decide(self):
        generator = np.random.default_rng(0)
        inputs = [np.eye(2)[generator.integers(0, 2, 50)] for _ in range(10)]
        sequences = []
        for turns in inputs:
            place = np.cumsum(np.where(turns[:, 0] == 1, 1, -1)) % 6
            sequences.append(np.eye(6)[place])
        model = ConditionalRBM(
            60,
            visible_type="softmax",
            group_size=6,
            learning_rate=0.1,
            n_iter=300,
            batch_size=20,
            random_state=0,
        ).fit(sequences[:9], inputs=inputs[:9])
        past, turns = sequences[9], inputs[9]
        found = [model.generate(past[:t], 1, inputs=turns[t : t + 1]) for t in range(1, 50)]
        right = np.concatenate(found).argmax(axis=1) == past[1:].argmax(axis=1)
        assert right.mean() > 0.94

    def test_gaussian_oscillation(self):
        t = np.arange(600)[:, None]
        wave = np.hstack([np.sin(t / 6), np.cos(t / 6)]) * 1.4
        model = ConditionalRBM(20, order=2, learning_rate=0.005, n_iter=150, random_state=0)
        model.fit(wave[:500])
        predicted = model.generate(wave[:500], 30)
        assert np.square(predicted - wave[500:530]).mean() < 0.1 * wave.var()

    def test_forms_of_input_and_output(self, dancer):
        sequences = rounds(3, 20)
        features = dancer.transform(sequences)
        assert [f.shape for f in features] == [(20, 30)] * 3
        np.testing.assert_array_equal(dancer.transform(sequences[1]), features[1])
        assert dancer.reconstruct(sequences[0]).shape == (20, 8)
        assert dancer.denoise(sequences[0], noise=0.1).shape == (20, 8)
        assert dancer.generate(steps=3, mean=False).shape == (3, 8)

    def test_checkpoint_pickle_and_file(self, tmp_path):
        options = {"order": 2, "visible_type": "bernoulli", "random_state": 1}
        data = rounds(3, 30)
        whole = ConditionalRBM(8, n_iter=4, **options).fit(data)
        path = tmp_path / "checkpoint"
        ConditionalRBM(8, n_iter=2, checkpoint=path, **options).fit(data)
        parts = ConditionalRBM(8, n_iter=4, checkpoint=path, **options).fit(data)
        np.testing.assert_array_equal(parts.rbm_.parameters, whole.rbm_.parameters)
        ictus.save(tmp_path / "model", whole)
        for other in (pickle.loads(pickle.dumps(whole)), ictus.load(tmp_path / "model")):
            np.testing.assert_array_equal(other.transform(data[0]), whole.transform(data[0]))

    def test_partial_fit(self):
        model = ConditionalRBM(10, visible_type="bernoulli", learning_rate=0.3, random_state=0)
        for _ in range(600):
            model.partial_fit(rounds(2, 40))
        errors = model.history_["reconstruction_error"]
        assert errors[-1] < 0.5 * errors[0]

    def test_early_stopping_holds_sequences_out(self):
        model = ConditionalRBM(
            20, visible_type="bernoulli", early_stopping=True, n_iter=5, random_state=0
        )
        assert "free_energy_gap" in model.fit(rounds(4, 20)).history_
        assert "free_energy_gap" in model.fit(rounds(1, 40)[0]).history_


@pytest.mark.filterwarnings("ignore")
def test_scikit_learn_contract():
    """All checks pass but two: that the order of the rows does not matter. Here it is time.

    The learning rate is one for the values near 100 that some checks have.
    """
    results = check_estimator(ConditionalRBM(learning_rate=1e-6), on_fail=None, on_skip=None)
    assert len(results) > 40
    failed = {r["check_name"] for r in results if r["status"] == "failed"}
    assert failed <= {"check_methods_sample_order_invariance", "check_methods_subset_invariance"}


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda d: d.transform(np.zeros((4, 7))), ValueError, "expecting 8 features"),
        (lambda d: d.fit([2 * rounds()[0]]), ValueError, r"x must be in \[0, 1\] for bernoulli"),
        (lambda d: d.generate(steps=0), ValueError, "steps must be a positive integer, got 0"),
        (lambda d: d.generate(inputs=np.zeros((100, 1))), ValueError, "inputs must have shape"),
        (
            lambda d: d.transform(rounds()[0], np.zeros((60, 2))),
            ValueError,
            "inputs must have 0 co",
        ),
        (lambda d: d.sample(), AttributeError, "use generate"),
        (lambda d: ConditionalRBM().generate(), ValueError, "not fitted"),
        (lambda d: ConditionalRBM(order=-1).fit(rounds()), ValueError, "order must be a non-neg"),
        (
            lambda d: make_machine().mean_hiddens(np.zeros((2, 4))),
            ValueError,
            "context must be giv",
        ),
        (
            lambda d: make_machine().mean_hiddens(np.zeros((2, 4)), np.zeros((3, 5))),
            ValueError,
            "context must have 2 rows, got 3",
        ),
        (
            lambda d: DivergenceTrainer(make_machine()).fit(np.zeros((2, 4))),
            TypeError,
            "x must be Windows of sequences, got ndarray",
        ),
        (
            lambda d: DivergenceTrainer(make_machine()).fit(Windows([np.zeros((5, 4))])),
            ValueError,
            "x must have 4 visible and 5 context units, got 4 and 4",
        ),
        (
            lambda d: ictus.RBM(4, 2).mean_hiddens(np.zeros((2, 4)), np.zeros((2, 1))),
            ValueError,
            "context must be None: the machine is not conditional",
        ),
    ],
)
def test_bad_input(dancer, call, error, message):
    clone = pickle.loads(pickle.dumps(dancer))
    with pytest.raises(error, match=message):
        call(clone)
