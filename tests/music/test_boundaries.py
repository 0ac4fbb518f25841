"""Boundary detectors: their targets, minibatches, training and use on recordings."""

import numpy as np
import pytest

from ictus.io.annotations import Events, write_annotation
from ictus.io.audio import write_audio
from ictus.music.boundaries import BANDS, CONTEXT, FIRST, FPS, boundary_activations, network_input
from ictus.music.segmenter import Segmenter
from ictus.music.training import (
    BoundaryTraining,
    boundary_targets,
    find_examples,
    train_boundaries,
)
from ictus.music.training.boundaries import (
    DrawnPatches,
    best_threshold,
    hit_f,
    inner_boundaries,
    stretched,
)
from ictus.music.training.material import feature_cache, frame_rate
from ictus.nn import Dense, Flatten, Network

SMALL = {
    "maps": (4, 8),
    "units": 16,
    "batch_size": 16,
    "examples": 768,
    "epochs": 3,
    "dropout": 0.2,
    "learning_rate": 0.003,
    "smearing": 1.0,
    "deviation": 0.5,
}


def test_targets_are_smeared_by_a_gaussian():
    targets, weights = boundary_targets(np.array([10.0, 20.0]), 215, FPS, 1.0, 0.5)
    time = np.arange(215) / FPS + FIRST
    near = np.minimum(abs(time - 10), abs(time - 20))
    np.testing.assert_array_equal(targets, near <= 1.0)
    np.testing.assert_allclose(weights[near > 1], 1.0)
    inside = near <= 1.0
    np.testing.assert_allclose(weights[inside], np.exp(-0.5 * (near[inside] / 0.5) ** 2), rtol=1e-5)
    targets, weights = boundary_targets(np.zeros(0), 5, FPS, 1.0, 0.5)
    assert not targets.any() and (weights == 1).all()


def test_beginning_and_end_are_no_inner_boundaries():
    events = Events([0.5, 10.0, 30.0], ["a", "b", "a"], [10.0, 30.0, 41.0])
    np.testing.assert_array_equal(inner_boundaries(events), [10.0, 30.0])
    with_pause = Events([0.5, 12.0], ["a", "b"], [10.0, 30.0])
    np.testing.assert_array_equal(inner_boundaries(with_pause), [10.0, 12.0])
    np.testing.assert_array_equal(inner_boundaries(Events([1.0, 5.0, 9.0])), [5.0])


def test_drawn_patches_are_those_around_their_frames():
    generator = np.random.default_rng(0)
    inputs = [generator.standard_normal((n + CONTEXT - 1, BANDS, 2)) for n in (7, 12)]
    inputs = [one.astype(np.float32) for one in inputs]
    targets = [np.zeros(7, np.float32), np.zeros(12, np.float32)]
    targets[1][4:6] = 1
    weights = [generator.random(7), generator.random(12)]
    patches = DrawnPatches(
        inputs, targets, weights, examples=4000, oversampling=3.0, batch_size=100, seed=5
    )
    x, y, w = patches.take(np.array([0, 6, 7, 18]))
    for row, (one, frame) in enumerate([(0, 0), (0, 6), (1, 0), (1, 11)]):
        np.testing.assert_array_equal(x[row], inputs[one][frame : frame + CONTEXT])
    assert y.shape == (4, 1) and w.mean() == pytest.approx(1.0)
    batches = list(patches.epoch(0))
    assert len(batches) == 40 and batches[0][0].shape == (100, CONTEXT, BANDS, 2)
    # 2 of 19 frames, three times as likely: 6 of 23.
    share = np.concatenate([y for _, y, _ in batches]).mean()
    assert share == pytest.approx(6 / 23, abs=4 * np.sqrt(6 / 23 * 17 / 23 / 4000))
    # From a checkpoint in the middle of an epoch the same minibatches follow.
    for (x, y, w), (x1, y1, w1) in zip(batches[38:], patches.epoch(0, 38), strict=True):
        for a, b in ((x, x1), (y, y1), (w, w1)):
            np.testing.assert_array_equal(a, b)
    other = next(iter(patches.epoch(1)))
    assert not np.array_equal(other[0], batches[0][0])
    with pytest.raises(ValueError, match="boundaries between their sections"):
        DrawnPatches(
            inputs, [t * 0 for t in targets], weights, examples=4, oversampling=1, batch_size=2
        )


def test_published_network():
    network = BoundaryTraining(
        lag_matrix=False, maps=(32, 64), second_pooling=(1, 1), units=128
    ).network()
    # 8 x 6 x 32, 6 x 3 x 32 x 64 and 31 x 10 x 64 x 128 weights, with their biases.
    expected = 48 * 32 + 32 + 18 * 32 * 64 + 64 + 31 * 10 * 64 * 128 + 128 + 129
    assert network.parameter_count == expected


def test_stretched_spectrograms_are_at_another_tempo():
    x = np.random.default_rng(0).standard_normal((40, 3)).astype(np.float32)
    np.testing.assert_array_equal(stretched(x, 1.0), x)
    np.testing.assert_array_equal(stretched(x, 2.0), x[::2])
    slow = stretched(x, 0.5)
    assert slow.shape == (80, 3) and slow.dtype == np.float32
    np.testing.assert_array_equal(slow[::2], x)
    np.testing.assert_allclose(slow[1:-1:2], 0.5 * (x[1:] + x[:-1]), rtol=1e-5, atol=1e-6)
    place = np.arange(50) * 0.8
    wanted = np.column_stack([np.interp(place, np.arange(40), column) for column in x.T])
    np.testing.assert_allclose(stretched(x, 0.8), wanted, rtol=1e-4, atol=1e-5)


