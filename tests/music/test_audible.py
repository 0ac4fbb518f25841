"""Onsets are annotated where they are heard: slow attacks, covered notes, pieces for few."""

import numpy as np
import pytest

from ictus.music.synthesis import ENSEMBLES, compose_for, fluidsynth, make_piece, render
from ictus.music.synthesis.audible import (
    attack_delay,
    audible,
    band_powers,
    fluidsynth_delays,
)
from ictus.music.synthesis.builtin import render_part
from ictus.music.synthesis.score import Part, notes

RATE = 44_100


def tone(seconds, attack, frequency=440.0):
    t = np.arange(int(seconds * RATE)) / RATE
    return np.sin(2 * np.pi * frequency * t) * np.minimum(t / max(attack, 1e-6), 1.0)


@pytest.mark.parametrize("attack", [0.0, 0.002, 0.04, 0.08, 0.15])
def test_the_delay_of_an_attack(attack):
    # A linear attack is 12 dB below its end at a quarter of its way.
    late = attack_delay(tone(0.4, attack), RATE)
    assert late == pytest.approx(0.25 * attack, abs=0.0035)
    assert attack_delay(1e-3 * tone(0.4, attack), RATE) == late
    assert late == 0.0 or late > 0.003


def test_delays_of_nothing():
    assert attack_delay(np.zeros(0), RATE) == 0.0 and attack_delay(np.zeros(5000), RATE) == 0.0


def test_band_powers_add_and_are_in_their_bands():
    low, high = tone(1.0, 0.01, 150.0), tone(1.0, 0.01, 6000.0)
    powers = [band_powers(x, RATE) for x in (low, high, low + high)]
    assert powers[0].shape == (101, 24)
    np.testing.assert_allclose(powers[2][20:80], (powers[0] + powers[1])[20:80], rtol=0.05, atol=1)
    assert powers[0][50].argmax() < 6 < 18 < powers[1][50].argmax()
    assert band_powers(low[:100], 22_050).shape[1] == 24


def test_what_others_cover_is_not_heard():
    generator = np.random.default_rng(0)
    noise = generator.standard_normal(2 * RATE)
    note = np.zeros(2 * RATE)
    note[RATE:] = tone(1.0, 0.002, 1000.0)
    group = band_powers(note, RATE)
    for level, wanted in ((1e-4, True), (0.01, True), (0.1, True), (30.0, False)):
        mix = band_powers(note + level * noise, RATE)
        assert audible(np.array([1.0]), group, mix).tolist() == [wanted], level
    # The same note again, while it still sounds, is no rise; nor is a time at which none begins.
    assert audible(np.array([1.5]), group, group).tolist() == [False]
    assert audible(np.zeros(0), group, group).shape == (0,)
    first = band_powers(tone(1.0, 0.002), RATE)
    assert audible(np.array([0.0]), first, first).tolist() == [True]


def test_the_built_in_synthesizer_tells_its_delays():
    part = Part("pad", notes(np.arange(4) * 0.5, 0.4, 60, 100))
    delays = np.full(4, -1.0)
    sound = render_part(part, part.notes, 2.5, RATE, np.random.default_rng(3), delays)
    assert (delays >= 0).all() and delays.max() < 0.1
    same = render_part(part, part.notes, 2.5, RATE, np.random.default_rng(3))
    assert same.tobytes() == sound.tobytes()
    drums = Part("drums", notes(np.arange(2), 0.1, 38, 100))
    late = np.zeros(2)
    render_part(drums, drums.notes, 2.0, RATE, np.random.default_rng(0), late)
    assert (late == 0).all()


@pytest.mark.skipif(not fluidsynth.is_available(), reason="FluidSynth or its sound font is missing")
def test_slow_instruments_of_the_sound_font_are_late():
    played = notes(np.arange(3), 0.5, np.array([48, 60, 72]), 90)
    flute = fluidsynth_delays(Part("melody", played, 73), played, RATE)
    piano = fluidsynth_delays(Part("melody", played, 0), played, RATE)
    assert flute.mean() > 0.02 > 0.01 > piano.max()


@pytest.mark.parametrize("ensemble", [e for e in ENSEMBLES if e != "mixed"])
def test_who_plays_in_an_ensemble(ensemble):
    for number in range(6):
        score = compose_for(ensemble, np.random.SeedSequence(number), seconds=5.0)
        roles = [part.role for part in score.parts]
        if ensemble == "drums":
            assert roles == ["drums"]
        elif ensemble == "solo":
            assert len(roles) == 1 and roles[0] != "drums"
        elif ensemble == "voice":
            assert roles in ([roles[0]], [roles[0], "chords"]) and "drums" not in roles
        again = compose_for(ensemble, np.random.SeedSequence(number), seconds=5.0)
        for one, other in zip(score.parts, again.parts, strict=True):
            np.testing.assert_array_equal(one.notes, other.notes)


def test_singers_of_a_test_set_never_sing_in_training():
    programs = {}
    for instruments in ("training", "test"):
        scores = [
            compose_for("voice", np.random.SeedSequence(n), seconds=2.0, instruments=instruments)
            for n in range(30)
        ]
        sung = [s.parts[0] for s in scores if s.parts[0].role != "voice"]
        programs[instruments] = {part.program for part in sung}
    assert programs["training"] and programs["test"]
    assert not programs["training"] & programs["test"]


def test_mixed_ensembles_are_pieces_of_a_corpus():
    kinds = set()
    for number in range(12):
        seed = np.random.SeedSequence(3, spawn_key=(number,))
        kinds.add(len(compose_for("mixed", seed, seconds=4.0).parts) == 1)
    assert kinds == {True, False}
    piece = make_piece(0, 1, seconds=3.0, ensemble="drums", synthesizer="builtin")
    assert len(piece.onsets) and np.abs(piece.audio).max() > 0.1
    with pytest.raises(ValueError, match="ensemble must be one of band, drums, solo, voice"):
        compose_for("choir", np.random.SeedSequence(0))


def test_onsets_of_drums_alone_are_their_strokes():
    score = compose_for("drums", np.random.SeedSequence(5), seconds=4.0, style="rock")
    made = render(score, 1, synthesizer="builtin", effect=0.0)
    distance = np.abs(made.onsets[:, None] - made.drum_onsets[None, :, 0]).min(1)
    assert distance.max() < 1e-9
    assert len(made.onsets) > 0.7 * len(np.unique(np.round(made.drum_onsets[:, 0], 2)))
