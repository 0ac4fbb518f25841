"""The up-down algorithm: the expectation of an update by enumeration, labels, checkpoints."""

import numpy as np
import pytest

from ictus.models import RBM, DeepBeliefMachine, DivergenceTrainer, UpDownTrainer
from ictus.models.deep_belief.greedy import train_greedily
from ictus.train import CheckpointError, DivergenceError, Steps
from tests.models.deep_belief.test_deep_belief_machine import machines, sigmoid
from tests.models.enumeration import binary_states

ROWS = 400_000


def probability(states, p):
    """Of each state (columns) given means (rows), of independent units."""
    return np.exp(np.log(p) @ states.T + np.log(1 - p) @ (1 - states).T)


def softmax(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


class Enumerated:
    """Distributions of a net of two layers: v, h below the top, tops with labels, top hidden."""

    def __init__(self, net):
        self.net, top = net, net.top
        self.v, self.h = binary_states(net.visible_units), binary_states(net.top_units)
        self.g = binary_states(top.hidden_units)
        labels = np.eye(net.labels) if net.labels else np.zeros((1, 0))
        self.tops = np.array([[*h, *y] for h in self.h for y in labels])
        low, high = net.recognition[0], net.generative[0]
        self.up = probability(self.h, sigmoid(self.v @ low.weights + low.hidden_bias))
        self.down = probability(self.v, sigmoid(self.h @ high.weights.T + high.visible_bias))
        self.top_up = probability(self.g, sigmoid(self.tops @ top.weights + top.hidden_bias))
        x = self.g @ top.weights.T + top.visible_bias
        units = net.top_units
        below = probability(self.tops[:, :units], sigmoid(x[:, :units]))
        named = softmax(x[:, units:]) @ self.tops[:, units:].T if net.labels else 1.0
        self.top_down = below * named

    def update(self, p_v, p_tops, steps):
        """Expected gradients, by the names of the parts; p_tops: what the top sees, awake."""
        net, top = self.net, self.net.top
        chain = p_tops
        for _ in range(steps):
            chain = chain @ self.top_up @ self.top_down
        hidden = sigmoid(self.tops @ top.weights + top.hidden_bias)
        found = {
            "top": (
                (self.tops * (p_tops - chain)[:, None]).T @ hidden,
                (p_tops - chain) @ self.tops,
                (p_tops - chain) @ hidden,
            )
        }
        awake = p_v[:, None] * self.up  # p(v, h)
        low, high = net.recognition[0], net.generative[0]
        predicted = sigmoid(self.h @ high.weights.T + high.visible_bias)
        wrong = awake.T @ self.v - awake.sum(axis=0)[:, None] * predicted  # of each h
        found["generative"] = wrong.T @ self.h, wrong.sum(axis=0)
        p_h = np.array(
            [chain[(self.tops[:, : net.top_units] == h).all(axis=1)].sum() for h in self.h]
        )
        asleep = (p_h[:, None] * self.down).T  # p(v, h)
        predicted = sigmoid(self.v @ low.weights + low.hidden_bias)
        wrong = asleep @ self.h - asleep.sum(axis=1)[:, None] * predicted  # of each v
        found["recognition"] = self.v.T @ wrong, wrong.sum(axis=0)
        return found


def untied(labels, seed=5, scale=0.6):
    net = DeepBeliefMachine.from_machines(machines((3, 2, 2), labels=labels)).untied()
    net.parameters[...] = scale * np.random.default_rng(seed).standard_normal(net.parameter_count)
    return net


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("labels", [0, 3])
def test_the_expected_update_by_enumeration(labels, steps):
    net = untied(labels)
    every = Enumerated(net)
    generator = np.random.default_rng(1)
    p_v = generator.dirichlet(np.ones(8))
    rows = generator.choice(8, ROWS, p=p_v)
    p_v = np.bincount(rows, minlength=8) / ROWS
    y = rows % labels if labels else None
    p_tops = np.zeros(len(every.tops))
    for v, p in enumerate(p_v):
        for h in range(4):
            p_tops[h * max(labels, 1) + (v % labels if labels else 0)] += p * every.up[v, h]
    expected = every.update(p_v, p_tops, steps)
    before = net.parameters.copy()
    trainer = UpDownTrainer(
        net, learning_rate=1.0, steps=steps, batch_size=ROWS, epochs=1, shuffle=False
    )
    trainer.fit(every.v[rows], y)
    gradient = [
        part.views(flat)
        for part, flat in zip(net.parts, net.split(net.parameters - before), strict=True)
    ]
    names = [("recognition", "hidden_bias"), ("generative", "visible_bias")]
    for views, (name, bias) in zip(gradient, names, strict=False):
        np.testing.assert_allclose(views["weights"], expected[name][0], atol=4e-3)
        np.testing.assert_allclose(views[bias], expected[name][1], atol=4e-3)
    top = gradient[2]
    for key, value in zip(("weights", "visible_bias", "hidden_bias"), expected["top"], strict=True):
        np.testing.assert_allclose(top[key], value, atol=4e-3)
    largest = max(np.abs(part).max() for parts in expected.values() for part in parts)
    assert largest > 0.05  # the tolerance would not hide an update that is missing
    np.testing.assert_allclose(trainer.velocity, net.parameters - before, atol=1e-12)


def two_kinds(rows=200, units=12):
    """States all on or all off, with noise, and which."""
    generator = np.random.default_rng(0)
    y = generator.integers(0, 2, rows)
    x = np.repeat(y[:, None], units, axis=1)
    return np.where(generator.random(x.shape) < 0.05, 1 - x, x).astype(np.float32), y


def small_net(labels=2, seed=3):
    layers = [
        {"visible_units": 12, "hidden_units": 6},
        {"visible_units": 6, "hidden_units": 5},
        {
            "visible_units": 5 + labels,
            "hidden_units": 8,
            "visible_type": "labelled" if labels else "bernoulli",
            "group_size": labels or 1,
        },
    ]
    return DeepBeliefMachine(layers, tied=False, seed=seed)


@pytest.mark.parametrize("persistent", [False, True])
def test_it_learns_labels_and_reconstruction(persistent):
    """From layers that were trained each for itself, and were disturbed."""
    x, y = two_kinds()
    stack = [RBM(**layer, seed=i) for i, layer in enumerate(small_net().layers)]
    options = {"batch_size": 20, "epochs": 20, "learning_rate": 0.1}
    train_greedily(stack, x, lambda i: DivergenceTrainer(stack[i], **options), np.eye(2)[y])
    net = DeepBeliefMachine.from_machines(stack).untied()
    generator = np.random.default_rng(0)
    net.parameters += generator.standard_normal(net.parameter_count).astype(np.float32) / 5
    before = np.square(x - net.reconstruct(x)).mean()
    trainer = UpDownTrainer(
        net, learning_rate=0.05, momentum=0.5, batch_size=20, epochs=30, persistent=persistent
    )
    history = trainer.fit(x, y)
    assert history["label_error"][-1] < 0.02
    assert history["reconstruction_error"][-1] < before
    on, off = (net.sample(200, 30, label=label).mean() for label in (1, 0))
    assert on - off > 0.4


@pytest.mark.parametrize("labels", [0, 2])
@pytest.mark.parametrize("persistent", [False, True])
def test_resumed_training_has_the_same_bits(tmp_path, labels, persistent):
    x, y = two_kinds(rows=130)
    y = y if labels else None
    options = {
        "steps": Steps((1, 2), (2.0,)),
        "momentum": 0.5,
        "l2": 1e-3,
        "batch_size": 20,
        "persistent": persistent,
        "particles": 30,
        "epochs": 4,
    }
    whole = small_net(labels)
    UpDownTrainer(whole, **options).fit(x, y)
    first = UpDownTrainer(small_net(labels), checkpoint=tmp_path / "c", **options)
    first.fit(x, y, epochs=2)
    second_net = small_net(labels)
    second = UpDownTrainer(second_net, checkpoint=tmp_path / "c", **options)
    assert second.resume()
    history = second.fit(x, y)
    assert history.epochs == 4
    assert history["steps"] == [1, 1, 2, 2]
    np.testing.assert_array_equal(second_net.parameters, whole.parameters)
    assert second_net.draw_count == whole.draw_count


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    x, y = two_kinds(rows=40)
    UpDownTrainer(small_net(), checkpoint=tmp_path / "c", epochs=1).fit(x, y)
    other = UpDownTrainer(small_net(seed=4), checkpoint=tmp_path / "c")
    with pytest.raises(CheckpointError, match="its machine differs"):
        other.resume()


def test_divergence_puts_the_last_epoch_back():
    x, y = two_kinds(rows=40)
    net = small_net()
    trainer = UpDownTrainer(net, learning_rate=1e9, batch_size=10, epochs=2)
    before = net.parameters.copy()
    with pytest.raises(DivergenceError, match="in epoch 1, minibatch 1, with learning rate 1e"):
        trainer.fit(x, y)
    np.testing.assert_array_equal(net.parameters, before)


@pytest.mark.parametrize(
    ("options", "x", "y", "message"),
    [
        ({"steps": 0}, None, None, "steps must be a positive integer, got 0"),
        ({"momentum": 1.0}, None, None, r"momentum must be in \[0, 1\)"),
        ({"learning_rate": -1.0}, None, None, "learning_rate must be in"),
        ({"l2": -1.0}, None, None, "l2 must not be negative"),
        ({}, np.zeros((3, 12)), None, "y must be given"),
        ({}, np.zeros((3, 12)), [0, 1, 2], r"y must be in 0 .. 1, got 2"),
        ({}, np.zeros((3, 12)), [0, 1], r"y must be integers of shape \(3,\)"),
        ({}, np.zeros((3, 12)), [0.0, 1, 0], "y must be integers"),
        ({}, np.zeros((3, 11)), [0, 1, 1], r"x must have shape \(rows, 12\)"),
        ({}, np.full((3, 12), 2.0), [0, 1, 1], r"x must be in \[0, 1\]"),
    ],
)
def test_mistakes(options, x, y, message):
    with pytest.raises(ValueError, match=message):
        UpDownTrainer(small_net(), **options).fit(x, y)


def test_more_mistakes():
    with pytest.raises(ValueError, match="machine must not be tied"):
        UpDownTrainer(DeepBeliefMachine.from_machines(machines()))
    with pytest.raises(ValueError, match="y must be None"):
        UpDownTrainer(small_net(0)).fit(np.zeros((3, 12)), [0, 1, 0])
