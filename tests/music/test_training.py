"""Training on a folder: targets, cached features, segments, augmentation, resuming, a real task."""

from pathlib import Path

import numpy as np
import pytest

from ictus.io.annotations import Events
from ictus.music.training import (
    BeatTraining,
    Change,
    FeatureAugmentation,
    FeatureCache,
    SegmentBatches,
    beat_targets,
    downbeat_targets,
    event_targets,
    find_examples,
    folds,
    train_beats,
)
from ictus.music.training.augmentation import shifted
from ictus.music.training.cache import statistics
from ictus.music.training.segments import fold_standardization, unfold_standardization
from ictus.nn import LSTM, Bidirectional, Dense, SequenceNetwork

AS_IT_IS = Change()


def clicks(path, change=AS_IT_IS):
    """Features of a 'recording' that is a text file: seed, frames, frames a beat."""
    seed, frames, period = (int(number) for number in Path(path).read_text().split())
    generator = np.random.default_rng(seed)
    period = period / change.tempo
    values = generator.normal([0.0, 5.0, 2.0], 0.3, (round(frames / change.tempo), 3))
    beats = np.round(np.arange(7, len(values) - 2, period)).astype(int)
    values[beats, 1] += 2.0
    values[beats + 1, 2] += 1.0
    return values


@pytest.fixture
def folder(tmp_path):
    for number in range(6):
        period, frames = 40 + 3 * number, 600 + number
        (tmp_path / f"song{number}.wav").write_text(f"{number} {frames} {period}")
        times = np.round(np.arange(7, frames - 2, period)) / 100
        labels = (np.arange(len(times)) % 4 + 1).astype(str)
        rows = [f"{time}\t{label}\n" for time, label in zip(times, labels, strict=True)]
        (tmp_path / f"song{number}.beats").write_text("".join(rows))
    return tmp_path


def test_targets_are_widened():
    target = event_targets(np.array([0.0, 0.05]), 8, 100.0, neighbours=(0.5, 0.25))
    np.testing.assert_allclose(target, [1, 0.5, 0.25, 0.25, 0.5, 1, 0.5, 0.25])
    assert not event_targets(np.array([]), 4, 100.0).any()
    assert event_targets(np.array([9.0]), 4, 100.0).sum() == 0.0
    events = Events([0.02, 0.06], ["1", "2"])
    np.testing.assert_allclose(
        beat_targets(events, 8, 100.0)[:, 0], [0, 0.5, 1, 0.5, 0, 0.5, 1, 0.5]
    )
    down = downbeat_targets(events, 8, 100.0)
    np.testing.assert_allclose(down.sum(1), 1.0)
    np.testing.assert_allclose(down[2], [0, 0, 1])
    np.testing.assert_allclose(down[6], [0, 1, 0])
    with pytest.raises(ValueError, match="number of each beat"):
        downbeat_targets(Events([0.1]), 8, 100.0)


def test_examples_are_found_and_paired(folder):
    (folder / "lonely.wav").write_text("x")
    examples = find_examples(folder)
    assert [example.name for example in examples] == [f"song{i}" for i in range(6)]
    assert examples[0].events.numbers[:5].tolist() == [1, 2, 3, 4, 1]
    with pytest.raises(FileNotFoundError, match="must be a folder"):
        find_examples(folder / "none")
    with pytest.raises(ValueError, match="7 recordings, none with an annotation beside it"):
        find_examples(folder, "segments")


def test_folds_are_a_partition():
    parts = folds(10, 3, seed=1)
    assert sorted(np.concatenate([test for _, test in parts]).tolist()) == list(range(10))
    for training, test in parts:
        assert not set(training) & set(test) and len(training) + len(test) == 10
    with pytest.raises(ValueError, match="between 2 and the 3 examples, got 4"):
        folds(3, 4)


