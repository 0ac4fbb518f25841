"""The models of the wheel: small, with complete cards, and able to find the beats of new pieces."""

from pathlib import Path

import numpy as np
import pytest

import ictus
from ictus.music.beats import FEATURES
from ictus.music.synthesis import compose, render
from ictus.music.training.material import decode

FOLDER = Path(ictus.__file__).parent / "music" / "pretrained"
FILES = sorted(FOLDER.glob("*.ictus"))


def test_there_is_a_model_of_beats_and_all_are_small():
    assert "beats" in [path.stem for path in FILES]
    assert sum(path.stat().st_size for path in FILES) < 1_500_000


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_cards_say_what_made_the_model(path):
    card = ictus.read_card(path)["card"]
    assert card["licence"] == "BSD-3-Clause"
    assert "ictus.music.synthesis" in card["training_data"]
    assert card["provenance"].startswith("python examples/beat_models.py train " + path.stem)
    assert any("real" in name for name in card["metrics"])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_beats_of_a_new_piece_are_found(path):
    score = compose(34, seconds=20.0, style="rock")
    piece = render(score, 3, synthesizer="builtin")
    network = ictus.load(path)
    activation = network.predict([FEATURES[network.input_size]()(piece.audio)])[0]
    found = decode(activation, path.stem).times
    beats = piece.beats[:, 0]
    # The online decoder needs some beats before it is sure.
    beats = beats[beats > (5.0 if path.stem == "online" else 0.5)]
    distance = np.abs(found[:, None] - beats[None, :]).min(0)
    assert (distance < 0.07).mean() > 0.9
    tempo = 60.0 / np.median(np.diff(found))
    assert tempo == pytest.approx(60.0 / np.median(np.diff(beats)), rel=0.05)
