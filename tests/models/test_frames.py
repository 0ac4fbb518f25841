"""pandas frames: names of features noted, checked, and given back by set_output."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

import ictus

pandas = pytest.importorskip("pandas")

COLUMNS = ["centroid", "flux", "zero crossings", "roll-off"]
X = np.random.default_rng(0).random((30, 4))
Y = np.array(["waltz", "tango"])[np.arange(30) % 2]
FRAME = pandas.DataFrame(X, columns=COLUMNS, index=[f"song {i}" for i in range(30)])
TRANSFORMERS = [
    ictus.MLPClassifier((3,), max_epochs=2, random_state=0),
    ictus.Autoencoder((3,), max_epochs=2, random_state=0),
    ictus.BernoulliRBM(3, n_iter=2, random_state=0),
    ictus.GaussianRBM(3, n_iter=2, random_state=0),
    ictus.MeanCovarianceRBM(3, n_iter=2, random_state=0),
    ictus.DeepBeliefNet((3, 2), random_state=0),
    ictus.DBNClassifier((3, 2), random_state=0),
]


@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::UserWarning")
@pytest.mark.parametrize("model", TRANSFORMERS, ids=lambda model: type(model).__name__)
def test_frames_in_and_out(model):
    model.fit(FRAME, Y)
    assert list(model.feature_names_in_) == COLUMNS
    plain = model.transform(FRAME)
    np.testing.assert_array_equal(plain, model.transform(FRAME.to_numpy(copy=True)))
    made = model.set_output(transform="pandas").transform(FRAME)
    assert isinstance(made, pandas.DataFrame)
    assert list(made.columns) == list(model.get_feature_names_out())
    assert list(made.index) == list(FRAME.index)
    np.testing.assert_array_equal(made.to_numpy(), plain)
    with pytest.raises(ValueError, match="feature names"):
        model.transform(FRAME[COLUMNS[::-1]])
    with pytest.raises(ValueError, match="roll-off"):
        model.transform(FRAME[COLUMNS[:2]])


def test_targets_as_a_column():
    by_array = ictus.MLPClassifier((3,), max_epochs=2, random_state=0).fit(X, Y)
    by_column = ictus.MLPClassifier((3,), max_epochs=2, random_state=0)
    by_column.fit(FRAME, pandas.Series(Y, index=FRAME.index, name="dance"))
    np.testing.assert_array_equal(by_column.predict(FRAME), by_array.predict(X))


def test_a_pipeline_keeps_names():
    model = make_pipeline(MinMaxScaler(clip=True), ictus.BernoulliRBM(3, n_iter=1, random_state=0))
    made = model.set_output(transform="pandas").fit_transform(FRAME)
    assert list(made.columns) == ["bernoullirbm0", "bernoullirbm1", "bernoullirbm2"]
    assert list(model[-1].feature_names_in_) == COLUMNS


def test_what_is_no_number_is_refused():
    mixed = FRAME.assign(flux="loud")
    with pytest.raises(ValueError, match="could not convert string to float"):
        ictus.MLPClassifier((3,), max_epochs=1).fit(mixed, Y)
    missing = FRAME.assign(flux=np.nan)
    with pytest.raises(ValueError, match="contains NaN"):
        ictus.MLPClassifier((3,), max_epochs=1).fit(missing, Y)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("model", TRANSFORMERS, ids=lambda model: type(model).__name__)
def test_order_and_permission_of_arrays_do_not_matter(model, order):
    x = np.array(X, np.float32, order=order)
    x.flags.writeable = False
    spread = np.zeros((60, 8), np.float32)[::2, 1::2]
    spread[:] = x
    expected = type(model)(**model.get_params()).fit(x.copy("C"), Y).transform(x.copy("C"))
    for given in (x, spread):
        again = type(model)(**model.get_params()).fit(given, Y)
        np.testing.assert_array_equal(again.transform(given), expected)
