"""Estimators of sequences on small tasks; model files; clear errors."""

import numpy as np
import pytest
from sklearn.base import clone

import ictus
from ictus.models import (
    SequenceClassifier,
    SequenceGenerator,
    SequenceLabeler,
    SequenceRegressor,
)


def sequences(count, seed=0):
    generator = np.random.default_rng(seed)
    return [generator.uniform(-1, 1, (n, 2)) for n in generator.integers(4, 15, count)]


def running_sign(x):
    return np.where(np.cumsum(x[:, 0]) > 0, "up", "down")


def saved(model, tmp_path):
    ictus.save(tmp_path / "model.ictus", model)
    return ictus.load(tmp_path / "model.ictus")


def test_labeler(tmp_path):
    X = sequences(200)
    y = [running_sign(x) for x in X]
    model = SequenceLabeler(
        (16,), learning_rate=0.01, max_epochs=15, class_weight="balanced", random_state=0
    ).fit(X, y)
    held_out = sequences(40, 1)
    assert model.score(held_out, [running_sign(x) for x in held_out]) > 0.93
    again = saved(model, tmp_path)
    assert again.get_params()["units"] == (16,)
    for a, b in zip(again.predict(held_out), model.predict(held_out), strict=True):
        np.testing.assert_array_equal(a, b)
    assert {len(p) == len(x) for p, x in zip(model.predict_proba(X), X, strict=True)} == {True}


def test_labeler_of_several_activations():
    X = sequences(150)
    y = [np.stack([x[:, 0] > 0, np.roll(x[:, 1], -1) > 0], axis=1).astype(int) for x in X]
    masks = [np.r_[np.ones(len(x) - 1), 0] for x in X]  # the last step has no next one
    model = SequenceLabeler(
        (10,), "gru", bidirectional=True, learning_rate=0.02, max_epochs=15, random_state=0
    ).fit(X, y, sample_weight=masks)
    predicted = np.concatenate([p[:-1] for p in model.predict(X)])
    assert (predicted == np.concatenate([one[:-1] for one in y])).mean() > 0.95


def test_classifier(tmp_path):
    X = sequences(300)
    y = np.array([7 if x[:, 0].sum() > 0 else 3 for x in X])
    model = SequenceClassifier(
        (12,), "gru", learning_rate=0.01, max_epochs=15, early_stopping=True, random_state=1
    ).fit(X, y)
    held_out = sequences(60, 2)
    expected = np.array([7 if x[:, 0].sum() > 0 else 3 for x in held_out])
    assert model.score(held_out, expected) > 0.9
    again = saved(model, tmp_path)
    np.testing.assert_array_equal(again.predict_proba(held_out), model.predict_proba(held_out))
    np.testing.assert_array_equal(again.classes_, [3, 7])


def test_regressor(tmp_path):
    X = sequences(200)
    options = {"learning_rate": 0.01, "max_epochs": 15, "random_state": 0}
    whole = SequenceRegressor((12,), **options).fit(X, [x[:, 1].mean() for x in X])
    assert whole.score(X, [x[:, 1].mean() for x in X]) > 0.9
    assert whole.predict(X).shape == (200,)
    steps = [np.cumsum(x, axis=0) for x in X]
    each = SequenceRegressor((16,), **options).fit(X, steps)
    assert each.score(X, steps) > 0.9
    again = saved(each, tmp_path)
    assert again.per_step_ is True
    np.testing.assert_array_equal(again.predict(X)[3], each.predict(X)[3])


def test_generator(tmp_path):
    generator = np.random.default_rng(0)
    X = ["ab" * n + "c" for n in generator.integers(1, 6, 200)]
    model = SequenceGenerator(
        (24,), embedding_units=6, learning_rate=0.01, max_epochs=12, random_state=0
    ).fit(X)
    assert model.log_likelihood(["ababc"])[0] > -4 > model.log_likelihood(["bac"])[0]
    drawn = [model.sample(temperature=0.5, random_state=s) for s in range(20)]
    right = [d.endswith("c") and d[:-1] == "ab" * (len(d) // 2) for d in drawn]
    assert np.mean(right) > 0.9
    assert model.sample(start="aba", random_state=0).startswith("abab")
    assert len(model.sample(temperature=5, max_length=4, random_state=3)) <= 4
    again = saved(model, tmp_path)
    assert again.sample(random_state=5) == model.sample(random_state=5)
    numbers = SequenceGenerator((8,), max_epochs=1, random_state=0).fit([[60, 62, 64], [60, 64]])
    assert set(numbers.sample(random_state=1)) <= {60, 62, 64}


def test_same_seed_same_bits_and_clone():
    X = sequences(20)
    y = [running_sign(x) for x in X]
    model = SequenceLabeler((5,), dropout=0.2, max_epochs=2, random_state=4)
    first, second = clone(model).fit(X, y), clone(model).fit(X, y)
    np.testing.assert_array_equal(first.network_.parameters, second.network_.parameters)


X, LABELS = sequences(3), [running_sign(x) for x in sequences(3)]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: SequenceLabeler().fit([], []), "X must have at least one sequence, got 0"),
        (lambda: SequenceLabeler().fit(np.zeros((3, 4)), LABELS), r"list of arrays \(steps, feat"),
        (lambda: SequenceLabeler().fit(X, LABELS[:2]), "y must have 3 sequences like X, got 2"),
        (lambda: SequenceLabeler(cell="lstn").fit(X, LABELS), "cell must be one of lstm, gru"),
        (lambda: SequenceLabeler(()).fit(X, LABELS), "at least one recurrent layer"),
        (lambda: SequenceClassifier().fit(X, [1, 2]), r"y must have shape \(3,\), got \(2,\)"),
        (lambda: SequenceGenerator(bidirectional=True).fit(["ab"]), "bidirectional must be False"),
        (lambda: SequenceGenerator().fit(["ab", ""]), "none empty"),
        (
            lambda: SequenceGenerator((4,), max_epochs=1).fit(["ab"]).log_likelihood(["abx"]),
            r"X\[0\] holds the unknown symbol",
        ),
        (
            lambda: SequenceGenerator((4,), max_epochs=1).fit(["ab"]).sample(temperature=0),
            "temperature must be positive and finite, got 0",
        ),
        (
            lambda: SequenceRegressor(class_weight="balanced").fit(X, [1.0, 2.0, 3.0]),
            "class_weight must be None",
        ),
    ],
)
def test_mistakes(call, message):
    with pytest.raises(ValueError, match=message):
        call()
