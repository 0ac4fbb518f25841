"""ARFF files: read back by SciPy, by liac-arff and by ictus; files of others, and damaged ones."""

import numpy as np
import pytest
from scipy.io import arff as scipy_arff

from ictus.io.arff import ArffError, read_arff, write_arff

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


# --- reading -------------------------------------------------------------------------------------


@pytest.mark.parametrize("y", [Y, np.arange(20) % 4, X[:, 0], None])
def test_what_was_written_is_read(tmp_path, y):
    names = ["a b", "100%, {or so}", "it's"]
    write_arff(tmp_path / "a.arff", X, y, names=names, relation="two 'words'")
    table = read_arff(tmp_path / "a.arff")
    np.testing.assert_array_equal(table.x, X)
    assert (table.names, table.relation) == (names, "two 'words'")
    if y is None:
        assert table.y is None
        assert table.classes is None
        return
    np.testing.assert_array_equal(table.y, y)
    assert table.y.dtype.kind == y.dtype.kind
    assert table.classes == (None if y.dtype.kind == "f" else [str(c) for c in np.unique(y)])


def test_what_liac_arff_writes_is_read(tmp_path):
    arff = pytest.importorskip("arff")
    classes = ["big band", "{brass}", "a'b\\c"]
    labels = [classes[i % 3] for i in range(20)]
    description = {
        "relation": "r",
        "attributes": [("x 1", "REAL"), ("x2", "NUMERIC"), ("x3", "INTEGER"), ("kind", classes)],
        "data": [[*row, label] for row, label in zip(X.round(3).tolist(), labels, strict=True)],
    }
    (tmp_path / "a.arff").write_text(arff.dumps(description))
    table = read_arff(tmp_path / "a.arff")
    np.testing.assert_array_equal(table.x, X.round(3))
    assert list(table.y) == labels
    assert table.classes == classes
    assert table.names == ["x 1", "x2", "x3"]


def test_sparse_rows_comments_and_missing_numbers(tmp_path):
    (tmp_path / "a.arff").write_text(
        "% a comment\n@RELATION r\n\n@attribute class {no,yes}\n@Attribute\tx1 real\n"
        "@attribute x2 integer\n@DATA\n% more\n{1 0.5, 2 3}\nyes, ?, 7\n{0 yes}\n{ }\n"
    )
    table = read_arff(tmp_path / "a.arff")
    np.testing.assert_array_equal(table.x, [[0.5, 3], [np.nan, 7], [0, 0], [0, 0]])
    assert list(table.y) == ["no", "yes", "yes", "no"]


HEAD = "@relation r\n@attribute x real\n@attribute c {a,b}\n@data\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no @data"),
        ("1,2\n", "line 1: expected @relation, @attribute or @data, got '1,2'"),
        ("@relation r\n@data\n", "line 2: @data comes before any @attribute"),
        ("@attribute x\n@data\n", "line 1: attribute 'x' must be numeric or nominal, got ''"),
        ("@attribute x string\n@data\n", "'x' must be numeric or nominal, got 'string'"),
        ("@attribute x real\n@attribute x real\n@data\n", "line 2: there are two attributes 'x'"),
        (
            HEAD.replace("x real", "x {1,2}"),
            "one attribute, the class, may be nominal, got 'x' and",
        ),
        (HEAD + "1,a\n1\n", "line 6: expected 2 values, got 1"),
        (HEAD + "1,a,b\n", "line 5: expected 2 values, got 3"),
        (HEAD + "one,a\n", "line 5: 'x' must be a number, got 'one'"),
        (HEAD + "1,a\n2,z\n", "line 6: 'c' must be one of a, b, got 'z'"),
        (HEAD + "1,?\n", r"line 5: 'c' must be one of a, b, got '\?'"),
        (HEAD + "{5 1}\n", "line 5: expected the number of an attribute below 2, got '5'"),
        (HEAD + "1,'a' b\n", "line 5: expected a comma after 'a'"),
    ],
)
def test_damaged_files_name_the_line(tmp_path, content, message):
    (tmp_path / "a.arff").write_text(content)
    with pytest.raises(ArffError, match=message):
        read_arff(tmp_path / "a.arff")


def test_text_in_another_encoding(tmp_path):
    (tmp_path / "a.arff").write_bytes(HEAD.encode() + b"1,\xff\n")
    with pytest.raises(ArffError, match="must be text in UTF-8"):
        read_arff(tmp_path / "a.arff")


def test_mutations_give_a_table_or_the_error(tmp_path):
    write_arff(tmp_path / "a.arff", X, Y)
    data = (tmp_path / "a.arff").read_bytes()
    generator = np.random.default_rng(0)
    errors = 0
    for _ in range(500):
        damaged = bytearray(data)
        for position in generator.integers(0, len(data), 1):
            damaged[position] = generator.integers(0, 128)
        (tmp_path / "a.arff").write_bytes(damaged)
        try:
            table = read_arff(tmp_path / "a.arff")
        except ArffError:
            errors += 1
        else:
            assert table.x.ndim == 2
    assert 50 < errors < 500
