"""Training of speech/music detectors: mixing, whitening, the stages, checkpoints, folders."""

from __future__ import annotations

import numpy as np
import pytest

from ictus.io.annotations import Events, write_annotation
from ictus.io.audio import write_audio
from ictus.models import DivergenceTrainer, HybridDivergenceTrainer
from ictus.music.speech_music import SpeechMusicDetector, speech_music_features
from ictus.music.training.programmes import (
    Mixing,
    Sources,
    activity,
    at_level,
    excerpt,
    make_programme,
)
from ictus.music.training.speech_music import (
    Annotated,
    SpeechMusicTraining,
    frame_errors,
    programmes,
    train_speech_music,
)
from ictus.music.training.speech_music_folder import (
    annotated_recordings,
    has_classes,
    held_out,
    mixed_recordings,
    recordings_by_class,
    segment_targets,
)
from ictus.music.training.whitening import Whitening

RATE = 16_000
SMALL = {
    "components": 12,
    "factors": 16,
    "mean_units": 4,
    "hidden_units": (8,),
    "machine_epochs": 2,
    "stack_epochs": 2,
    "epochs": 15,
    "learning_rate": 0.01,
    "dropout": 0.0,
}


def tone(seconds=4.0, pitch=440.0):
    time = np.arange(int(seconds * RATE)) / RATE
    return np.sin(2 * np.pi * pitch * time).astype(np.float32)


def babble(seconds=4.0, seed=0):
    """Bursts of noise, some four a second."""
    time = np.arange(int(seconds * RATE)) / RATE
    noise = np.random.default_rng(seed).standard_normal(len(time))
    return (noise * np.maximum(0, np.sin(2 * np.pi * 4 * time))).astype(np.float32)


def sources(**options):
    music = [tone(pitch=p) for p in (220.0, 440.0, 660.0)]
    return Sources([babble(seed=1), babble(seed=2)], music, **options)


def generator(seed=0):
    return np.random.Generator(np.random.PCG64(seed))


