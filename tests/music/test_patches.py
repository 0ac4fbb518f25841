"""Training on patches: targets, minibatches of runs, resuming, and onsets that are learnt."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from ictus.io.annotations import Events
from ictus.music.onsets import decode_onsets, slide_patches
from ictus.music.training import (
    FeatureCache,
    LogarithmicAugmentation,
    OnsetTraining,
    PatchBatches,
    RecurrentOnsetTraining,
    find_examples,
    onset_targets,
    train_onsets,
)
from ictus.music.training.patches import spectrogram_axes


def test_fuzzy_targets():
    y, weights = onset_targets(np.array([0.02, 0.03, 0.09]), 12, 100.0)
    assert y[:, 0].tolist() == [0, 1, 1, 1, 1, 0, 0, 0, 1, 1, 1, 0]
    assert weights.tolist() == [1, 0.25, 1, 1, 0.25, 1, 1, 1, 0.25, 1, 0.25, 1]
    y, weights = onset_targets(np.array([0.02]), 5, 100.0, neighbour_weight=None)
    assert y[:, 0].tolist() == [0, 0, 1, 0, 0] and (weights == 1).all()


def test_shifted_targets():
    events = Events(np.array([0.03, 0.064]))
    settings = OnsetTraining(shift=-0.01, neighbour_weight=None)
    assert np.flatnonzero(settings.targets(events, 9, 100.0)[0]).tolist() == [2, 5]
    y, _ = OnsetTraining(neighbour_weight=None).targets(events, 9, 100.0)
    assert np.flatnonzero(y).tolist() == [3, 6]


def batches(lengths=(11, 3, 30), **options):
    features = [np.arange(6 * n, dtype=np.float16).reshape(n, 6) for n in lengths]
    targets = [np.arange(n, dtype=np.float32)[:, None] for n in lengths]
    weights = [np.full(n, 0.5, np.float32) for n in lengths]
    values = {"before": 2, "after": 1, "channels": 3, "run": 4, "batch_size": 9, "seed": 3}
    return PatchBatches(features, targets, weights, **values | options), features


def test_every_frame_comes_once_an_epoch_with_its_surroundings():
    made, features = batches()
    seen = []
    for x, y, weights in made.epoch(2):
        assert x.shape[1:] == (7, 2, 3) and x.flags.c_contiguous and x.dtype == np.float32
        for run, frames, weight in zip(x, y[:, :, 0, 0], weights[:, :, 0], strict=True):
            inside = np.flatnonzero(weight)
            assert set(weight[inside]) <= {0.5}
            for i in inside:
                # Frame t of any recording begins with the number 6 t.
                frame = int(frames[i])
                assert run[2 + i, 0, 0] == 6 * frame
                wanted = np.clip(np.arange(frame - 2, frame + 2), 0, None) * 6
                same = run[i : i + 4, 0, 0]
                last = same[-1] == 6 * frame  # the end of a recording is repeated
                np.testing.assert_array_equal(same[:3], wanted[:3])
                assert last or same[3] == wanted[3]
                seen.append(frame)
    assert sorted(seen) == sorted(t for n in (11, 3, 30) for t in range(n))
    again, later = list(made.epoch(2)), list(made.epoch(2, first=1))
    assert again[1][0].tobytes() == later[0][0].tobytes()
    in_order, _ = batches(shuffle=False)
    wanted = spectrogram_axes(np.asarray(features[0][:4], np.float32), 3)
    np.testing.assert_array_equal(next(iter(in_order.epoch(0)))[0][0, 2:6], wanted)


def test_a_gain_adds_to_logarithms_and_noise_to_powers():
    generator = np.random.default_rng(0)
    runs = generator.normal(0.0, 2.0, (50, 9, 12)).astype(np.float32)
    gained = LogarithmicAugmentation(3, gain=6.0, tilt=0.0, chance=0.5)(
        runs.copy(), np.random.default_rng(1)
    )
    difference = (gained - runs).reshape(50, -1)
    np.testing.assert_allclose(difference, difference[:, :1].repeat(108, 1), atol=1e-5)
    changed = (difference[:, 0] != 0).mean()
    assert 0.3 < changed < 0.7 and 0.3 < difference[:, 0].std() < 0.8
    noisy = LogarithmicAugmentation(3, gain=0.0, tilt=0.0, chance=1.0, noise=1.0)(
        runs.copy(), np.random.default_rng(2)
    )
    assert (noisy >= runs - 1e-5).all() and np.isfinite(noisy).all()
    ratio = np.exp(2 * noisy).sum((1, 2)) / np.exp(2 * runs).sum((1, 2))
    assert 1.0 < ratio.max() < 1.0 + 108 * 10**-2.5
    tilted = LogarithmicAugmentation(3, gain=0.0, tilt=5.0, chance=1.0)(
        runs.copy(), np.random.default_rng(3)
    )
    bands = (tilted - runs).reshape(50, 9, 3, 4)
    np.testing.assert_allclose(bands, bands[:, :1, :1].repeat(9, 1).repeat(3, 2), atol=1e-5)


def strokes(path, change=None, ahead=0):
    """Features of a 'recording' that is a text file: onsets are rises in some bands."""
    seed, frames = (int(number) for number in Path(path).read_text().split())
    generator = np.random.default_rng(seed)
    values = generator.normal(-3.0, 0.3, (frames, 3 * 24))
    for frame in times(seed, frames):
        frame = frame - ahead
        values[frame : frame + 8, generator.integers(0, 2) :: 2] += 3.0
    return values


def times(seed, frames):
    generator = np.random.default_rng([seed, 1])
    return np.cumsum(generator.integers(12, 30, frames // 21))[: frames // 30]


@pytest.fixture
def folder(tmp_path):
    for number in range(5):
        (tmp_path / f"song{number}.wav").write_text(f"{number} 500")
        rows = [f"{frame / 100}\n" for frame in times(number, 500)]
        (tmp_path / f"song{number}.onsets").write_text("".join(rows))
    return tmp_path


def settings(**options):
    values = {"epochs": 8, "batch_size": 32, "run": 4, "filters": (4, 6), "units": 24, "seed": 1}
    values |= {"decay": 0.9, "momentum": (0.9, 0.9), "augment": False}
    return OnsetTraining(**values | options)


@pytest.mark.parametrize("model", ["onsets", "onsets_online"])
def test_onsets_are_learnt(folder, model):
    examples = find_examples(folder, "onsets")
    made = partial(strokes, ahead=3 if model == "onsets_online" else 0)
    cache = FeatureCache(folder / "cache", made, "strokes")
    trained = train_onsets(examples, cache, settings(model=model), progress=False)
    assert len(trained.training) == 4 and len(trained.validation) == 1
    wanted = next(e for e in examples if e.name == trained.validation[0])
    x = made(wanted.audio).astype(np.float32)
    surroundings = settings(model=model).surroundings
    assert sum(surroundings) == 14 and surroundings[1] == (7 if model == "onsets" else 0)
    activation = slide_patches(trained.network, x, surroundings, 3)
    assert activation.shape == (500, 1)
    found = decode_onsets(activation, model, threshold=0.4)
    np.testing.assert_allclose(found, wanted.events.times, atol=0.011)


def test_recurrent_onsets_train(folder):
    cache = FeatureCache(folder / "cache", strokes, "strokes")
    options = RecurrentOnsetTraining(
        units=(6,), epochs=15, segment=100, batch_size=2, learning_rate=0.01, augment=False
    )
    trained = train_onsets(find_examples(folder, "onsets"), cache, options, progress=False)
    share = 16 / 500
    constant = -share * np.log(share) - (1 - share) * np.log(1 - share)
    assert trained.history["validation_loss"][-1] < 0.5 * constant


def test_an_interrupted_training_goes_on_to_the_same_bits(folder):
    cache = FeatureCache(folder / "cache", strokes, "strokes")
    examples, change = find_examples(folder, "onsets"), LogarithmicAugmentation(3)
    options = {"augmentation": change, "progress": False}
    whole = train_onsets(examples, cache, settings(epochs=3, augment=True), **options)
    options |= {"checkpoint": folder / "training.checkpoint"}
    stop = [lambda trainer, epoch: epoch == 1]
    train_onsets(examples, cache, settings(epochs=3, augment=True), callbacks=stop, **options)
    rest = train_onsets(examples, cache, settings(epochs=3, augment=True), **options)
    assert rest.network.numbers.tobytes() == whole.network.numbers.tobytes()


def test_training_begins_with_another_network(folder):
    cache = FeatureCache(folder / "cache", strokes, "strokes")
    examples = find_examples(folder, "onsets")
    first = train_onsets(examples, cache, settings(), progress=False)
    still = settings(epochs=1, learning_rate=1e-30)
    again = train_onsets(examples, cache, still, progress=False, start=first.network)
    np.testing.assert_array_equal(again.network.numbers, first.network.numbers)
    with pytest.raises(ValueError, match="start must have the"):
        train_onsets(examples, cache, settings(units=3), progress=False, start=first.network)


def test_mistakes_are_explained(folder):
    with pytest.raises(ValueError, match="model must be one of onsets, onsets_online"):
        OnsetTraining(model="beats")
    with pytest.raises(ValueError, match="run must be from 1 to the batch size 9"):
        batches(run=10)
    with pytest.raises(ValueError, match="weights must have as many frames"):
        x = [np.zeros((4, 6))]
        PatchBatches(x, [np.zeros((4, 1))], [np.zeros(3)], before=1, after=1)
    cache = FeatureCache(folder / "cache", strokes, "strokes")
    with pytest.raises(ValueError, match="at least one recording"):
        train_onsets([], cache, settings(), progress=False)


def test_each_epoch_takes_a_version_of_each_recording():
    made, _ = batches((11, 3, 8), recordings=[0, 1, 0], run=2)
    seen = set()
    for epoch in range(8):
        frames = sum(int((weights > 0).sum()) for _, _, weights in made.epoch(epoch))
        seen.add(frames)
    assert seen == {11 + 3, 8 + 3}
