"""The check of bars in ABC notation that examples/abc_tunes.py judges new tunes by."""

import importlib.util
import io
import tarfile
from fractions import Fraction
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "examples" / "abc_notation.py"

pytestmark = pytest.mark.skipif(
    not SOURCE.is_file(), reason="the examples are not beside the tests"
)


@pytest.fixture(scope="module")
def abc():
    spec = importlib.util.spec_from_file_location("abc_notation", SOURCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def lengths(abc, body):
    return [str(length) for _, length, _ in abc.bars(body)]


def test_lengths_of_bars(abc):
    assert lengths(abc, "A2B|^c'/2d/4_E,3/2z4|G/|") == ["3", "25/4", "1/2"]
    assert lengths(abc, "(3ABc(3d/2e/2f/2|(2AB|A-A|") == ["3", "3", "2"]
    assert [(b, a) for b, _, a in abc.bars("A|:B:|2c||d")] == [
        ("", "|:"), ("|:", ":|"), (":|", "||"), ("||", "")]  # fmt: skip
    assert abc.bars("A|H|") is None
    assert abc.bars("(3A(3BcA|") is None  # a tuplet in a tuplet
    assert abc.bars("A/0|") is None


@pytest.mark.parametrize(
    ("text", "valid", "share"),
    [
        ("M:4/4\nK:G\nd|ABcd|A4|A2B2|ABc|", True, 1),  # upbeat, and its complement at the end
        ("M:6/8\nK:Em\nABcdef|A3B3|a|b:|A6|A2BA2B:|", False, 5 / 6),
        ("M:6/8\nK:Em\nABcdef|A3B3|a5:|:b|A6|A2BA2B|A5:|", True, 1),
        ("M:4/4\nK:G\nABcd|ABc|ABcd|ABcd|", False, 3 / 4),  # short inside
        ("M:4/4\nK:G\nABcde|ABcd|ABcd|ABcd|", False, 3 / 4),  # too long at the start
        ("M:4/4\nK:G\nABcd|ABcd|", False, 1),  # too few bars
        ("M:4/4\nABcd|ABcd|ABcd|ABcd|", False, 0),  # no key
        ("M:4/4\nK:G\nABcd|ABcd|AB?d|ABcd|", False, 0),
        ("M:4/0\nK:G\nABcd|ABcd|ABcd|ABcd|", False, 0),
        ("", False, 0),
    ],
)
def test_check(abc, text, valid, share):
    assert abc.check(text) == (valid, pytest.approx(share))


TUNE = """1
T:A title
S:Somebody
M:4/4
L:1/4
K:G
% a remark
d|"G"[GB]c d2|"D7"A/2B/2 c d e|\\
ABcd|A3:|
ABcd|ABcd|[1 ABcd:|[2 ABcd|
"""


def test_tunes_are_normalised(abc, tmp_path):
    body = "d|Bcd2|A/2B/2cde|ABcd|A3:|ABcd|ABcd|1ABcd:|2ABcd|"
    assert abc.normalised(TUNE) == f"M:4/4\nK:G\n{body}"
    assert abc.check(abc.normalised(TUNE)) == (True, 1)
    assert abc.normalised(TUNE.replace("L:1/4", "L:1/16")) is None
    assert abc.normalised(TUNE + "K:D\nABcd|\n") is None
    assert abc.normalised(TUNE.replace("ABcd", "AHcd")) is None
    path = tmp_path / "tunes.tar.gz"
    others = [
        TUNE.replace("A/2B/2 c d e", "ABcd"),
        TUNE.replace("d2", "d'2"),
        TUNE.replace("A3", "B3"),
    ]
    text = "".join(f"X:{one}\n" for one in [TUNE, TUNE, *others]).encode()
    with tarfile.open(path, "w:gz") as archive:
        member = tarfile.TarInfo("folder/a.abc")
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text))
    tunes = abc.read_tunes(path)
    assert len(tunes) == 3  # one is there twice, and one has a sign of its own
    assert not any("'" in one for one in tunes)


def test_units_follow_the_metre(abc):
    (bar, *_) = abc.bars("ABc")
    assert bar[1] == Fraction(3)
    assert abc.check("M:3/4\nK:D\n" + "A2B|" * 4) == (True, 1)
    assert abc.check("M:9/8\nK:D\n" + "A6B3|" * 4) == (True, 1)
    assert abc.check("M:9/8\nK:D\n" + "A2B|" * 4)[0] is False
