"""Parameters and data that the estimators refuse, and awkward data that they take."""

import numpy as np
import pytest

from ictus import MLPClassifier, MLPRegressor, load, save
from ictus.models._parameters import DENSE

X = np.random.default_rng(0).standard_normal((60, 4)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int)

BAD = {
    "hidden_units": [(0,), (2.5,), "a", None, ((1, 2), (3, 4)), True],
    "activation": ["swish", None, 3],
    "dropout": [1.0, -0.1, "a", None, np.nan],
    "input_dropout": [1.0, None, False],
    "initialization": ["ones", None],
    "optimizer": ["newton", None, []],
    "learning_rate": [0, -1.0, "a", np.nan, np.inf],
    "learning_rate_decay": [0, -1, "x"],
    "momentum": [1.0, "x", None],
    "batch_size": [0, 1.5, "auto", None],
    "max_epochs": [-1, 1.5, None],
    "tol": [-1, np.nan, "x", None],
    "patience": [0, 1.5, None],
    "early_stopping": ["yes", None, 1],
    "validation_fraction": [0, 1, "x"],
    "l1": [-1, "x"],
    "l2": [-1, np.inf],
    "max_norm": [0, "x"],
    "clip_norm": [0, -1],
    "shuffle": ["no", None],
    "dtype": ["float16", "int32", None, int],
    "device": ["gpu", "cuda:0", 3, None],
    "progress": ["yes"],
    "pretrain": ["dream", 3],
    "pretraining_epochs": [-1, 1.5, None],
    "pretraining_learning_rate": [0, -1.0, "a"],
    "optimizer_options": ["damping", 3],
}


def test_every_parameter_is_tried():
    assert set(BAD) == set(DENSE)
    assert set(DENSE) | {"random_state", "checkpoint"} == set(MLPClassifier().get_params())


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, values in BAD.items() for v in values])
def test_bad_parameters(name, value):
    for model in (MLPClassifier(**{name: value}), MLPRegressor(**{name: value})):
        with pytest.raises(ValueError, match=f"{type(model).__name__}: {name} must be .*, got "):
            model.fit(X, Y)


def test_numpy_numbers_are_numbers():
    model = MLPClassifier(
        np.array([3, 4]),
        dropout=np.float32(0.5),
        batch_size=np.int64(10),
        max_epochs=np.uint8(2),
        shuffle=np.bool_(True),
        dtype=np.float64,
    )
    assert model.fit(X, Y).n_iter_ == 2


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.stack([Y, Y + 1], 1), r"y must hold classes, .* got multiclass-multioutput of shape"),
        (Y + 0.5, "Unknown label type"),
        (np.where(Y, np.nan, 0), "y contains NaN"),
        (None, "requires y to be passed"),
        (Y[:59], "inconsistent numbers of samples"),
    ],
)
def test_targets_that_are_no_classes(y, message):
    with pytest.raises(ValueError, match=message):
        MLPClassifier(max_epochs=1).fit(X, y)


@pytest.mark.parametrize("kind", ["f2", "i1", "u8", "?", ">f4", ">f8", "O", "g"])
def test_other_dtypes(kind):
    values = (X * 10).astype(kind)
    model = MLPClassifier((5,), max_epochs=2, random_state=0).fit(values, Y)
    expected = MLPClassifier((5,), max_epochs=2, random_state=0).fit(values.astype("f8"), Y)
    np.testing.assert_allclose(
        model.predict_proba(values), expected.predict_proba(values.astype("f8")), rtol=1e-3
    )


@pytest.mark.parametrize("early_stopping", [True, False])
@pytest.mark.parametrize(
    "data",
    [
        (X * 0 + 3, Y),
        (X, Y * 0),
        (X[:4], np.array(["u", "v"], object)[[0, 1, 0, 1]]),
        (X[::-1, ::-1], Y > 0),
        (np.asfortranarray(X), np.array(["u", "v"])[Y]),
    ],
    ids=["constant features", "one class", "four samples", "backwards", "columns first"],
)
def test_awkward_data(data, early_stopping):
    fraction = 0.5 if len(data[0]) < 10 else 0.1
    model = MLPClassifier(
        (5,), max_epochs=3, early_stopping=early_stopping, validation_fraction=fraction
    ).fit(*data)
    assert np.isfinite(model.predict_proba(data[0])).all()
    assert set(model.predict(data[0])) <= set(data[1])


def test_one_sample():
    assert MLPClassifier(max_epochs=2).fit(X[:1], [7]).predict(X[:2]).tolist() == [7, 7]
    assert MLPRegressor(max_epochs=2).fit(X[:1], [7]).predict(X).shape == (60,)
    with pytest.raises(ValueError, match="early_stopping needs at least 2 samples, got 1"):
        MLPClassifier(early_stopping=True).fit(X[:1], [7])


def test_weights_of_zero_leave_examples_out():
    weights = (np.arange(60) < 30).astype(float)
    other = np.where(np.arange(60) < 30, Y, 1 - Y)
    options = {"max_epochs": 3, "batch_size": 7, "random_state": 0}
    a, b = (MLPClassifier((5,), **options).fit(X, y, weights) for y in (Y, other))
    np.testing.assert_array_equal(a.predict_proba(X), b.predict_proba(X))


def test_loaded_model_goes_on_training(tmp_path):
    model = MLPClassifier((5,), max_epochs=4, random_state=0).fit(X, Y)
    save(tmp_path / "m", model)
    loaded = load(tmp_path / "m")
    assert (loaded.n_iter_, loaded.loss_) == (model.n_iter_, model.loss_)
    before = loaded.network_.parameters.copy()
    loaded.partial_fit(X, Y)
    assert loaded.n_iter_ == 5
    moved = np.abs(loaded.network_.parameters - before)
    assert 0 < moved.max() < 0.01  # one step of Adam from where it was, not from new weights


def test_a_model_file_names_no_place_to_write(tmp_path):
    path = tmp_path / "checkpoint"
    model = MLPClassifier((5,), max_epochs=1, checkpoint=path).fit(X, Y)
    save(tmp_path / "m", model)
    assert path.stat().st_size > 0
    assert load(tmp_path / "m").checkpoint is None


def test_a_checkpoint_of_other_data_is_refused(tmp_path):
    options = {"max_epochs": 2, "random_state": 0, "checkpoint": tmp_path / "c"}
    first = MLPClassifier((5,), **options).fit(X, Y)
    again = MLPClassifier((5,), **options).fit(X, Y)
    np.testing.assert_array_equal(first.predict_proba(X), again.predict_proba(X))
    for x, y in ((X[:50], Y[:50]), (X + 1, Y), (X, 1 - Y)):
        with pytest.raises(ValueError, match="belongs to another training: its data differ"):
            MLPClassifier((5,), **options).fit(x, y)
