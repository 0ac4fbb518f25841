"""Augmentation: what distortions do, and that training with them is the same bits every time."""

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from ictus.models import ConvNetClassifier
from ictus.nn import Conv2D, Dense, Flatten, Network
from ictus.optim import SGD
from ictus.train import AugmentedBatches, Batches, Distortion, SpectrogramMask, Trainer


def generator(seed=0):
    return np.random.Generator(np.random.PCG64(seed))


def images(rows=6, height=9, width=11, channels=2, dtype=np.float32):
    return generator(1).standard_normal((rows, height, width, channels)).astype(dtype)


def test_no_distortion_changes_nothing():
    x = images()
    np.testing.assert_array_equal(Distortion()(x, generator()), x)


def test_a_distortion_interpolates_as_scipy_does():
    x = images(dtype=np.float64)
    distortion = Distortion(
        shift=2, rotation=20, scale=0.3, shear=0.2, elastic=9, smoothness=2, fill=0.7
    )
    found = distortion(x, generator(3))
    down, across = distortion._places(x.shape, generator(3))
    for row in range(len(x)):
        for channel in range(x.shape[-1]):
            wanted = map_coordinates(
                np.pad(x[row, ..., channel], 3, constant_values=0.7),
                [down[row] + 3, across[row] + 3],
                order=1,
                mode="nearest",
            )
            np.testing.assert_allclose(found[row, ..., channel], wanted, atol=1e-6)


def test_shifts_stay_within_their_bound_and_differ():
    x = np.zeros((200, 15, 15, 1), np.float32)
    x[:, 7, 7] = 1
    moved = Distortion(shift=3)(x, generator())[..., 0]
    places = np.arange(15)
    down = (moved.sum(axis=2) * places).sum(axis=1) - 7
    across = (moved.sum(axis=1) * places).sum(axis=1) - 7
    for shift in (down, across):
        assert 2.5 < np.abs(shift).max() <= 3.001
        assert abs(shift.mean()) < 0.5


def test_a_turn_is_about_the_middle():
    x = np.zeros((1, 11, 11, 1), np.float32)
    x[0, 5, :, 0] = 1  # a line across
    turned = Distortion(rotation=90)(x, generator(2))[0, ..., 0]
    assert turned[5, 5] > 0.95
    assert not np.allclose(turned, x[0, ..., 0], atol=0.1)


def test_masks_hide_runs_of_frames_and_bands():
    x = np.ones((300, 12, 20, 3), np.float32)
    masked = SpectrogramMask(frames=4, bands=6, fill=-2)(x, generator())
    assert set(np.unique(masked)) == {-2.0, 1.0}
    assert (x == 1).all()
    hidden = (masked == -2).all(axis=-1)
    frames, bands = hidden.all(axis=2).sum(axis=1), hidden.all(axis=1).sum(axis=1)
    assert frames.max() == 4
    assert bands.max() == 6
    assert frames.min() == bands.min() == 0
    for row in hidden.all(axis=2):
        assert np.abs(np.diff(np.pad(row.astype(int), 1))).sum() <= 2, "one run"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Distortion(shift=-1), "shift must be a non-negative number, got -1"),
        (lambda: Distortion(scale=1), "scale must be below 1, got 1"),
        (lambda: Distortion(smoothness=0), "smoothness must be positive"),
        (lambda: SpectrogramMask(frames=-2), "frames must be a non-negative number, got -2"),
        (lambda: Distortion()(np.zeros((2, 9)), generator()), r"height, width, channels\), got"),
        (lambda: SpectrogramMask()(np.zeros((2, 9)), generator()), r"frames, bands, \.\.\.\), got"),
        (lambda: AugmentedBatches(batches(), [1]), "augmentation must be callable"),
    ],
)
def test_mistakes(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def batches(rows=23):
    x = generator(4).standard_normal((rows, 6, 6, 1)).astype(np.float32)
    return Batches(x, np.arange(rows), batch_size=5, seed=3)


def test_minibatches_follow_from_seed_epoch_and_number():
    shifted = AugmentedBatches(batches(), [Distortion(shift=1), SpectrogramMask(frames=2)])
    whole = [(x.copy(), y.copy()) for x, y, _ in shifted.epoch(2)]
    rest = [(x.copy(), y.copy()) for x, y, _ in shifted.epoch(2, first=3)]
    assert len(whole) == len(shifted) == 5
    for (x, y), (x_again, y_again) in zip(whole[3:], rest, strict=True):
        np.testing.assert_array_equal(x, x_again)
        np.testing.assert_array_equal(y, y_again)
    other = next(iter(shifted.epoch(3)))
    assert not np.array_equal(other[0], whole[0][0])


def test_an_augmentation_that_changes_the_shape_is_refused():
    cropped = AugmentedBatches(batches(), lambda x, generator: x[:, 1:])
    with pytest.raises(ValueError, match=r"must keep the shape \(5, 6, 6, 1\)"):
        list(cropped.epoch(0))


def test_the_next_minibatch_does_not_overwrite_this_one():
    kept = [(x, x.copy()) for x, _, _ in AugmentedBatches(batches(), lambda x, _: x).epoch(0)]
    for x, copy in kept:
        np.testing.assert_array_equal(x, copy)


def trainer(path=None, **options):
    network = Network((6, 6, 1), [Conv2D(3, 3, "relu"), Flatten(), Dense(3)], seed=1)
    return Trainer(
        network,
        SGD(0.05),
        batch_size=7,
        epochs=4,
        augmentation=Distortion(shift=1, rotation=10),
        checkpoint=path,
        progress=False,
        **options,
    )


def test_training_resumes_to_the_same_bits(tmp_path):
    x = generator(5).standard_normal((40, 6, 6, 1)).astype(np.float32)
    y = np.arange(40) % 3
    whole = trainer()
    whole.fit(x, y)
    first = trainer(tmp_path / "c")
    first.fit(x, y, epochs=2)
    second = trainer(tmp_path / "c")
    assert second.resume()
    second.fit(x, y)
    np.testing.assert_array_equal(second.network.parameters, whole.network.parameters)
    plain = trainer()
    plain.augmentation = None
    plain.fit(x, y)
    assert not np.array_equal(plain.network.parameters, whole.network.parameters)


def test_an_estimator_takes_it_for_one_fit():
    x = generator(6).standard_normal((30, 6, 6)).astype(np.float32)
    y = np.arange(30) % 3
    seen = []

    def look(batch, draws):
        seen.append(batch.shape)
        return batch

    model = ConvNetClassifier((2,), (4,), max_epochs=2, batch_size=10, random_state=0)
    plain = model.fit(x, y).predict_proba(x)
    np.testing.assert_array_equal(model.fit(x, y, augmentation=look).predict_proba(x), plain)
    assert seen == [(10, 6, 6, 1)] * 6
    bent = model.fit(x, y, augmentation=Distortion(shift=1)).predict_proba(x)
    assert not np.array_equal(bent, plain)