def test_features_are_extracted_once(folder):
    calls = []

    def extract(path, change):
        calls.append(path)
        return clicks(path, change)

    paths = [example.audio for example in find_examples(folder)]
    cache = FeatureCache(folder / "cache", extract, "clicks")
    first = cache.load(paths)
    again = cache.load(paths)
    assert len(calls) == 6 and all(isinstance(one, np.memmap) for one in again)
    np.testing.assert_allclose(first[2], clicks(paths[2]), atol=5e-3)
    assert len(cache.load(paths, Change(1.1, 1.1))[0]) == round(600 / 1.1)
    FeatureCache(folder / "cache", extract, "other").load(paths[:1])
    assert len(calls) == 13
    paths[0].write_text("9 650 40")
    assert len(cache.load(paths[:1])[0]) == 650
    with pytest.raises(ValueError, match=r"song1\.wav: features must be finite"):
        FeatureCache(folder / "cache", lambda path, change: np.full((3, 2), np.nan), "bad").load(
            paths[1:2]
        )


def test_a_gain_of_the_features_is_that_of_the_sound():
    generator = np.random.default_rng(0)
    bands, lags = (4, 6), (1, 2)
    magnitudes = [generator.gamma(1.0, 10.0, (50, size)) for size in bands]

    def stack(factor):
        columns = []
        for magnitude, lag in zip(magnitudes, lags, strict=True):
            spectrum = np.log10(1 + factor * magnitude)
            difference = np.zeros_like(spectrum)
            difference[lag:] = np.maximum(spectrum[lag:] - spectrum[:-lag], 0)
            columns += [spectrum, difference]
        return np.hstack(columns).astype(np.float32)

    louder = FeatureAugmentation(bands, lags, gain=6.0, tilt=0.0, chance=1.0)
    for seed in range(5):
        draw = np.random.default_rng(seed)
        draw.random(), draw.normal(0.0, 0.0, 6)
        factor = 10 ** (draw.normal(0.0, 6.0) / 20)
        made = louder.apply(stack(1.0), np.random.default_rng(seed))
        np.testing.assert_allclose(made, stack(factor), atol=2e-5)
    noisy = FeatureAugmentation(bands, lags, gain=0.0, tilt=0.0, chance=1.0, noise=1.0)
    made = noisy.apply(stack(1.0), np.random.default_rng(0))
    columns = [0, 1, 2, 3, 8, 9, 10, 11, 12, 13]
    power = [np.square(10 ** x[:, columns] - 1).mean() for x in (stack(1.0), made)]
    assert 1.0 < power[1] / power[0] < 1.0 + 2.0 * 10**-2.5
    assert (made[:, columns] >= stack(1.0)[:, columns] - 1e-6).all()
    never = FeatureAugmentation(bands, lags, chance=0.0)
    frames = stack(1.0)
    assert never.apply(frames, generator) is frames


def test_segments_cover_recordings_and_standardise_them():
    generator = np.random.default_rng(2)
    features = [generator.normal(3, 2, (n, 4)).astype(np.float16) for n in (95, 20, 61)]
    targets = [np.arange(n, dtype=np.float32)[:, None] for n in (95, 20, 61)]
    mean, deviation = statistics(features)
    joined = np.concatenate(features).astype(float)
    np.testing.assert_allclose(mean, joined.mean(0), rtol=1e-6)
    np.testing.assert_allclose(deviation, joined.std(0), rtol=1e-6)
    batches = SegmentBatches(
        features, targets, length=30, mean=mean, deviation=deviation, batch_size=2, seed=4
    )
    assert batches.size == 3 + 1 + 2
    made = list(batches.epoch(1))
    again = list(batches.epoch(1, first=1))
    assert len(made) == 3 and len(again) == 2
    for (x, y, _), (x2, y2, _) in zip(made[1:], again, strict=True):
        assert x.frames.tobytes() == x2.frames.tobytes() and y.tobytes() == y2.tobytes()
    other = list(batches.epoch(2))
    assert {len(x.frames) for x, _, _ in made + other} <= {50, 60}
    seen = np.concatenate([y[:, 0] for _, y, _ in made])
    assert len(seen) == 5 * 30 + 20


