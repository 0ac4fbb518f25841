"""Ctrl-C at any call inside of training: it ends at once, and going on gives the same bits."""

import random
import signal
import sys
import threading

import numpy as np
import pytest

from ictus import nn, optim
from ictus.models.boltzmann.divergence import DivergenceTrainer
from ictus.models.boltzmann.rbm import RBM
from ictus.train import EarlyStopping, SequenceTrainer, Trainer
from ictus.train.interrupt import AbandonedError, InterruptGuard

RNG = np.random.default_rng(0)
X = RNG.uniform(size=(90, 6)).astype(np.float32)
Y = RNG.integers(0, 3, 90)
SEQUENCES = [RNG.normal(size=(n, 4)).astype(np.float32) for n in (13, 5, 20, 8)]
LABELS = [RNG.integers(0, 2, len(one)) for one in SEQUENCES]


def dense(optimizer, checkpoint, batch_size=20):
    dropout = 0.0 if isinstance(optimizer, optim.HessianFree) else 0.3
    layers = [nn.Dense(9, activation="tanh", dropout=dropout), nn.Dense(3)]
    if dropout:
        layers.insert(1, nn.BatchNorm())
    network = nn.Network(6, layers, seed=1)
    trainer = Trainer(
        network,
        optimizer,
        epochs=4,
        batch_size=batch_size,
        checkpoint=checkpoint,
        early_stopping=EarlyStopping(patience=9),
        progress=False,
    )
    return trainer, lambda: trainer.fit(X, Y, validation=(X[:30], Y[:30])), network


def recurrent(checkpoint):
    network = nn.SequenceNetwork(4, [nn.LSTM(5), nn.Dense(2)], seed=1)
    trainer = SequenceTrainer(
        network, optim.Adam(0.01), truncate=6, epochs=4, batch_size=2,
        checkpoint=checkpoint, progress=False,
    )  # fmt: skip
    return trainer, lambda: trainer.fit(SEQUENCES, LABELS), network


def boltzmann(checkpoint):
    rbm = RBM(6, 5, seed=1)
    trainer = DivergenceTrainer(
        rbm, persistent=True, particles=7, epochs=4, batch_size=20,
        checkpoint=checkpoint, progress=False,
    )  # fmt: skip
    return trainer, lambda: trainer.fit(X), rbm


TRAININGS = {
    "Adam": lambda path: dense(optim.Adam(0.01), path),
    "SGD": lambda path: dense(optim.SGD(0.1, momentum=0.5), path),
    "Hessian-free": lambda path: dense(optim.HessianFree(averaging=0.9), path, 90),
    "Hessian-free, factors kept": lambda path: dense(
        optim.HessianFree(preconditioner="kronecker", factor_every=2, factor_decay=0.5), path, 90
    ),
    "truncated sequences": recurrent,
    "persistent chains": boltzmann,
}


def press_at(call, fit):
    """Run fit; SIGINT comes at this of its calls. Return how many there were, and if fit ended."""
    seen, ended = 0, False

    def count(frame, event, argument):
        nonlocal seen
        seen += event == "call"
        if seen == call and event == "call":
            signal.raise_signal(signal.SIGINT)

    sys.setprofile(count)
    try:
        ended = not fit().interrupted
    except KeyboardInterrupt:  # before training or after it, where the guard does not stand
        pass
    finally:
        sys.setprofile(None)
    return seen, ended


# Where it is raised while a generator is being closed, Python drops it; training ends a bit later.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", TRAININGS)
def test_the_same_bits_wherever_it_is_pressed(tmp_path, name):
    make = TRAININGS[name]
    whole, fit, model = make(tmp_path / "whole")
    calls, _ = press_at(-1, fit)
    rng, presses = random.Random(name), 0
    for number in range(6):
        path = tmp_path / str(number)
        pressed = 0
        while True:  # at most so often that it comes to an end
            trainer, fit, other = make(path)
            trainer.resume()
            call = rng.randrange(calls // 3) if pressed < 12 else -1
            if press_at(call, fit)[1]:
                break
            pressed += 1
        presses += pressed
        np.testing.assert_array_equal(other.parameters, model.parameters)
        for criterion in trainer.history:
            if "seconds" not in criterion:
                assert trainer.history[criterion] == whole.history[criterion]
    assert presses >= 12


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_iteration_is_put_back_where_it_is_left_at_its_end(tmp_path):
    """At the end of a context manager nothing of the manager itself may be needed any more."""
    make = TRAININGS["Hessian-free"]
    make(tmp_path / "first")[1]()  # imports and caches: calls that later trainings do not make
    _, fit, model = make(tmp_path / "whole")
    seen, ends = 0, []

    def note(frame, event, argument):
        nonlocal seen
        if event == "call":
            seen += 1
            if frame.f_code.co_name == "__exit__":
                ends.append(seen)

    sys.setprofile(note)
    fit()
    sys.setprofile(None)
    assert ends
    for call in ends:
        path = tmp_path / str(call)
        _, fit, _ = make(path)
        press_at(call, fit)
        trainer, fit, other = make(path)
        trainer.resume()
        fit()
        np.testing.assert_array_equal(other.parameters, model.parameters)


def test_a_gradient_is_left_at_once(tmp_path):
    """The interrupted pass does not go on to its second layer, and leaves no trace."""
    trainer, fit, network = dense(optim.SGD(0.1), None)
    before = network.parameters.copy(), network.state.copy()
    layer = network.layers[0]
    forward, later = layer.forward, network.layers[-1].forward
    reached = []
    layer.forward = lambda *a, **k: (signal.raise_signal(signal.SIGINT), forward(*a, **k))[1]
    network.layers[-1].forward = lambda *a, **k: (reached.append(1), later(*a, **k))[1]
    history = fit()
    assert history.interrupted and not reached
    assert trainer.batch == 0 and network.draw_count == 0
    np.testing.assert_array_equal(network.parameters, before[0])
    np.testing.assert_array_equal(network.state, before[1])


class TestGuard:
    def test_only_what_may_be_abandoned_is(self):
        with InterruptGuard() as guard:
            with guard.abandoning():
                pass
            signal.raise_signal(signal.SIGINT)
            assert guard.requested
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
        with InterruptGuard() as guard:
            with pytest.raises(AbandonedError), guard.abandoning():
                signal.raise_signal(signal.SIGINT)
            assert guard.requested

    def test_other_threads_abandon_nothing(self):
        states = []

        def work():
            with InterruptGuard() as guard, guard.abandoning():
                states.append(guard._abandons)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert states == [False]
