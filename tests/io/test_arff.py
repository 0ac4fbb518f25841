"""ARFF files: read back by SciPy and by liac-arff."""

import numpy as np
import pytest
from scipy.io import arff as scipy_arff

from ictus.io.arff import write_arff

pytestmark = pytest.mark.usefixtures("keep_field_size")

X = np.random.default_rng(0).standard_normal((20, 3))
Y = np.array(["waltz", "tango", "polka"])[np.arange(20) % 3]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scipy_reads_what_was_written(tmp_path, dtype):
    x = X.astype(dtype)
    path = tmp_path / "a.arff"
    write_arff(path, x, Y, names=["mean", "spread", "x-1"], relation="dances")
    rows, meta = scipy_arff.loadarff(path)
    assert meta.name == "dances"
    assert meta.names() == ["mean", "spread", "x-1", "class"]
    assert meta["class"] == ("nominal", ("polka", "tango", "waltz"))
    for number, name in enumerate(meta.names()[:3]):
        np.testing.assert_array_equal(rows[name].astype(dtype), x[:, number])
    assert [each.decode() for each in rows["class"]] == list(Y)


def test_whole_numbers_are_classes_and_others_are_not(tmp_path):
    write_arff(tmp_path / "a.arff", X, np.arange(20.0) % 4)
    _, meta = scipy_arff.loadarff(tmp_path / "a.arff")
    assert meta["class"] == ("nominal", ("0", "1", "2", "3"))
    write_arff(tmp_path / "a.arff", X, X[:, 0])
    rows, meta = scipy_arff.loadarff(tmp_path / "a.arff")
    assert meta["target"][0] == "numeric"
    np.testing.assert_array_equal(rows["target"], X[:, 0])
    write_arff(tmp_path / "a.arff", X)
    assert scipy_arff.loadarff(tmp_path / "a.arff")[1].names() == ["x0", "x1", "x2"]


def test_names_and_classes_of_any_letters(tmp_path):
    arff = pytest.importorskip("arff")
    names = ["a b", "100%, {or so}", "x y"]
    classes = ["big band", "{brass}", "a'b\\c"]
    y = np.array(classes)[np.arange(20) % 3]
    write_arff(tmp_path / "a.arff", X, y, names=names, classes=classes, relation="two words")
    found = arff.loads((tmp_path / "a.arff").read_text())
    assert found["relation"] == "two words"
    assert [name for name, _ in found["attributes"]] == [*names, "class"]
    assert found["attributes"][-1][1] == classes
    assert [row[-1] for row in found["data"]] == list(y)
    np.testing.assert_array_equal(np.array([row[:3] for row in found["data"]], float), X)


@pytest.mark.parametrize(
    ("x", "y", "options", "message"),
    [
        (X[0], None, {}, r"x must be numbers of shape \(n, features\)"),
        (X * np.nan, None, {}, "x must be finite"),
        (X, Y[:3], {}, r"y must have shape \(20,\), got \(3,\)"),
        (X, None, {"names": ["a", "b"]}, "names must be 3 different ones, got 2"),
        (X, None, {"names": ["a", "b", "a"]}, "names must be 3 different ones"),
        (X, Y, {"names": ["a", "b", "class"]}, "names must not hold 'class'"),
        (X, Y, {"classes": ["polka", "tango"]}, "y must hold the classes polka, tango, got waltz"),
    ],
)
def test_mistakes(tmp_path, x, y, options, message):
    with pytest.raises(ValueError, match=message):
        write_arff(tmp_path / "a.arff", x, y, **options)
    assert not (tmp_path / "a.arff").exists()
