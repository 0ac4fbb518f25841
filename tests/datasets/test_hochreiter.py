"""The generators of Hochreiter & Schmidhuber's tasks, against the definitions in the paper."""

import numpy as np
import pytest

from ictus import datasets
from ictus.nn import LSTM, Dense, SequenceNetwork

GENERATORS = {
    "regular_time_lag": {"symbols": 10},
    "random_time_lag": {"symbols": 10},
    "distractor_time_lag": {"lag": 5, "symbols": 4},
    "two_sequence": {"length": 20, "noisy_input": True, "noisy_target": True},
    "adding": {"length": 30},
    "multiplication": {"length": 30},
    "temporal_order": {"relevant": 3},
}


def flat(y):
    return np.concatenate(y) if isinstance(y, list) else y


@pytest.mark.parametrize("name", GENERATORS)
def test_a_seed_names_the_sequences(name):
    make, options = getattr(datasets, name), GENERATORS[name]
    (x, y), (again, y_again) = make(6, seed=3, **options), make(6, seed=3, **options)
    np.testing.assert_array_equal(np.concatenate(x), np.concatenate(again))
    np.testing.assert_array_equal(flat(y), flat(y_again))
    other, _ = make(6, seed=4, **options)
    assert not np.array_equal(np.concatenate(x)[:20], np.concatenate(other)[:20])
    # A generator goes on: two calls differ, and give what they gave before.
    generator = np.random.default_rng(3)
    first, _ = make(6, seed=generator, **options)
    second, _ = make(6, seed=generator, **options)
    np.testing.assert_array_equal(np.concatenate(first), np.concatenate(x))
    assert not np.array_equal(np.concatenate(second)[:20], np.concatenate(x)[:20])


@pytest.mark.parametrize("name", GENERATORS)
def test_networks_take_the_sequences(name):
    x, y = getattr(datasets, name)(5, seed=1, **GENERATORS[name])
    loss = "squared_error" if flat(y).ndim == 2 else "softmax_cross_entropy"
    output = "steps" if isinstance(y, list) else "last"
    network = SequenceNetwork(x[0].shape[1], [LSTM(2, output=output), Dense(11)], loss)
    if loss == "squared_error":
        network = SequenceNetwork(x[0].shape[1], [LSTM(2, output=output), Dense(1)], loss)
    assert network.check_sequences(x)[0].dtype == np.float32
    assert len(network.check_targets(y, [len(one) for one in x])) == 5


@pytest.mark.parametrize("name", [*GENERATORS, "embedded_reber_strings"])
@pytest.mark.parametrize("count", [0, -1, 2.5, True])
def test_count_is_checked(name, count):
    with pytest.raises(ValueError, match="count must be an integer of at least 1, got"):
        getattr(datasets, name)(count)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("regular_time_lag", {"symbols": 1}, "symbols must be an integer of at least 2, got 1"),
        ("random_time_lag", {"symbols": 2.5}, "symbols must be an integer of at least 2, got 2.5"),
        ("distractor_time_lag", {"lag": 0}, "lag must be an integer of at least 1, got 0"),
        ("distractor_time_lag", {"symbols": 0}, "symbols must be an integer of at least 1, got 0"),
        ("two_sequence", {"length": 3, "informative": 4}, r"at most length \(3\), got 4"),
        ("two_sequence", {"informative": 0}, "informative must be an integer of at least 1"),
        ("adding", {"length": 21}, "length must be an integer of at least 22, got 21"),
        ("multiplication", {"length": "x"}, "length must be an integer of at least 22, got 'x'"),
        ("temporal_order", {"relevant": 4}, "relevant must be 2 or 3, got 4"),
    ],
)
def test_bad_arguments(name, options, message):
    with pytest.raises(ValueError, match=message):
        getattr(datasets, name)(2, **options)


def test_regular_time_lag():
    x, y = datasets.regular_time_lag(400, 5, seed=0)
    inputs = np.array([one.argmax(axis=1) for one in x])
    assert np.shape(x) == (400, 5, 6)
    assert (np.sum(x, axis=2) == 1).all()
    assert set(inputs[:, 0]) == {4, 5}
    assert (inputs[:, 1:] == [0, 1, 2, 3]).all()
    assert (np.array(y)[:, :-1] == inputs[:, 1:]).all()
    assert (np.array(y)[:, -1] == inputs[:, 0]).all()
    assert abs((inputs[:, 0] == 4).mean() - 0.5) < 0.1


def test_random_time_lag():
    x, y = datasets.random_time_lag(2000, 5, seed=0)
    inputs = np.array([one.argmax(axis=1) for one in x])
    assert np.shape(x) == (2000, 5, 6)
    assert (y == inputs[:, 0]).all()
    assert abs((y == 4).mean() - 0.5) < 0.05
    counts = np.bincount(inputs[:, 1:].ravel(), minlength=6)
    assert (counts[4:] == 0).all()
    np.testing.assert_allclose(counts[:4] / 8000, 0.25, atol=0.02)
    symbols, labels = datasets.random_time_lag(2000, 5, seed=0, one_hot=False)
    assert (np.array(symbols) == inputs).all()
    assert (labels == y).all()


