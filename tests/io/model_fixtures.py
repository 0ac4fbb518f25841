"""Makes the model files that tests read: a small one of each kind, as this version writes them.

``python -m tests.io.model_fixtures FOLDER`` writes them, with what the models give for some data.
The folders of ``tests/io/model_files`` are named after the version of the format and the commit
whose code wrote them: what is there is never made again, a new format gets a folder of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import ictus

RNG = np.random.default_rng(0)
X = RNG.random((20, 4)).astype(np.float32)
Y = np.array(["up", "down"])[np.arange(20) % 2]
CODES = (X * 3).astype(int)
SEQUENCES = [X[:7], X[7:12], X[12:]]
IMAGES = RNG.random((10, 6, 6)).astype(np.float32)
CHORDS = [[[60, 64, 67], [60, 65, 69], [59, 62, 67], []]] * 2

Make = Callable[[], Any]
Use = Callable[[Any], Any]


def _tunes() -> list[Any]:
    from tests.music.melody.tunes import tune

    return [tune(seed, notes=12) for seed in range(3)]


def _chorales() -> Any:
    from tests.music.melody.tunes import chorales

    return chorales(2)


def _features(model: Any) -> Any:
    return model.transform(X[:5])


def _probabilities(model: Any) -> Any:
    return model.predict_proba(X[:5])


def _network() -> Any:
    layers = [ictus.Dropout(0.1), ictus.Dense(3, "tanh", dropout=0.2), ictus.Dense(2)]
    return ictus.Network(4, layers, seed=4)


def _image_network() -> Any:
    layers = [ictus.Conv2D(2, 3, pool=2), ictus.BatchNorm(), ictus.Flatten(), ictus.Dense(2)]
    return ictus.Network((6, 6, 1), layers, seed=4)


def _sequence_network() -> Any:
    layers = [ictus.Bidirectional(ictus.GRU(3)), ictus.LSTM(2, peepholes=True), ictus.Dense(2)]
    return ictus.SequenceNetwork(4, layers, seed=4)


def _machine(kind: str, *arguments: Any) -> Make:
    return lambda: getattr(ictus.models, kind)(*arguments, seed=3)


def _melody(kind: str, *arguments: Any, **options: Any) -> Make:
    from ictus.music import melody

    data = CHORDS if kind == "ChordSequenceLSTM" else _chorales()
    data = _tunes() if kind == "MelodyRBM" else data
    return lambda: getattr(melody, kind)(*arguments, random_state=0, **options).fit(data)


def _parameters(model: Any) -> Any:
    return model.parameters


def _nothing(model: Any) -> Any:
    return np.zeros(0)


def cases() -> dict[str, tuple[Make, Use]]:
    """What makes a model of each kind, and what is asked of it; names are those of the files."""
    one: dict[str, Any] = {"max_epochs": 1, "random_state": 0}
    two: dict[str, Any] = {"max_epochs": 2, "random_state": 0}
    steps: dict[str, Any] = {"n_iter": 1, "random_state": 0}
    few: dict[str, Any] = {"transpositions": [0]}
    return {
        "network": (_network, lambda m: m.predict(X[:5])),
        "image_network": (_image_network, lambda m: m.predict(IMAGES)),
        "sequence_network": (_sequence_network, lambda m: m.predict(SEQUENCES)[0]),
        "rbm": (_machine("RBM", 4, 3), _parameters),
        "conditional_machine": (_machine("ConditionalMachine", 4, 3, 2), _parameters),
        "convolutional_machine": (_machine("ConvolutionalMachine", (6, 6), 2, 3), _parameters),
        "mean_covariance_machine": (_machine("MeanCovarianceMachine", 4, 5, 2), _parameters),
        "deep_belief_machine": (
            _machine(
                "DeepBeliefMachine",
                [{"visible_units": 4, "hidden_units": 3}, {"visible_units": 3, "hidden_units": 2}],
            ),
            _parameters,
        ),
        "mlp_classifier": (lambda: ictus.MLPClassifier((3,), **two).fit(X, Y), _probabilities),
        "mlp_regressor": (
            lambda: ictus.MLPRegressor((3,), **two).fit(X, X[:, 0]), lambda m: m.predict(X[:5])
        ),
        "bernoulli_rbm": (lambda: ictus.BernoulliRBM(3, **steps).fit(X), _features),
        "gaussian_rbm": (lambda: ictus.GaussianRBM(3, **steps).fit(X), _features),
        "softmax_rbm": (
            lambda: ictus.SoftmaxRBM(3, **steps).fit(CODES), lambda m: m.transform(CODES[:5])
        ),
        "conditional_rbm": (
            lambda: ictus.ConditionalRBM(3, **steps).fit([X]), lambda m: m.transform([X])[0]
        ),
        "mean_covariance_rbm": (lambda: ictus.MeanCovarianceRBM(3, **steps).fit(X), _features),
        "convolutional_rbm": (
            lambda: ictus.ConvolutionalRBM(2, kernel_size=3, **steps).fit(IMAGES),
            lambda m: m.transform(IMAGES[:2]),
        ),
        "sequence_classifier": (
            lambda: ictus.SequenceClassifier((3,), **one).fit(SEQUENCES, ["a", "b", "a"]),
            lambda m: m.predict_proba(SEQUENCES),
        ),
        "sequence_labeler": (
            lambda: ictus.SequenceLabeler((3,), **one).fit(SEQUENCES, [Y[:7], Y[7:12], Y[12:]]),
            lambda m: m.predict_proba(SEQUENCES)[0],
        ),
        "sequence_regressor": (
            lambda: ictus.SequenceRegressor((3,), **one).fit(
                SEQUENCES, [s[:, 0] for s in SEQUENCES]
            ),
            lambda m: m.predict(SEQUENCES)[0],
        ),
        "sequence_generator": (
            lambda: ictus.SequenceGenerator((3,), **one).fit([list("abcabcab"), list("acb")]),
            _nothing,
        ),
        "deep_belief_net": (
            lambda: ictus.DeepBeliefNet((3, 2), random_state=0).fit(X), _features
        ),
        "dbn_classifier": (
            lambda: ictus.DBNClassifier((3, 2), random_state=0).fit(X, Y), _probabilities
        ),
        "autoencoder": (lambda: ictus.Autoencoder((3,), **one).fit(X), _features),
        "convolutional_autoencoder": (
            lambda: ictus.ConvolutionalAutoencoder((2,), **one).fit(IMAGES),
            lambda m: m.transform(IMAGES[:2]),
        ),
        "convnet_classifier": (
            lambda: ictus.ConvNetClassifier((2,), (3,), **one).fit(IMAGES, Y[:10]),
            lambda m: m.predict_proba(IMAGES[:5]),
        ),
        "convnet_regressor": (
            lambda: ictus.ConvNetRegressor((2,), (3,), **one).fit(IMAGES, IMAGES[:, 0, 0]),
            lambda m: m.predict(IMAGES[:5]),
        ),
        "melody_rbm": (
            _melody("MelodyRBM", 3, 4, n_iter=1, **few), lambda m: m.surprise(_tunes()[0])
        ),
        "chord_sequence_lstm": (
            _melody("ChordSequenceLSTM", 2, max_epochs=1), lambda m: m.log_likelihood(CHORDS)[0]
        ),
        "conditional_harmonizer": (_melody("ConditionalHarmonizer", 2, n_iter=1, **few), _nothing),
        "deep_harmonizer": (_melody("DeepHarmonizer", 2, (3, 2), n_iter=1, **few), _nothing),
        "recurrent_harmonizer": (_melody("RecurrentHarmonizer", 2, max_epochs=1, **few), _nothing),
    }  # fmt: skip


def main(folder: Path) -> None:
    """Write every kind that the code at hand knows."""
    folder.mkdir(parents=True, exist_ok=True)
    expected = {}
    for name, (make, use) in cases().items():
        model = make()
        ictus.save(folder / f"{name}.ictus", model, {"name": name, "licence": "CC0-1.0"})
        expected[name] = np.asarray(use(model))
    ictus.save(folder / "half.ictus", _network(), half=True)
    expected["half"] = ictus.load(folder / "half.ictus").predict(X[:5])
    np.savez_compressed(folder / "expected.npz", **expected)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
