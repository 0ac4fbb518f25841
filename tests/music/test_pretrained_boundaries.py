"""The boundary models of the wheel: small, with complete cards, and of use on new songs."""

from pathlib import Path

import numpy as np
import pytest

import ictus
from ictus.music.segmenter import MODELS, load_segmenter
from ictus.music.synthesis import compose_song, render
from ictus.music.training.boundaries import hit_f
from tests.music.test_sections import song

FILES = [Path(ictus.__file__).parent / "music" / "pretrained" / f"{name}.ictus" for name in MODELS]


def test_they_are_small():
    assert sum(path.stat().st_size for path in FILES) < 1_600_000


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_cards_say_what_made_them(path):
    card = ictus.read_card(path)["card"]
    assert card["licence"] == "BSD-3-Clause"
    assert "ictus.music.synthesis" in card["training_data"]
    assert card["provenance"].startswith("python examples/boundary_models.py train")
    assert 0 < card["metrics"]["threshold"] < 1
    assert card["metrics"]["synthetic test, inner F 0.5s"] > 0.5


def test_sections_of_new_songs_are_found():
    segmenter = load_segmenter()
    found = segmenter.segment_signal(song())
    np.testing.assert_allclose(found.times, [0, 16, 30], atol=0.3)
    assert found.labels == ["A", "B", "A"]
    scores = []
    for seed in (6, 7, 8):
        score = compose_song(seed, seconds=40.0, style="pop")
        piece = render(score, 3, synthesizer="builtin")
        wanted = np.array([begin for begin, _, _ in piece.sections[1:]])
        scores.append(hit_f(wanted, segmenter.segment_signal(piece.audio).boundaries, 0.5))
    assert np.mean(scores) >= 0.6
