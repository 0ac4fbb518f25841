"""The onset models of the wheel: small, with complete cards, and able to find new onsets."""

from pathlib import Path

import numpy as np
import pytest

import ictus
from ictus import music
from ictus.music.onsets import ONSET_MODELS
from ictus.music.synthesis import compose_for, render

FOLDER = Path(ictus.__file__).parent / "music" / "pretrained"
ONSETS = [FOLDER / f"{name}.ictus" for name in ("onsets", "onsets_online")]
ids = {"ids": lambda path: path.stem}


def test_the_models_are_there_and_small():
    assert sum(path.stat().st_size for path in ONSETS) < 1_300_000


@pytest.mark.parametrize("path", ONSETS, **ids)
def test_cards_of_onset_models(path):
    card = ictus.read_card(path)["card"]
    assert card["licence"] == "BSD-3-Clause" and "ictus.music.synthesis" in card["training_data"]
    assert card["provenance"].startswith(f"python examples/onset_models.py train {path.stem}")
    # The threshold that was chosen with this model is the one in use.
    assert card["metrics"]["threshold"] == ONSET_MODELS[path.stem].threshold
    assert card["metrics"]["all synthetic, F"] > 0.8 and "MDB drums alone, F" in card["metrics"]


@pytest.mark.parametrize("path", ONSETS, **ids)
@pytest.mark.parametrize("ensemble", ["drums", "band"])
def test_onsets_of_a_new_piece_are_found(path, ensemble):
    score = compose_for(ensemble, np.random.SeedSequence(12), seconds=12.0, style="rock")
    piece = render(score, 3, synthesizer="builtin")
    detector = music.OnsetDetector([ictus.load(path)], model=path.stem)
    found = detector.detect_signal(piece.audio).times
    wanted = music.merge_events(piece.onsets)
    distance = np.abs(found[:, None] - wanted[None, :])
    assert (distance.min(0) < 0.025).mean() > 0.8
    assert (distance.min(1) < 0.025).mean() > 0.8
    if path.stem == "onsets_online":
        live = music.OnlineOnsetDetector([ictus.load(path)])
        heard = [live.push(part) for part in np.array_split(piece.audio, 60)]
        heard.append(live.push([], last=True))
        np.testing.assert_allclose(np.concatenate(heard), found)