def test_standardisation_is_folded_into_the_first_layer():
    generator = np.random.default_rng(5)
    x = generator.normal(2.0, 3.0, (40, 5))
    mean, deviation = x.mean(0), x.std(0)
    for layers in ([Bidirectional(LSTM(3, peepholes=True)), Dense(1)], [Dense(1)]):
        network = SequenceNetwork(5, layers, "squared_error", dtype=np.float64, seed=2)
        network.parameters[...] = generator.normal(0, 0.5, network.parameters.shape)
        wanted = network.predict([(x - mean) / deviation])[0]
        fold_standardization(network, mean, deviation)
        np.testing.assert_allclose(network.predict([x])[0], wanted, atol=1e-10)
        unfold_standardization(network, mean, deviation)
        again = network.predict([(x - mean) / deviation])[0]
        np.testing.assert_allclose(again, wanted, atol=1e-10)


def settings(**options):
    values = {"units": (6,), "epochs": 25, "segment": 150, "learning_rate": 0.02, "seed": 1}
    return BeatTraining(**values | {"batch_size": 4, "augment": False} | options)


@pytest.mark.parametrize("model", ["beats", "online", "downbeats"])
def test_beats_of_clicks_are_learnt(folder, model):
    cache = FeatureCache(folder / "cache", clicks, "clicks")
    trained = train_beats(find_examples(folder), cache, settings(model=model), progress=False)
    assert len(trained.training) == 5 and len(trained.validation) == 1
    held_out = folder / f"{trained.validation[0]}.wav"
    output = trained.network.predict([clicks(held_out).astype(np.float32)])[0]
    activation = output[:, 0] if model != "downbeats" else output[:, 1:].sum(1)
    beats = np.round(find_examples(folder)[int(held_out.stem[4:])].events.times * 100).astype(int)
    between = (beats[1:] + beats[:-1]) // 2
    assert activation[beats].min() > 0.5 > 0.2 > activation[between].max()


def test_training_begins_with_a_network(folder):
    cache = FeatureCache(folder / "cache", clicks, "clicks")
    examples = find_examples(folder)
    first = train_beats(examples, cache, settings(epochs=8), progress=False).network
    nothing = settings(epochs=1, learning_rate=1e-9)
    same = train_beats(examples, cache, nothing, start=first, progress=False).network
    x = [clicks(examples[0].audio).astype(np.float32)]
    np.testing.assert_allclose(same.predict(x)[0], first.predict(x)[0], atol=1e-4)
    with pytest.raises(ValueError, match="start must have the layers"):
        train_beats(examples, cache, settings(units=(5,)), start=first, progress=False)


def test_an_interrupted_training_goes_on_to_the_same_bits(folder):
    cache = FeatureCache(folder / "cache", clicks, "clicks")
    examples = find_examples(folder)
    whole = train_beats(examples, cache, settings(epochs=4), progress=False)
    place = folder / "training.checkpoint"
    stop = [lambda trainer, epoch: epoch == 2]
    options = {"checkpoint": place, "progress": False}
    part = train_beats(examples, cache, settings(epochs=4), callbacks=stop, **options)
    assert len(part.history["loss"]) == 2
    rest = train_beats(examples, cache, settings(epochs=4), **options)
    assert rest.network.parameters.tobytes() == whole.network.parameters.tobytes()


def test_recordings_are_played_otherwise(folder):
    cache = FeatureCache(folder / "cache", clicks, "clicks")
    played = settings(epochs=2, speeds=(0.8, 1.0), tempi=(1.2,), semitones=(-3.0,))
    assert played.changes() == (
        Change(),
        Change(0.8, 0.8),
        Change(1.2, 1.0),
        Change(1.0, 2.0**-0.25),
    )
    trained = train_beats(find_examples(folder), cache, played, progress=False)
    assert trained.history["loss"] and len(list((folder / "cache").iterdir())) == 5 * 4 + 1
    events = Events([0.5, 1.0], ["1", "2"])
    np.testing.assert_allclose(Change(1.25, 2.0).events(events).times, [0.4, 0.8])


