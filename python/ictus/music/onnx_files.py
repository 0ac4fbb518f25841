"""Beat and onset models as one ONNX file each: from the samples of a recording to activations.

Framing, short-time spectra, filters, logarithms and increases are nodes before the networks: what
:class:`ictus.music.Features` computes, as a program without ictus can run it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ictus.io.onnx.builder import Builder
from ictus.io.onnx.export import add_network
from ictus.music.beats import BeatTracker
from ictus.music.features import Features, Resolution, difference_frames
from ictus.music.onsets import ONSET_MODELS, SPECTRA
from ictus.nn.sliding import sliding_network
from ictus.train.files import write_atomically

if TYPE_CHECKING:
    from ictus.nn import Network

END = int(np.iinfo(np.int64).max)


def save_onnx(
    path: str | os.PathLike[str],
    networks: Sequence[Network],
    model: str = "beats",
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write networks and their features as one ONNX file (operator set 20), atomically.

    The file takes ``signal``, float32 of shape (samples,), mono at the features' sample rate, one
    sample at least, and gives ``activations``, the mean over the networks: of shape (frames,), or
    (frames, 2) for beats and downbeats. Sample rate and frames per second are in its metadata. It
    takes recordings as a whole; :class:`BeatTracker` computes those longer than 5 minutes in parts.

    Parameters
    ----------
    path : path
    networks : sequence of SequenceNetwork or Network
        As of :class:`BeatTracker`, or onset networks.
    model : {"beats", "onsets", "onsets_online", "onsets_rnn"}
        "beats": of any beat model; the features follow from the number of inputs.
    metadata : mapping, optional
        More texts that the file keeps.

    Raises
    ------
    ValueError
        An unknown model, networks that do not fit each other, or that no features fit.
    """
    write_atomically(path, encode(networks, model, metadata))


def encode(
    networks: Sequence[Network], model: str = "beats", metadata: Mapping[str, str] | None = None
) -> bytes:
    """Return the bytes of the file that :func:`save_onnx` writes."""
    builder = Builder(model)
    signal = builder.input("signal", np.float32, ("samples",))
    if model == "beats":
        features = _beats(builder, networks, signal)
    elif model in ONSET_MODELS:
        features = _onsets(builder, networks, model, signal)
    else:
        known = ", ".join(["beats", *ONSET_MODELS])
        raise ValueError(f"save_onnx: model must be one of {known}, got {model!r}")
    texts = {
        "ictus_kind": model,
        "sample_rate": str(features.sample_rate),
        "frames_per_second": str(features.fps),
    }
    return builder.model(texts | dict(metadata or {}))


def _beats(builder: Builder, networks: Sequence[Network], signal: str) -> Features:
    tracker = BeatTracker(networks)  # type: ignore[arg-type]
    frames = add_features(builder, tracker.features, signal)
    frames = builder.node("Unsqueeze", [frames, builder.integers(0)], "frames")
    outputs = [
        add_network(builder, network, frames, f"network_{i}").name
        for i, network in enumerate(tracker.networks)
    ]
    mean, integers = _mean(builder, outputs), builder.integers
    if tracker.downbeats:  # without the probability of no beat
        mean = builder.node("Slice", [mean, integers(1), integers(END), integers(2)])
    axes = integers(0) if tracker.downbeats else integers(0, 2)
    builder.node("Squeeze", [mean, axes], outputs=["activations"])
    shape: tuple[int | str, ...] = ("frames", 2) if tracker.downbeats else ("frames",)
    builder.output("activations", np.float32, shape)
    return tracker.features


