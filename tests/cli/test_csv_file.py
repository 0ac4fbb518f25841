"""Tables in text files: delimiters, names, quotes, and what the last column becomes."""

import numpy as np
import pytest

from ictus.cli.csv_file import read_csv


@pytest.mark.parametrize(
    "text",
    [
        "1,2,0\n3,4.5,1\n",
        "a,b,y\n1,2,0\n3,4.5,1\n",
        "1st,2nd,y\r\n1,2,0\r\n3,4.5,1\r\n",
        "1;2;0\n3;4.5;1\n",
        "a\tb\ty\n1\t2\t0\n3\t4.5\t1",
        '"1","2","0"\n"3","4.5","1"\n',
        "\ufeff1 , 2 , 0\n\n 3,4.5,1\n",
    ],
)
def test_forms_of_the_same_table(tmp_path, text):
    path = tmp_path / "table.csv"
    path.write_bytes(text.encode())
    x, y = read_csv(path)
    np.testing.assert_array_equal(x, [[1, 2], [3, 4.5]])
    np.testing.assert_array_equal(y, [0, 1])
    assert y.dtype == np.int64


@pytest.mark.parametrize(
    ("column", "dtype"), [(["0.5", "1"], "f"), (["a", "1"], "U"), (["1e300", "2"], "f")]
)
def test_last_column(tmp_path, column, dtype):
    path = tmp_path / "table.csv"
    path.write_text("".join(f"1,{entry}\n" for entry in column))
    assert read_csv(path)[1].dtype.kind == dtype


def test_targets_alone(tmp_path):
    path = tmp_path / "y.csv"
    path.write_text("genre\nrock\npop\n")  # a name, or a class of the first example?
    np.testing.assert_array_equal(read_csv(path, alone=True)[0], [["genre"], ["rock"], ["pop"]])
    path.write_text("y\n3\n4\n")
    np.testing.assert_array_equal(read_csv(path, alone=True)[0], [[3], [4]])