def test_activity_bridges_breaths_and_leaves_silence():
    x = babble(6.0)
    x[2 * RATE : 2 * RATE + RATE // 4] = 0  # a breath
    x[4 * RATE : 6 * RATE] *= 1e-4
    active = activity(x, RATE, 25.0)
    assert active.shape == (150,)
    assert active[:100].all()
    assert not active[110:].any()
    assert not activity(np.zeros(RATE, np.float32), RATE, 25.0).any()
    assert activity(np.zeros(0, np.float32), RATE, 25.0).shape == (0,)


def test_levels_are_those_of_what_is_loud():
    for level in (-20.0, -3.0):
        x = at_level(np.concatenate([tone(), np.zeros(4 * RATE, np.float32)]), level)
        assert np.sqrt(np.mean(np.square(x[: 4 * RATE]))) == pytest.approx(10 ** (level / 20), 0.01)
    silent = np.zeros(100, np.float32)
    assert at_level(silent, -20.0) is silent


def test_excerpts_of_short_recordings_are_joined():
    made = excerpt([np.ones(RATE // 2, np.float32)], 4 * RATE, RATE, generator())
    assert made.shape == (4 * RATE,)
    assert 0.5 < made.mean() < 0.95


def test_programmes_follow_from_their_seed():
    clean = Mixing(degrade=0.0)
    first, second = (make_programme(sources(), generator(3), seconds=20.0) for _ in range(2))
    np.testing.assert_array_equal(first.signal, second.signal)
    np.testing.assert_array_equal(first.active, second.active)
    other = make_programme(sources(), generator(4), seconds=20.0)
    assert not np.array_equal(first.signal, other.signal)
    assert len(first.signal) == 20 * RATE
    assert first.active.shape == (500, 2)
    speech_alone = Mixing(shares=(1.0, 0.0, 0.0, 0.0), degrade=0.0)
    heard = make_programme(sources(), generator(1), seconds=9.0, mixing=speech_alone)
    assert heard.active[:, 0].mean() > 0.9
    assert not heard.active[:, 1].any()
    neither = Mixing(shares=(0.0, 0.0, 0.0, 1.0), degrade=0.0)
    silent = make_programme(sources(), generator(1), seconds=5.0, mixing=neither)
    assert not silent.active.any()
    assert not silent.signal.any()
    assert np.isfinite(make_programme(sources(), generator(5), mixing=clean).signal).all()


def test_both_are_mixed_at_the_wanted_levels():
    quiet = Mixing(shares=(0, 0, 1, 0), levels=(-20.0, -20.0), gains=(0.0, 0.0), degrade=0.0)
    x = make_programme(sources(), generator(2), seconds=5.0, mixing=quiet).signal
    # Music at full scale, speech a tenth of it.
    assert np.sqrt(np.mean(np.square(x))) == pytest.approx(1.0, abs=0.1)


def test_programmes_need_both():
    with pytest.raises(ValueError, match="speech and of music, got 0 and 1"):
        make_programme(Sources([], [tone()]), generator())
    with pytest.raises(ValueError, match="16000 samples"):
        programmes(sources(sample_rate=8000), 1, 0)


def test_whitening_whitens_and_is_a_layer():
    x = generator().normal(size=(500, 6)) @ generator(1).normal(size=(6, 6)) + 3
    whitening = Whitening.of(x.astype(np.float32), 4)
    white = whitening(x.astype(np.float32))
    np.testing.assert_allclose(white.T @ white / len(x), np.eye(4), atol=2e-3)
    weights, bias = whitening.layer()
    np.testing.assert_allclose(x @ weights + bias, white, atol=1e-3)
    standard = Whitening.standardization(x)(x.astype(np.float32))
    np.testing.assert_allclose(standard.std(axis=0), 1, atol=1e-3)
    with pytest.raises(ValueError, match="components must be from 1 to 6"):
        Whitening.of(x, 7)


@pytest.fixture(scope="module")
def material():
    easy = Mixing(degrade=0.0, seconds=(1.0, 3.0), levels=(-5.0, 5.0), gains=(-20.0, -20.0))
    return tuple(programmes(sources(), count, count, seconds=30.0, mixing=easy) for count in (3, 2))


@pytest.mark.parametrize("pretraining", ["mean-covariance", "gaussian", "none"])
def test_detectors_learn(material, pretraining):
    training, validation = material
    settings = SpeechMusicTraining(pretraining=pretraining, **SMALL)
    trained = train_speech_music(training, settings, validation=validation, progress=False)
    assert trained.network.input_size == 24 * 40
    assert len(trained.pretraining) == (0 if pretraining == "none" else 2)
    errors = frame_errors(trained.network, validation)
    chance = np.minimum(*(np.mean(validation[0].active == on, axis=0) for on in (0, 1)))
    assert errors["speech"] < 0.5 * chance[0]
    if pretraining != "gaussian":  # which needs more material than this
        assert errors["music"] < 0.5 * chance[1]
    both = tone() + babble()
    found = SpeechMusicDetector([trained.network]).detect_signal(0.1 * np.tile(both, 3))
    assert found.duration == pytest.approx(12.0)


@pytest.mark.parametrize("pretraining", ["mean-covariance", "gaussian"])
def test_training_goes_on_to_the_same_bits(material, pretraining, tmp_path):
    settings = SpeechMusicTraining(pretraining=pretraining, **SMALL | {"epochs": 3})
    shorter = SpeechMusicTraining(pretraining=pretraining, **SMALL | {"epochs": 3})
    whole = train_speech_music(material[0], settings, step=4, progress=False)
    place = tmp_path / "c"

    def stop(trainer, epoch):
        return epoch == 1

    train_speech_music(
        material[0], shorter, step=4, checkpoint=place, progress=False, callbacks=[stop]
    )
    assert place.exists()
    resumed = train_speech_music(material[0], settings, step=4, checkpoint=place, progress=False)
    np.testing.assert_array_equal(resumed.network.parameters, whole.network.parameters)


@pytest.mark.parametrize("stage", [HybridDivergenceTrainer, DivergenceTrainer])
def test_an_interrupted_stage_ends_training(material, stage, monkeypatch):
    fit = stage.fit

    def interrupted(self, x, **options):
        history = fit(self, x, **options)
        history.interrupted, history.stopped = True, "interrupted"
        return history

    monkeypatch.setattr(stage, "fit", interrupted)
    trained = train_speech_music(material[0], SpeechMusicTraining(**SMALL), step=8, progress=False)
    assert trained.history.stopped == "interrupted"
    assert trained.history is trained.pretraining[-1]
    assert "loss" not in trained.history  # no labels were seen
    assert trained.network.output_size == 2


def test_material_without_one_of_them_is_refused(material):
    with pytest.raises(ValueError, match="at least one frame"):
        train_speech_music([], progress=False)
    silent = [Annotated(m.features, np.zeros_like(m.active)) for m in material[0]]
    with pytest.raises(ValueError, match="without speech; it never has it"):
        train_speech_music(silent, progress=False)
    with pytest.raises(ValueError, match="pretraining must be one of"):
        SpeechMusicTraining(pretraining="magic")


def test_labels_of_segments():
    events = Events([0.0, 1.0, 2.0], ["Speech", "music+speech", "noise"], [1.0, 2.0, 3.0])
    active = segment_targets(events, 100, 25.0)
    assert active[:, 0].sum() == 50
    assert active[:, 1].sum() == 25
    assert not segment_targets(Events([]), 10, 25.0).any()
    with pytest.raises(ValueError, match="speech or music, got 'A'"):
        segment_targets(Events([0.0], ["A"], [1.0]), 10, 25.0)
    with pytest.raises(ValueError, match="begin, end and label"):
        segment_targets(Events([0.0], ["speech"]), 10, 25.0)


def test_folders_of_both_forms(tmp_path):
    for name, x in (("speech", babble()), ("music", tone()), ("other", tone(0.05))):
        (tmp_path / "classes" / name).mkdir(parents=True)
        write_audio(tmp_path / "classes" / name / "one.wav", 0.1 * x, RATE)
    assert has_classes(tmp_path / "classes")
    paths = recordings_by_class(tmp_path / "classes")
    made = mixed_recordings(paths, minutes=1)
    assert len(made) == 1
    assert made[0].features.shape == (1500, 40)
    place = tmp_path / "annotated"
    place.mkdir()
    write_audio(place / "a.wav", 0.1 * tone(), RATE)
    write_annotation(place / "a.segments", Events([1.0], ["music"], [3.0]), kind="segments")
    assert not has_classes(place)
    (one,) = annotated_recordings(place).values()
    assert one.active.sum(axis=0).tolist() == [0, 50]
    assert one.features.shape == (100, speech_music_features().width)
    (tmp_path / "classes" / "music" / "one.wav").unlink()
    with pytest.raises(ValueError, match="music has no recordings"):
        recordings_by_class(tmp_path / "classes")
    with pytest.raises(FileNotFoundError, match="folder of recordings"):
        has_classes(tmp_path / "missing")


@pytest.mark.parametrize("count", [1, 3, 4, 20])
def test_some_recordings_are_held_out(count):
    training, kept = held_out(count, 0)
    assert sorted([*training, *kept]) == list(range(count))
    assert (len(kept) > 0) == (count >= 4)
