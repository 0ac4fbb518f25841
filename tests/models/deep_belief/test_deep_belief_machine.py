"""The deep belief net: layers, labels, chains, and its unrolled network, against enumeration."""

import itertools
import pickle

import numpy as np
import pytest

from ictus.io.model_file import load, save
from ictus.models import RBM, DeepBeliefMachine
from ictus.models.deep_belief.unrolling import unrolled
from tests.models.enumeration import binary_states


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def machines(sizes=(5, 4, 3), labels=2, dtype="float64", first=None, scale=0.8):
    """A stack of machines with random parameters, the top with labels."""
    stack = []
    for number, (below, above) in enumerate(itertools.pairwise(sizes)):
        options = dict(first or {}) if number == 0 else {}
        if number == len(sizes) - 2 and labels:
            below += labels
            options |= {"visible_type": "labelled", "group_size": labels}
        rbm = RBM(below, above, dtype=dtype, seed=number, **options)
        generator = np.random.default_rng(number)
        rbm.parameters[...] = scale * generator.standard_normal(rbm.parameter_count)
        stack.append(rbm)
    return stack


def make(**options):
    return DeepBeliefMachine.from_machines(machines(**options))


def some(rows=6, units=5):
    return (np.random.default_rng(3).random((rows, units)) < 0.5).astype(np.float64)


def test_the_layers_lie_in_one_vector():
    stack = machines()
    net = DeepBeliefMachine.from_machines(stack)
    assert net.parameter_count == sum(rbm.parameter_count for rbm in stack)
    assert next(iter(net.shapes())) == "layer0.weights"
    for part, rbm in zip(net.parts, stack, strict=True):
        assert np.shares_memory(part.weights, net.parameters)
        np.testing.assert_array_equal(part.weights, rbm.weights)
        np.testing.assert_array_equal(part.hidden_bias, rbm.hidden_bias)
    assert net.generative is net.recognition
    net.parameters[...] = 0
    assert not net.top.weights.any()


def test_untied_weights_are_of_their_own():
    net = make().untied()
    assert next(iter(net.shapes())) == "recognition0.weights"
    np.testing.assert_array_equal(net.recognition[0].weights, net.generative[0].weights)
    net.generative[0].weights[...] = 0
    assert net.recognition[0].weights.any()
    again = net.untied()
    np.testing.assert_array_equal(again.parameters, net.parameters)
    np.testing.assert_array_equal(np.concatenate(net.split(net.parameters)), net.parameters)


def test_upward_means():
    stack, v = machines(), some()
    net = DeepBeliefMachine.from_machines(stack)
    h = sigmoid(v @ stack[0].weights + stack[0].hidden_bias)
    np.testing.assert_allclose(net.mean_hiddens(v, 0), h, rtol=1e-12)
    p = np.exp(net.log_label_probabilities(v))
    x = np.hstack([h, p]) @ stack[1].weights + stack[1].hidden_bias
    np.testing.assert_allclose(net.mean_hiddens(v), sigmoid(x), rtol=1e-12)