def _onsets(builder: Builder, networks: Sequence[Network], model: str, signal: str) -> Features:
    kind = ONSET_MODELS[model]
    features: Features = kind.features()
    patches = kind.surroundings != (0, 0)
    size = features.width // SPECTRA if patches else features.width
    shapes = {network.input_shape for network in networks}
    wanted = (sum(kind.surroundings) + 1, size, SPECTRA) if patches else (size,)
    if shapes != {wanted} or {network.output_size for network in networks} != {1}:
        raise ValueError(
            f"save_onnx: networks of {model} must take {wanted} and give 1 number, got {shapes}"
        )
    integers = builder.integers
    frames = add_features(builder, features, signal)
    x = builder.node("Unsqueeze", [frames, integers(0)], "frames")
    if patches:
        before, after = kind.surroundings
        # The first and the last frame are repeated; spectra become channels.
        x = builder.node("Pad", [frames, integers(before, 0, after, 0)], mode="edge")
        x = builder.node("Reshape", [x, integers(1, -1, SPECTRA, size)])
        x = builder.node("Transpose", [x], perm=[0, 1, 3, 2])
    outputs = []
    for i, network in enumerate(networks):
        one = sliding_network(network, [0]) if patches else network
        name = add_network(builder, one, x, f"network_{i}").name
        outputs.append(builder.node("Reshape", [name, integers(-1)]))
    # Pixels at the end that no window reaches leave room for more positions than frames.
    count = builder.node("Shape", [frames], start=0, end=1)
    mean = _mean(builder, outputs)
    inputs = [mean, integers(0), count, integers(0)]
    builder.node("Slice", inputs, outputs=["activations"])
    builder.output("activations", np.float32, ("frames",))
    return features


def _mean(builder: Builder, outputs: Sequence[str]) -> str:
    mean = outputs[0]
    for one in outputs[1:]:
        mean = builder.node("Add", [mean, one])
    if len(outputs) > 1:
        share = builder.constant(np.float32(1 / len(outputs)), "share")
        mean = builder.node("Mul", [mean, share])
    return mean


def add_features(builder: Builder, features: Features, signal: str) -> str:
    """Add the features of a signal (samples,) to a graph; return the tensor (frames, width).

    Raises
    ------
    ValueError
        Features whose frames are not a whole number of samples apart.
    """
    hop = int(features.hop)
    if hop != features.hop:
        raise ValueError(
            f"features with {features.hop} samples from frame to frame have no form in ONNX"
        )
    parts = []
    for resolution in features.resolutions:
        spectrum = _spectrogram(builder, features, resolution, signal)
        parts.append(spectrum)
        if features.difference_ratio is not None:
            distance = difference_frames(
                resolution.window_size, features.difference_ratio, features.hop
            )
            parts.append(_increase(builder, spectrum, distance))
    return builder.node("Concat", parts, "features", axis=1) if len(parts) > 1 else parts[0]


def _spectrogram(builder: Builder, features: Features, resolution: Resolution, signal: str) -> str:
    """Filtered magnitudes on a logarithmic scale, (frames, bands)."""
    size, node, constant = resolution.window_size, builder.node, builder.constant
    # So many zeros around it that each hop that is begun has a frame, and no other.
    before = size - 1 - features.look_ahead if features.causal else size // 2
    if before < 0:  # the first frame begins behind the first sample
        integers = builder.integers
        inputs = [signal, integers(-before), integers(END), integers(0)]
        signal = node("Slice", inputs)
    padded = node("Pad", [signal, builder.integers(max(0, before), size - 1 - before)], "padded")
    padded = node("Unsqueeze", [padded, builder.integers(0, 2)], "padded")
    hop, length = np.array(int(features.hop), np.int64), np.array(size, np.int64)
    window = constant(resolution.window, "window")
    inputs = [padded, constant(hop, "hop"), window, constant(length, "size")]
    spectrum = node("STFT", inputs, "spectrum", onesided=1)  # (1, frames, bins, 2)
    parts = node("Squeeze", [spectrum, builder.integers(0)], "spectrum")
    magnitude = node("ReduceL2", [parts, builder.integers(-1)], "magnitude", keepdims=0)
    filters = resolution.filterbank.matrix(size // 2 + 1).astype(np.float32)
    bands = node("MatMul", [magnitude, constant(filters, "filters")], "bands")
    if features.mul != 1:
        bands = node("Mul", [bands, constant(np.float32(features.mul), "mul")], "bands")
    bands = node("Add", [bands, constant(np.float32(features.add), "add")], "bands")
    bands = node("Log", [bands], "bands")
    if features.scale != 1:
        bands = node("Mul", [bands, constant(np.float32(features.scale), "scale")], "bands")
    return bands


def _increase(builder: Builder, spectrum: str, distance: int) -> str:
    """The increase over the frame `distance` frames back; 0 in the first frames."""
    integers = builder.integers
    first = builder.node("Slice", [spectrum, integers(0), integers(distance), integers(0)])
    earlier = builder.node("Slice", [spectrum, integers(0), integers(-distance), integers(0)])
    known = builder.node("Concat", [first, earlier], axis=0)
    return builder.node("Relu", [builder.node("Sub", [spectrum, known])], "increase")
