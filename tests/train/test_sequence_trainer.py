"""Training on ragged sequences: it learns, resumes to the same bits, truncates, weighs, refuses."""

import numpy as np
import pytest

from ictus.nn import GRU, LSTM, Bidirectional, Dense, Dropout, SequenceBatch, SequenceNetwork
from ictus.optim import SGD, Adam
from ictus.train import EarlyStopping, SequenceTrainer
from ictus.train.sequence_trainer import segment


def delayed_signs(count, seed, delay=3):
    """The label of each step: the sign of the input `delay` steps before."""
    generator = np.random.default_rng(seed)
    x = [generator.standard_normal((n, 1)) for n in generator.integers(5, 25, count)]
    y = [np.concatenate([np.zeros(delay), one[:-delay, 0] > 0]).astype(int) for one in x]
    return x, y


def make(seed=0, layers=None):
    return SequenceNetwork(1, layers or [LSTM(12), Dropout(0.1), Dense(2)], seed=seed)


def test_learns_what_needs_memory():
    x, y = delayed_signs(300, 0)
    network = make()
    trainer = SequenceTrainer(network, Adam(0.01), batch_size=10, epochs=12)
    trainer.fit(x, y)
    held_out, labels = delayed_signs(50, 1)
    right = [p.argmax(1) == t for p, t in zip(network.predict(held_out), labels, strict=True)]
    assert np.concatenate(right).mean() > 0.97


@pytest.mark.usefixtures("keep_threads")
def test_resumes_to_the_same_bits(tmp_path):
    import ictus

    x, y = delayed_signs(40, 2)
    path = tmp_path / "state.safetensors"

    def trainer(network, **options):
        return SequenceTrainer(
            network,
            SGD(0.1, momentum=0.9),
            batch_size=7,
            epochs=6,
            early_stopping=EarlyStopping(3),
            **options,
        )

    whole, parts = make(), make()
    ictus.set_num_threads(1)
    trainer(whole).fit(x, y, validation=(x[:5], y[:5]))
    ictus.set_num_threads(3)
    trainer(parts, checkpoint=path).fit(x, y, validation=(x[:5], y[:5]), epochs=2)
    other = make()
    second = trainer(other, checkpoint=path)
    assert second.resume()
    second.fit(x, y, validation=(x[:5], y[:5]))
    np.testing.assert_array_equal(other.parameters, whole.parameters)


def test_segments_cover_each_step_once():
    lengths = [5, 2, 9]
    frames = np.arange(16.0)[:, None]
    batch = (SequenceBatch(frames, lengths), np.arange(16), np.arange(16.0))
    seen = []
    for begin in range(0, 9, 4):
        (x, y, weights), active = segment(batch, begin, begin + 4)
        assert active.tolist() == [i for i, n in enumerate(lengths) if n > begin]
        np.testing.assert_array_equal(x.frames[:, 0], y)
        np.testing.assert_array_equal(weights, y)
        seen += y.tolist()
    assert sorted(seen) == list(range(16))


def test_truncated_training_learns_too():
    x, y = delayed_signs(300, 3, delay=2)
    network = make(layers=[GRU(12), Dense(2)])
    SequenceTrainer(network, Adam(0.01), batch_size=10, epochs=12, truncate=6).fit(x, y)
    held_out, labels = delayed_signs(50, 4, delay=2)
    right = [p.argmax(1) == t for p, t in zip(network.predict(held_out), labels, strict=True)]
    assert np.concatenate(right).mean() > 0.97


def test_masked_steps_do_not_count():
    x, y = delayed_signs(12, 5)
    masks = [(np.arange(len(one)) >= 3).astype(float) for one in x]
    other = [np.where(mask == 0, 1 - one, one) for one, mask in zip(y, masks, strict=True)]
    results = []
    for targets in (y, other):
        network = make(layers=[LSTM(4), Dense(2)])
        SequenceTrainer(network, SGD(0.1), batch_size=4, epochs=2).fit(x, targets, weights=masks)
        results.append(network.parameters.copy())
    np.testing.assert_array_equal(*results)


def test_class_weights_are_weights_of_steps():
    x, y = delayed_signs(12, 6)
    results = []
    for options, weights in (
        ({"class_weights": [1.0, 3.0]}, None),
        ({}, [np.where(one == 1, 3.0, 1.0) for one in y]),
    ):
        network = make(layers=[LSTM(4), Dense(2)])
        trainer = SequenceTrainer(network, SGD(0.1), batch_size=4, epochs=2, **options)
        trainer.fit(x, y, weights=weights)
        results.append(network.parameters.copy())
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t, x, y: t.fit(x[:2], y), r"y must have 2 sequences like x, got 3"),
        (lambda t, x, y: t.fit([], []), "x must have at least one sequence"),
        (lambda t, x, y: t.fit(x, [y[0], y[1][:-1], y[2]]), r"y\[1\] must have \d+ steps"),
        (lambda t, x, y: t.fit([x[0], x[1] * np.nan, x[2]], y), r"x\[1\] must be finite"),
        (lambda t, x, y: t.fit(x, y, weights=[1, 2]), "weights must have 3 sequences"),
        (lambda t, x, y: t.fit(x, y, weights=[1, -2, 1]), r"weights\[1\] must be finite and not"),
        (lambda t, x, y: t.fit(x, y, validation=(x, y[:1])), "validation y must have 3 sequences"),
        (lambda t, x, y: SequenceTrainer(t.network, truncate=0), "truncate must be a positive"),
        (lambda t, x, y: SequenceTrainer(t.network, class_weights=[1]), "must be 2 finite numbers"),
        (
            lambda t, x, y: SequenceTrainer(
                make(layers=[Bidirectional(LSTM(2)), Dense(2)]), truncate=3
            ),
            "truncate needs an output for every step and one direction",
        ),
    ],
)
def test_mistakes(call, message):
    x, y = delayed_signs(3, 7)
    with pytest.raises(ValueError, match=message):
        call(SequenceTrainer(make(), epochs=1), x, y)
