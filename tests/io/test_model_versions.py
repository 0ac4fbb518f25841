"""Model files that earlier code wrote are read, and give what they gave."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

import ictus
from ictus.io.model_file import BARE_MODELS, ESTIMATORS, FORMAT_VERSION, read_card
from tests.io.model_fixtures import cases

FOLDERS = sorted((Path(__file__).parent / "model_files").iterdir())
FILES = [path for folder in FOLDERS for path in sorted(folder.glob("*.ictus"))]
CASES = cases()
CASES["half"] = CASES["network"]


def tensors_of(path):
    """The numbers of a model file, in single precision at least."""
    tensors = sorted(load_file(path).items())
    return {name: x.astype(np.float32) if x.dtype == np.float16 else x for name, x in tensors}


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_file_of_earlier_code(path):
    model = ictus.load(path)
    with np.load(path.with_name("expected.npz")) as expected:
        found = np.asarray(CASES[path.stem][1](model))
        # Numbers may differ in their last bits between instruction sets.
        np.testing.assert_allclose(found, expected[path.stem], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_written_again_it_has_the_same_numbers(path, tmp_path):
    ictus.save(tmp_path / "again.ictus", ictus.load(path))
    first, second = tensors_of(path), tensors_of(tmp_path / "again.ictus")
    assert list(first) == list(second)
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])


def test_every_kind_and_every_version_has_a_file():
    cards = [read_card(path) for path in FILES]
    assert {card["kind"] for card in cards} == set(BARE_MODELS) | set(ESTIMATORS)
    assert {card["format_version"] for card in cards} == set(range(1, FORMAT_VERSION + 1))