def test_distractor_time_lag():
    x, y = datasets.distractor_time_lag(3000, 7, 3, seed=0, one_hot=False)
    assert all(one[0] == 3 and one[-1] == 4 for one in x)  # b and e
    assert all(one[1] == 5 + which for one, which in zip(x, y, strict=True))
    assert abs(y.mean() - 0.5) < 0.04
    distractors = np.concatenate([one[2:-1] for one in x])
    np.testing.assert_allclose(np.bincount(distractors) / len(distractors), 1 / 3, atol=0.01)
    extra = np.array([len(one) - 3 - 7 for one in x])
    assert extra.min() == 0
    # k more with probability 0.9^k 0.1
    for k in (0, 1, 2, 5):
        assert abs((extra == k).mean() - 0.9**k * 0.1) < 0.02
    frames, _ = datasets.distractor_time_lag(3, 7, 3, seed=0)
    assert frames[0].shape[1] == 7
    assert (frames[0].argmax(axis=1) == datasets.distractor_time_lag(
        3, 7, 3, seed=0, one_hot=False)[0][0]).all()  # fmt: skip


@pytest.mark.parametrize("informative", [1, 3])
@pytest.mark.parametrize("noisy_input", [False, True])
def test_two_sequence(informative, noisy_input):
    x, y = datasets.two_sequence(2000, 40, informative, seed=0, noisy_input=noisy_input)
    lengths = np.array([len(one) for one in x])
    assert set(lengths) == {40, 41, 42, 43, 44}
    assert set(y.ravel()) == {0.0, 1.0}
    assert abs(y.mean() - 0.5) < 0.05
    first = np.array([one[:informative, 0] for one in x])
    signal = 2 * y - 1
    if noisy_input:
        assert abs((first - signal).var() - 0.2) < 0.02
        assert abs((first - signal).mean()) < 0.03
    else:
        assert (first == signal).all()
    rest = np.concatenate([one[informative:, 0] for one in x])
    assert abs(rest.var() - 0.2) < 0.005
    assert abs(rest.mean()) < 0.01


def test_noisy_targets_have_the_same_sequences():
    x, y = datasets.two_sequence(3000, 20, seed=1)
    noisy_x, noisy = datasets.two_sequence(3000, 20, seed=1, noisy_target=True)
    np.testing.assert_array_equal(np.concatenate(x), np.concatenate(noisy_x))
    noise = noisy - (0.2 + 0.6 * y)
    assert abs(noise.mean()) < 0.02
    assert abs(noise.var() - 0.1) < 0.01


@pytest.mark.parametrize(
    ("name", "low", "neutral", "target"),
    [
        ("adding", -1, 0.0, lambda a, b: 0.5 + (a + b) / 4),
        ("multiplication", 0, 1.0, lambda a, b: a * b),
    ],
)
def test_marked_pairs(name, low, neutral, target):
    x, y = getattr(datasets, name)(3000, 40, seed=0)
    assert {len(one) for one in x} == {40, 41, 42, 43, 44}
    values = np.concatenate([one[:, 0] for one in x])
    assert values.min() >= low
    assert values.max() <= 1
    assert abs(values.mean() - (low + 1) / 2) < 0.01
    firsts, places = 0, []
    for one, result in zip(x, y[:, 0], strict=True):
        marker = one[:, 1]
        assert marker[0] == marker[-1] == -1
        (marked,) = np.nonzero(marker == 1)
        assert (np.delete(marker, [0, len(one) - 1, *marked]) == 0).all()
        # One of the first pair is marked where but one marker is left.
        assert len(marked) in (1, 2)
        firsts += len(marked) == 1
        chosen = [one[m, 0] for m in marked] + [neutral] * (2 - len(marked))
        assert result == pytest.approx(target(*chosen), abs=1e-6)
        places.append(marked if len(marked) == 2 else [0, *marked])
    places = np.array(places)
    assert places[:, 0].max() <= 9  # one of the first 10 pairs
    assert places[:, 1].max() == 18  # one of the first 40 / 2 - 1
    # Pair 1 by the first draw with 1/10, else by the second with 1/18.
    assert abs(firsts / 3000 - (0.1 + 0.9 / 18)) < 0.02


@pytest.mark.parametrize(
    ("relevant", "windows"), [(2, [(10, 20), (50, 60)]), (3, [(10, 20), (33, 43), (66, 76)])]
)
def test_temporal_order(relevant, windows):
    x, y = datasets.temporal_order(4000, relevant, seed=0, one_hot=False)
    assert {len(one) for one in x} == set(range(100, 111))
    fillers, seen = np.zeros(8), [set() for _ in windows]
    for one, label in zip(x, y, strict=True):
        assert one[0] == 6 and one[-1] == 7
        (places,) = np.nonzero((one == 4) | (one == 5))
        assert len(places) == relevant
        for place, at in zip(places, seen, strict=True):
            at.add(int(place))
        bits = one[places] - 4
        assert label == int("".join(map(str, bits)), 2)
        fillers += np.bincount(one[1:-1], minlength=8)
    assert seen == [set(range(low, high + 1)) for low, high in windows]
    np.testing.assert_allclose(fillers[:4] / fillers[:4].sum(), 0.25, atol=0.005)
    assert (fillers[6:] == 0).all()
    np.testing.assert_allclose(np.bincount(y) / 4000, 1 / 2**relevant, atol=0.03)
    frames, _ = datasets.temporal_order(2, relevant, seed=0)
    assert frames[0].shape[1] == 8
    assert (frames[1].sum(axis=1) == 1).all()