def test_label_probabilities_by_enumeration():
    """p(y | h) of the top, its hidden units summed out state by state."""
    stack, v = machines(labels=3), some()
    net = DeepBeliefMachine.from_machines(stack)
    top, h = stack[1], net.upwards(v)
    states = binary_states(top.hidden_units)
    joint = np.empty((len(v), 3))
    for y, label in enumerate(np.eye(3)):
        whole = np.hstack([h, np.tile(label, (len(v), 1))])
        log_p = whole @ top.visible_bias
        terms = whole @ top.weights @ states.T + states @ top.hidden_bias
        joint[:, y] = log_p + np.log(np.exp(terms).sum(axis=1))
    expected = joint - np.log(np.exp(joint).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(net.log_label_probabilities(v), expected, rtol=1e-11)


def test_label_probabilities_are_stable():
    net = make()
    net.top.weights[...] *= 1e4
    log_p = net.log_label_probabilities(some())
    assert np.isfinite(log_p).all()
    np.testing.assert_allclose(np.exp(log_p).sum(axis=1), 1)


def test_reconstruction():
    stack, v = machines(labels=0), some()
    net = DeepBeliefMachine.from_machines(stack)
    h = v
    for rbm in stack:
        h = rbm.mean_hiddens(h)
    for rbm in reversed(stack):
        h = rbm.mean_visibles(h)
    np.testing.assert_allclose(net.reconstruct(v), h, rtol=1e-12)


def exact(net, label=None):
    """p(v) of the net by enumeration, given a label where there is one."""
    low, top = net.generative[0], net.top
    h = binary_states(net.top_units)
    labels = np.eye(net.labels) if net.labels else np.zeros((1, 0))
    if label is not None:
        labels = labels[[label]]
    weight = np.zeros(len(h))
    for y in labels:
        weight += np.exp(-top.free_energy(np.hstack([h, np.tile(y, (len(h), 1))])))
    p = sigmoid(h @ low.weights.T + low.visible_bias)
    v = binary_states(net.visible_units)
    conditional = np.exp(v @ np.log(p).T + (1 - v) @ np.log(1 - p).T)
    return v, conditional @ (weight / weight.sum())


def shares(samples):
    return np.bincount(
        (samples @ 2 ** np.arange(samples.shape[1])[::-1]).astype(int),
        minlength=2 ** samples.shape[1],
    ) / len(samples)


@pytest.mark.parametrize("label", [None, 0, 1])
def test_samples_have_the_distribution_of_the_net(label):
    net = make(scale=0.6)
    v, p = exact(net, label)
    np.testing.assert_array_equal(v @ 2 ** np.arange(5)[::-1], np.arange(32))
    found = shares(net.sample(40_000, 40, label=label))
    error = np.abs(found - p) / np.sqrt(p * (1 - p) / 40_000)
    assert error.max() < 5


def test_means_of_samples_are_smoother():
    net = make()
    samples = net.sample(50, 5, mean=True)
    assert ((samples > 0) & (samples < 1)).all()
    assert set(np.unique(net.sample(50, 5))) == {0, 1}


def test_each_row_has_its_label_and_its_start():
    net = make(sizes=(5, 4, 6), scale=0.1)
    net.top.weights[net.top_units :] = [[8] * 6, [-8] * 6]
    net.top.weights[: net.top_units] = 1.0
    net.generative[0].weights[...] = 6.0
    net.generative[0].visible_bias[...] = -20  # on where all four units above are
    label = np.array([0, 1] * 100)
    on = net.sample(200, 20, label=label).mean(axis=1)
    assert on[::2].mean() > 0.8
    assert on[1::2].mean() < 0.3
    assert net.sample(6, 1, start=some()).shape == (6, 5)


@pytest.mark.parametrize("sizes", [(6, 4), (6, 5, 4)])
@pytest.mark.parametrize("labels", [0, 2])
def test_completion_by_enumeration(sizes, labels):
    """Of a net whose recognition is exact: one layer, or a lower layer without weights."""
    net = make(sizes=sizes, labels=labels, scale=0.7)
    if len(sizes) > 2:
        net.recognition[0].weights[...] = 0
    v = some(units=6)
    known = np.array([True, True, False, True, False, True])
    every, p = exact(net) if net.generative else enumerated(net)
    found = net.complete(np.tile(v, (300, 1)), known, steps=60).reshape(300, 6, 6).mean(axis=0)
    if len(sizes) > 2:
        given = net.generative[0].mean_visibles(np.zeros((1, 5)))
        expected = np.where(known, v, given)
    else:
        expected = np.empty_like(v)
        for row, states in zip(expected, v, strict=True):
            agree = (every[:, known] == states[known]).all(axis=1)
            row[:] = p[agree] @ every[agree] / p[agree].sum()
    np.testing.assert_allclose(found, expected, atol=0.02)
    np.testing.assert_array_equal(found[:, known], v[:, known])


def enumerated(net):
    """All visible states of a net of one layer, and their probabilities."""
    v = binary_states(net.visible_units)
    labels = np.eye(net.labels) if net.labels else np.zeros((1, 0))
    p = sum(np.exp(-net.top.free_energy(np.hstack([v, np.tile(y, (len(v), 1))]))) for y in labels)
    return v, p / p.sum()


def test_denoising_by_enumeration():
    net = make(sizes=(6, 4), scale=0.7)
    noisy = some(units=6)
    every, p = enumerated(net)
    flips = (every[None] != noisy[:, None]).sum(axis=2)
    posterior = p * 0.2**flips * 0.8 ** (6 - flips)
    expected = posterior @ every / posterior.sum(axis=1, keepdims=True)
    found = net.denoise(np.tile(noisy, (300, 1)), noise=0.2, steps=60)
    np.testing.assert_allclose(found.reshape(300, 6, 6).mean(axis=0), expected, atol=0.02)


def test_denoising_through_layers_moves_towards_what_was_learned():
    net = make(sizes=(8, 4, 6), labels=0, scale=0.01)
    for layer in (net.recognition[0], net.top):  # two kinds of states: all on, all off
        layer.weights[...] = 3.0
        layer.visible_bias[...] = -1.5 * layer.hidden_units
        layer.hidden_bias[...] = -1.5 * layer.visible_units
    clean = np.array([[0.0] * 8, [1.0] * 8] * 50)
    noisy = np.where(np.random.default_rng(0).random(clean.shape) < 0.1, 1 - clean, clean)
    found = net.denoise(noisy, noise=0.1)
    assert np.abs(found - clean).mean() < np.abs(noisy - clean).mean() / 3


KINDS = [
    {},
    {"visible_type": "gaussian"},
    {"visible_type": "gaussian", "learn_variance": True},
    {"visible_type": "softmax", "group_size": 5},
]


@pytest.mark.parametrize("first", KINDS)
@pytest.mark.parametrize("tied", [True, False])
def test_any_first_layer(first, tied):
    net = make(sizes=(10, 4, 3), first=first, scale=0.3)
    net = net if tied else net.untied()
    v = net.sample(4, 3)
    assert v.shape == (4, 10)
    assert np.isfinite(net.reconstruct(v)).all()
    known = np.arange(10) < 5
    np.testing.assert_array_equal(net.complete(v, known, 4)[:, known], v[:, known])
    assert np.isfinite(net.denoise(v, steps=4)).all()


@pytest.mark.parametrize("first", KINDS)
def test_the_unrolled_network_gives_the_means(first):
    net = make(sizes=(10, 4, 3), first=first, scale=0.3)
    v = net.sample(4, 3)
    network = unrolled(net)
    np.testing.assert_allclose(network.activations(v, 0), net.mean_hiddens(v, 0), rtol=1e-10)
    h = sigmoid(net.upwards(v) @ net.top.weights[:4] + net.top.hidden_bias)
    np.testing.assert_allclose(network.activations(v, 1), h, rtol=1e-10)
    x = h @ net.top.weights[4:].T + net.top.visible_bias[4:]
    expected = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(network.predict(v), expected, rtol=1e-10)


def test_rectified_units_below_gaussian_ones():
    stack = [
        RBM(6, 4, visible_type="gaussian", hidden_type="rectified", dtype="float64"),
        RBM(4, 3, visible_type="gaussian", hidden_type="rectified", dtype="float64"),
    ]
    net = DeepBeliefMachine.from_machines(stack)
    v = np.random.default_rng(0).standard_normal((5, 6))
    np.testing.assert_allclose(unrolled(net, 2).activations(v, 1), net.mean_hiddens(v), rtol=1e-10)


def test_same_draws_after_pickling_and_from_a_file(tmp_path):
    net = make(dtype="float32").untied()
    net.sample(2, 3)
    path = tmp_path / "net.ictus"
    save(path, net)
    again = load(path)
    assert again.config() == net.config()
    np.testing.assert_array_equal(again.parameters, net.parameters)
    other = pickle.loads(pickle.dumps(net))
    np.testing.assert_array_equal(other.sample(3, 2), net.sample(3, 2))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: DeepBeliefMachine([]), "at least one layer"),
        (lambda: DeepBeliefMachine.from_machines([]), "machines must not be empty"),
        (
            lambda: DeepBeliefMachine.from_machines([RBM(5, 4), RBM(3, 2)]),
            "layer 1 must have 4 visible units, the hidden units of layer 0, got 3",
        ),
        (
            lambda: DeepBeliefMachine.from_machines(
                [RBM(5, 4), RBM(6, 2, visible_type="labelled", group_size=3)]
            ),
            "layer 1 must have 4 visible units, the hidden units of layer 0, got 3",
        ),
        (
            lambda: DeepBeliefMachine.from_machines(
                [RBM(5, 4, hidden_type="rectified"), RBM(4, 2)]
            ),
            "layer 1 must have gaussian visible units above rectified ones, got bernoulli",
        ),
        (
            lambda: DeepBeliefMachine.from_machines(
                [RBM(5, 4, visible_type="labelled", group_size=2), RBM(4, 2)]
            ),
            "layer 0 must not be labelled",
        ),
        (
            lambda: DeepBeliefMachine.from_machines([RBM(5, 4), RBM(4, 2, dtype="float64")]),
            "one dtype",
        ),
        (lambda: make().mean_hiddens(some(), 2), r"layer must be in -2 .. 1, got 2"),
        (lambda: make().mean_hiddens(some(units=4)), r"v must have shape \(rows, 5\)"),
        (lambda: make(sizes=(5, 4)).mean_hiddens(some(units=4)), r"v must have shape \(rows, 5\)"),
        (lambda: make().sample(3, label=2), r"label must be in 0 .. 1, got 2"),
        (lambda: make().sample(3, label=[0, 1]), "label must be an integer, or 3 of them"),
        (lambda: make().sample(0), "n must be a positive integer"),
        (lambda: make().sample(3, start=some()), "start must have 3 rows, got 6"),
        (lambda: make(labels=0).sample(3, label=1), "label must be None"),
        (lambda: make(labels=0).log_label_probabilities(some()), "no label units"),
        (lambda: make().complete(some(), np.ones(4, bool)), "known must be a mask"),
        (lambda: make().complete(some(), np.ones(5)), "known must be a mask of bool"),
        (lambda: make().denoise(some(), noise=1.5), "noise must be in"),
        (lambda: unrolled(make(labels=0)), "outputs must be given"),
    ],
)
def test_mistakes(call, message):
    with pytest.raises(ValueError, match=message):
        call()
