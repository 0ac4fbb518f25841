"""The models of the wheel: small, with complete cards, and able to find the beats of new pieces."""

from pathlib import Path

import numpy as np
import pytest

import ictus
from ictus import music
from ictus.music import beats
from ictus.music.beats import FEATURES
from ictus.music.onsets import ONSET_MODELS
from ictus.music.synthesis import compose, compose_for, render
from ictus.music.training.material import decode

FOLDER = Path(ictus.__file__).parent / "music" / "pretrained"
BEATS = [path for path in sorted(FOLDER.glob("*.ictus")) if path.stem in beats.MODELS]
ONSETS = [path for path in sorted(FOLDER.glob("*.ictus")) if path.stem in ONSET_MODELS]
ids = {"ids": lambda path: path.stem}


def test_there_are_models_and_all_are_small():
    assert [path.stem for path in BEATS] == ["beats", "downbeats", "online"]
    assert [path.stem for path in ONSETS] == ["onsets", "onsets_online"]
    assert sum(path.stat().st_size for path in BEATS) < 1_500_000
    assert sum(path.stat().st_size for path in ONSETS) < 1_300_000


@pytest.mark.parametrize("path", BEATS, **ids)
def test_cards_say_what_made_the_model(path):
    card = ictus.read_card(path)["card"]
    assert card["licence"] == "BSD-3-Clause"
    assert "ictus.music.synthesis" in card["training_data"]
    assert card["provenance"].startswith("python examples/beat_models.py train " + path.stem)
    assert any("real" in name for name in card["metrics"])


@pytest.mark.parametrize("path", BEATS, **ids)
def test_beats_of_a_new_piece_are_found(path):
    score = compose(34, seconds=20.0, style="rock")
    piece = render(score, 3, synthesizer="builtin")
    network = ictus.load(path)
    activation = network.predict([FEATURES[network.input_size]()(piece.audio)])[0]
    found = decode(activation, path.stem).times
    times = piece.beats[:, 0]
    # The online decoder needs some beats before it is sure.
    times = times[times > (5.0 if path.stem == "online" else 0.5)]
    distance = np.abs(found[:, None] - times[None, :]).min(0)
    assert (distance < 0.07).mean() > 0.9
    tempo = 60.0 / np.median(np.diff(found))
    assert tempo == pytest.approx(60.0 / np.median(np.diff(times)), rel=0.05)


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
