"""The models of the wheel: small, with complete cards, and able to find the beats of new pieces."""

from pathlib import Path

import numpy as np
import pytest

import ictus
from ictus.music.beats import FEATURES
from ictus.music.speech_music import SpeechMusicDetector
from ictus.music.synthesis import compose, render
from ictus.music.training.material import decode

FOLDER = Path(ictus.__file__).parent / "music" / "pretrained"
BEATS = ("beats", "downbeats", "online")
FILES = sorted(FOLDER / f"{name}.ictus" for name in BEATS)


def test_there_is_a_model_of_beats_and_all_are_small():
    assert all(path.is_file() for path in FILES)
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


SPEECH_MUSIC = FOLDER / "speech_music.ictus"


def test_the_model_of_speech_and_music_is_small_and_says_what_made_it():
    assert SPEECH_MUSIC.stat().st_size < 2_000_000
    card = ictus.read_card(SPEECH_MUSIC)["card"]
    assert card["licence"] == "CC BY-SA 4.0"
    assert "espeak-ng" in card["training_data"]
    assert card["provenance"].startswith("python examples/speech_music_models.py material")
    assert {name.split("_")[0] for name in card["metrics"]} == {"real", "validation"}


def test_music_is_music_and_silence_and_noise_are_neither():
    detector = SpeechMusicDetector()
    piece = render(compose(34, seconds=20.0, style="rock"), 3, synthesizer="builtin",
                   sample_rate=16_000)  # fmt: skip
    heard = detector.detect_signal(0.3 * piece.audio).shares()
    assert heard["music"] > 0.9
    assert heard["speech"] < 0.2
    noise = 0.02 * np.random.default_rng(0).standard_normal(10 * 16_000)
    for signal in (noise, 0 * noise):
        assert max(detector.detect_signal(signal).shares().values()) < 0.2