def test_each_epoch_takes_a_version_of_each_recording():
    lengths = [100, 80, 120, 60, 45, 75]  # two recordings as they are, slower, faster
    features = [np.full((n, 2), i, np.float32) for i, n in enumerate([100, 60, 80, 45, 120, 75])]
    targets = [np.arange(len(f), dtype=np.float32)[:, None] for f in features]
    batches = SegmentBatches(
        features,
        targets,
        length=20,
        mean=np.zeros(2),
        deviation=np.ones(2),
        recordings=[0, 1, 0, 1, 0, 1],
        batch_size=3,
        seed=1,
    )
    assert batches.size == 5 + 3 and sum(lengths) == sum(map(len, features))
    seen = set()
    for epoch in range(1, 12):
        made = list(batches.epoch(epoch))
        versions = np.concatenate([x.frames[:, 0] for x, _, _ in made])
        kinds = np.unique(versions)
        assert len(kinds) == 2 and (kinds % 2).tolist() in ([0, 1], [1, 0])
        seen |= set(kinds.tolist())
        positions = np.concatenate([y[:, 0] for _, y, _ in made])
        for kind in kinds:
            at = np.sort(positions[versions == kind]).reshape(-1)
            assert len(at) == 20 * (5, 3)[int(kind) % 2]
            # No frame twice where the version is at least as long as the recording.
            if len(features[int(kind)]) >= (100, 60)[int(kind) % 2]:
                assert len(np.unique(at)) == len(at)
    assert seen == {0, 1, 2, 3, 4, 5}


def test_mistakes_are_explained(folder):
    with pytest.raises(ValueError, match=r"model must be one of beats, online, downbeats"):
        BeatTraining(model="tempo")
    with pytest.raises(ValueError, match=r"tempo must be between 0\.25 and 4"):
        BeatTraining(speeds=(0.0,))
    with pytest.raises(ValueError, match="validation must be in"):
        BeatTraining(validation=1.0)
    (folder / "song3.beats").write_text("0.1\n0.5\n")
    cache = FeatureCache(folder / "cache", clicks, "clicks")
    with pytest.raises(ValueError, match=r"song3.beats: downbeats need the number"):
        train_beats(find_examples(folder), cache, settings(model="downbeats"), progress=False)


@pytest.mark.parametrize("bands", [-2.0, -0.3, 0.0, 1.0, 2.6, 9.0])
def test_shift_along_the_bands(bands):
    values = np.random.default_rng(3).random((4, 7))
    place = np.arange(7) - bands
    expected = [np.interp(place, np.arange(7), row) for row in values]
    np.testing.assert_allclose(shifted(values, bands), expected, atol=1e-12)


def test_a_shift_moves_spectra_and_their_differences():
    bands, lags = (30, 40), (1, 2)
    changes = FeatureAugmentation(bands, lags, gain=0.0, tilt=0.0, chance=1.0, shift=0.05)
    frames = np.zeros((9, 140), np.float32)
    frames[:, 12] = frames[:, 60 + 16] = 1.0
    frames[4:, 12] = 2.0
    frames[4, 30 + 12] = 1.0
    changed = changes.apply(frames, np.random.default_rng(4))
    moved = np.array([changed[0, :30] @ np.arange(30), changed[0, 60:100] @ np.arange(40)])
    moved = moved / [changed[0, :30].sum(), changed[0, 60:100].sum()] - [12, 16]
    assert abs(moved[0]) > 0.1
    np.testing.assert_allclose(moved[0] / 30, moved[1] / 40, atol=0.01)
    rise = changed[4, :30] - changed[3, :30]
    np.testing.assert_allclose(changed[4, 30:60], rise, atol=1e-6)