def test_both_forms_of_the_network_are_one():
    settings = BoundaryTraining(**SMALL)
    fused, sliding = settings.network(sliding=False), settings.network()
    np.testing.assert_array_equal(fused.numbers, sliding.numbers)
    x = np.random.default_rng(1).standard_normal((5, CONTEXT, BANDS, 2)).astype(np.float32)
    np.testing.assert_allclose(fused.predict(x), sliding.predict(x), rtol=1e-4, atol=1e-5)


def test_activations_are_those_of_patches():
    network = BoundaryTraining(**SMALL).network()
    spectrogram = np.random.default_rng(2).standard_normal((31, 80)).astype(np.float32)
    x = network_input(spectrogram, 2)
    patches = np.stack([x[i : i + CONTEXT] for i in range(31)])
    wanted = network.predict(patches)[:, 0]
    found = boundary_activations([network], spectrogram)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
    plain = BoundaryTraining(**SMALL | {"lag_matrix": False}).network()
    both = boundary_activations([network, plain], spectrogram)
    alone = boundary_activations([plain], spectrogram)
    np.testing.assert_allclose(both, (found + alone) / 2, atol=1e-6)


def test_scores():
    wanted = np.array([10.0, 20.0, 30.0])
    assert hit_f(wanted, np.array([10.4, 20.6]), 0.5) == pytest.approx(2 * 1 / 5)
    assert hit_f(wanted, np.array([10.4, 20.6]), 3.0) == pytest.approx(2 * 2 / 5)
    assert hit_f(np.zeros(0), np.zeros(0), 0.5) == 1.0
    assert hit_f(wanted, np.zeros(0), 0.5) == hit_f(np.zeros(0), wanted, 0.5) == 0.0
    a = np.full(400, 0.1)
    a[94:107], a[244:257] = 0.9, 0.4
    # Only the first is a boundary: the threshold lies between the two.
    threshold, score = best_threshold([a], [np.array([100 / FPS + FIRST])])
    assert 0.4 < threshold < 0.6 and score == 1.0  # in the middle of what does as well


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Noise that changes its colour every 12 seconds."""
    place = tmp_path_factory.mktemp("songs")
    generator = np.random.default_rng(3)
    for number in range(6):
        parts = []
        for section in range(3):
            noise = generator.standard_normal(12 * 44_100)
            if (section + number) % 2:
                noise = np.cumsum(noise) * 0.02
                noise -= noise.mean()
            parts.append(noise * 0.05 / noise.std())
        write_audio(place / f"song{number}.flac", np.concatenate(parts).astype(np.float32))
        events = Events([0.0, 12.0, 24.0], ["A", "B", "A"], [12.0, 24.0, 36.0])
        write_annotation(place / f"song{number}.segments", events)
    return place


def test_training_finds_boundaries_and_resumes_to_the_same_bits(folder, tmp_path):
    cache = feature_cache(tmp_path / "features", "boundaries")
    examples = find_examples(folder, "segments")
    settings = BoundaryTraining(**SMALL, validation=0.2)
    trained = train_boundaries(examples, cache, settings, progress=False)
    assert trained.history["loss"][-1] < 0.5 * trained.history["loss"][0]
    assert trained.score == 1.0 and trained.threshold is not None
    assert len(trained.training) == 5 and len(trained.validation) == 1
    assert frame_rate("boundaries") == pytest.approx(FPS)
    segmenter = Segmenter([trained.network], threshold=trained.threshold)
    found = segmenter.segment(examples[0].audio)
    np.testing.assert_allclose(found.times, [0, 12, 24], atol=0.5)
    assert found.labels == ["A", "B", "A"]
    file = tmp_path / "checkpoint"

    def stop(trainer, epoch):
        return epoch == 1

    options = {"checkpoint": file, "progress": False}
    train_boundaries(examples, cache, settings, **options, callbacks=[stop])
    again = train_boundaries(examples, cache, settings, **options)
    np.testing.assert_array_equal(again.network.numbers, trained.network.numbers)
    still = BoundaryTraining(**SMALL | {"epochs": 1, "learning_rate": 1e-30}, validation=0.2)
    still.stretches = (0.9, 1.2)
    same = train_boundaries(examples, cache, still, progress=False, start=trained.network)
    np.testing.assert_array_equal(same.network.numbers, trained.network.numbers)


def test_mistakes(folder, tmp_path):
    with pytest.raises(ValueError, match="smearing must be positive"):
        BoundaryTraining(smearing=0.0)
    cache = feature_cache(tmp_path / "features", "boundaries")
    with pytest.raises(ValueError, match="at least one recording"):
        train_boundaries([], cache)
    with pytest.raises(ValueError, match="a boundary model takes patches of shape"):
        Segmenter([Network((15, 80, 3), [Flatten(), Dense(1)], "binary_cross_entropy")])
