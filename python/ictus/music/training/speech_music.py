"""Training of speech/music detectors: features without labels first, then the two questions.

Excerpts of mel spectrograms are whitened; a mean-covariance RBM and Bernoulli RBMs above it learn
to describe them; a network that begins with their weights learns what speech and music are (after
Schlüter & Sonnleitner, DAFx 2012; the stack as in Dahl, Ranzato, Mohamed & Hinton, NIPS 2010).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.models.boltzmann.divergence import DivergenceTrainer
from ictus.models.boltzmann.hybrid_divergence import HybridDivergenceTrainer
from ictus.models.boltzmann.mean_covariance import MeanCovarianceMachine
from ictus.models.boltzmann.rbm import RBM
from ictus.models.pretraining.pretrain import pretrain
from ictus.music.speech_music import (
    CLASSES,
    SpeechMusicDetector,
    excerpts,
    speech_music_features,
)
from ictus.music.training.programmes import Mixing, Sources, make_programme
from ictus.music.training.whitening import Whitening
from ictus.nn import Dense, Dropout, MeanCovariance, Network
from ictus.optim import Adam
from ictus.train import EarlyStopping, History, Trainer
from ictus.train.schedules import Linear

Array = NDArray[Any]

PRETRAINING = ("mean-covariance", "gaussian", "none")
#: Excerpts from which the whitening is estimated, at most.
WHITENING_ROWS = 30_000


@dataclass(frozen=True)
class Annotated:
    """Features of a recording, shape (frames, 40), and what is in it, bool (frames, 2)."""

    features: Array
    active: Array


@dataclass(frozen=True)
class SpeechMusicTraining:
    """Settings of a training.

    Parameters
    ----------
    pretraining : {"mean-covariance", "gaussian", "none"}
        What the first layer learns without labels. "none": the same network as of
        "mean-covariance", from random weights. "gaussian": a Gaussian RBM of as many units on
        standardised excerpts instead.
    components : int
        Principal components of an excerpt that are kept, whitened.
    factors, mean_units : int
        Covariance and mean units of the first layer.
    hidden_units : tuple of int
        Of the Bernoulli RBMs above.
    machine_epochs, stack_epochs, epochs : int
        Of the first layer, of each above, and of the supervised training.
    learning_rate : float
        Of Adam in the supervised training; it falls linearly to a twentieth.
    machine_learning_rate : float
        Of the mean-covariance RBM.
    dropout : float
        In the supervised training, of the outputs of each hidden layer.
    machine_examples : int
        Excerpts that each stage without labels learns from, at most, drawn at random.
    batch_size, seed : int
    early_stopping : int, optional
        Epochs without a better validation loss after which the supervised training ends.
    """

    pretraining: str = "mean-covariance"
    components: int = 160
    factors: int = 256
    mean_units: int = 64
    hidden_units: tuple[int, ...] = (128,)
    machine_epochs: int = 15
    machine_examples: int = 30_000
    stack_epochs: int = 8
    epochs: int = 6
    learning_rate: float = 0.001
    machine_learning_rate: float = 0.05
    dropout: float = 0.2
    batch_size: int = 128
    seed: int = 0
    early_stopping: int | None = None

    def __post_init__(self) -> None:
        if self.pretraining not in PRETRAINING:
            raise ValueError(
                f"pretraining must be one of {', '.join(PRETRAINING)}, got {self.pretraining!r}"
            )


@dataclass
class TrainedDetector:
    """A network of raw excerpts, and how it came about."""

    network: Network
    history: History
    pretraining: list[History] = field(default_factory=list)
    machine: Any = None
    whitening: Whitening | None = None


def programmes(
    sources: Sources, count: int, seed: int, *, seconds: float = 60.0, mixing: Mixing | None = None
) -> list[Annotated]:
    """Return features and annotations of programmes mixed from recordings at 16 kHz.

    Each depends on the seed and its number alone.
    """
    features = speech_music_features()
    if sources.sample_rate != features.sample_rate:
        raise ValueError(
            f"sources must have {features.sample_rate} samples a second, got {sources.sample_rate}"
        )
    made = []
    for number in range(count):
        one = make_programme(
            sources,
            np.random.Generator(np.random.PCG64([seed, number])),
            seconds=seconds,
            fps=features.fps,
            mixing=mixing,
        )
        spectrum = features(one.signal)
        frames = min(len(spectrum), len(one.active))
        made.append(Annotated(spectrum[:frames], one.active[:frames]))
    return made


def train_speech_music(
    material: Sequence[Annotated],
    settings: SpeechMusicTraining | None = None,
    *,
    validation: Sequence[Annotated] = (),
    step: int = 2,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: bool | None = None,
    callbacks: Sequence[Any] = (),
) -> TrainedDetector:
    """Train a speech/music detector.

    Parameters
    ----------
    material : sequence of Annotated
    settings : SpeechMusicTraining, optional
    validation : sequence of Annotated
        Measures the loss after each epoch, and ends training with ``early_stopping``.
    step : int
        Every `step`-th frame's excerpt is an example: neighbours differ little.
    checkpoint : path, optional
        Files of this name, one for each stage; training goes on from them to the same bits.
    progress, callbacks
        See :class:`ictus.train.Trainer`; the callbacks are those of the supervised training.

    Returns
    -------
    TrainedDetector
        Whitening or standardisation is the network's first layer. After an interruption of the
        stages without labels, the history is that of the interrupted one.

    Raises
    ------
    ValueError
        No frames, or ones in which speech or music is always or never there.
    """
    settings = settings or SpeechMusicTraining()
    x, y = _examples(material, step)
    for i, name in enumerate(CLASSES):
        if not 0 < y[:, i].mean() < 1:
            always = "always" if y[:, i].all() else "never"
            raise ValueError(f"the material must have frames with and without {name}; it {always} "
                             "has it")  # fmt: skip
    generator = np.random.Generator(np.random.PCG64([settings.seed, 5]))
    rows = np.sort(generator.permutation(len(x))[:WHITENING_ROWS])
    gaussian = settings.pretraining == "gaussian"
    whitening = (
        Whitening.standardization(x[rows])
        if gaussian
        else Whitening.of(x[rows], settings.components)
    )
    x = _in_parts(whitening, x)
    network = _network(x.shape[1], settings)
    place = None if checkpoint is None else Path(checkpoint)
    machine, histories = None, []
    if gaussian:
        epochs = [settings.machine_epochs] + [settings.stack_epochs] * len(settings.hidden_units)
        seen = _some(x, settings)
        layers = pretrain(network, seen, epochs=epochs, batch_size=settings.batch_size,
                          seed=settings.seed, checkpoint=place, progress=progress)  # fmt: skip
        histories = [one.history for one in layers]
    elif settings.pretraining == "mean-covariance":
        machine, histories = _pretrain(network, _some(x, settings), settings, place, progress)
    if histories and histories[-1].interrupted:
        raw = _raw(network, whitening)
        return TrainedDetector(raw, histories[-1], histories, machine, whitening)
    held_out = None
    if validation:
        unseen, targets = _examples(validation, step)
        held_out = (_in_parts(whitening, unseen), targets)
    trainer = _trainer(network, settings, held_out is not None, place, progress, callbacks)
    trainer.resume()
    history = trainer.fit(x, y, validation=held_out)
    return TrainedDetector(_raw(network, whitening), history, histories, machine, whitening)


def frame_errors(network: Network, material: Sequence[Annotated]) -> dict[str, float]:
    """Return the share of frames that a detector with its default settings gets wrong."""
    detector = SpeechMusicDetector([network])
    wrong, frames = np.zeros(len(CLASSES)), 0
    for one in material:
        rows = excerpts(np.asarray(one.features, np.float32), detector.excerpt)
        wrong += (detector.decide(network.predict(rows)) != one.active).sum(axis=0)
        frames += len(rows)
    return {name: float(wrong[i] / max(frames, 1)) for i, name in enumerate(CLASSES)}


def _examples(material: Sequence[Annotated], step: int) -> tuple[Array, Array]:
    """Excerpts of every `step`-th frame, and targets."""
    x = [excerpts(np.asarray(one.features, np.float32))[::step] for one in material]
    y = [one.active[::step].astype(np.float32) for one in material]
    if not sum(map(len, x)):
        raise ValueError("training needs at least one frame, got 0")
    return np.concatenate(x), np.concatenate(y)


def _some(x: Array, settings: SpeechMusicTraining) -> Array:
    """The rows from which the stages without labels learn."""
    generator = np.random.Generator(np.random.PCG64([settings.seed, 6]))
    return np.asarray(x[np.sort(generator.permutation(len(x))[: settings.machine_examples])])


def _in_parts(whitening: Whitening, x: Array) -> Array:
    return np.concatenate([whitening(x[i : i + 4096]) for i in range(0, len(x), 4096)])


def _network(inputs: int, settings: SpeechMusicTraining) -> Network:
    units = settings.factors + settings.mean_units
    first: Any = MeanCovariance(settings.factors, settings.mean_units)
    if settings.pretraining == "gaussian":
        first = Dense(units, "sigmoid")
    layers: list[Any] = [first]
    for units in settings.hidden_units:
        layers += [Dropout(settings.dropout), Dense(units, "sigmoid")]
    layers += [Dropout(settings.dropout), Dense(len(CLASSES))]
    if not settings.dropout:
        layers = [layer for layer in layers if not isinstance(layer, Dropout)]
    return Network(inputs, layers, "binary_cross_entropy", seed=settings.seed)


def _weighted(network: Network) -> Iterable[tuple[Array, ...]]:
    return (tuple(views) for views in network.views(network.parameters) if len(views))


def _pretrain(
    network: Network,
    x: Array,
    settings: SpeechMusicTraining,
    checkpoint: Path | None,
    progress: bool | None,
) -> tuple[MeanCovarianceMachine, list[History]]:
    """The machine of the first layer, and those above it; their weights go to the network."""

    def place(number: int) -> Path | None:
        if checkpoint is None:
            return None
        return checkpoint.with_name(f"{checkpoint.name}.layer-{number}")

    seed = settings.seed
    machine = MeanCovarianceMachine(x.shape[1], settings.factors, settings.mean_units, seed=seed)
    trainer: Any = HybridDivergenceTrainer(
        machine,
        learning_rate=settings.machine_learning_rate,
        batch_size=settings.batch_size,
        epochs=settings.machine_epochs,
        seed=seed,
        checkpoint=place(1),
        progress=progress,
    )
    trainer.resume()
    histories = [trainer.fit(x)]
    if histories[-1].interrupted:
        return machine, histories
    views = list(_weighted(network))
    biases = np.concatenate([machine.covariance_bias, machine.mean_bias])
    for into, values in zip(views[0], (machine.filters, machine.weights, biases), strict=True):
        into[...] = values
    x = np.concatenate(machine.hidden_means(x), axis=1)
    for number, units in enumerate(settings.hidden_units, 1):
        rbm = RBM(x.shape[1], units, seed=seed + number)
        trainer = DivergenceTrainer(
            rbm,
            learning_rate=0.05,
            batch_size=settings.batch_size,
            epochs=settings.stack_epochs,
            seed=seed + number,
            checkpoint=place(number + 1),
            progress=progress,
        )
        trainer.resume()
        histories.append(trainer.fit(x))
        if histories[-1].interrupted:
            break
        views[number][0][...], views[number][1][...] = rbm.weights, rbm.hidden_bias
        x = rbm.mean_hiddens(x)
    return machine, histories


def _trainer(
    network: Network,
    settings: SpeechMusicTraining,
    validates: bool,
    checkpoint: Path | None,
    progress: bool | None,
    callbacks: Sequence[Any],
) -> Trainer:
    patience, rate = settings.early_stopping, settings.learning_rate
    return Trainer(
        network,
        Adam(rate),
        batch_size=settings.batch_size,
        epochs=settings.epochs,
        seed=settings.seed,
        learning_rate=Linear(rate, 0.05 * rate, float(settings.epochs)),
        early_stopping=EarlyStopping(patience) if patience and validates else None,
        checkpoint=checkpoint,
        progress=progress,
        callbacks=callbacks,
    )


def _raw(network: Network, whitening: Whitening) -> Network:
    """The network of raw excerpts: the whitening is a linear layer before it; dropout is gone."""
    layers = [layer for layer in network.layers if not isinstance(layer, Dropout)]
    weights, bias = whitening.layer()
    whole = Network(len(weights), [Dense(weights.shape[1]), *_again(layers)], network.loss_name,
                    seed=network.seed)  # fmt: skip
    first, *others = _weighted(whole)
    first[0][...], first[1][...] = weights, bias
    for into, values in zip(others, _weighted(network), strict=True):
        for to, value in zip(into, values, strict=True):
            to[...] = value
    return whole


def _again(layers: Sequence[Any]) -> list[Any]:
    from ictus.nn.kinds import layers_from_config

    return layers_from_config([layer.config() for layer in layers])
