"""What the onset network looks at: its filters, saliency and occlusion over a recording.

    python examples/onset_inside.py

Takes the network that ictus brings, and some seconds of ``examples/audio/vibe_ace.ogg``. At each
onset that it finds: the gradient of its output with respect to the spectrogram (saliency), and by
how much the output falls where three frames and eight bands are set to their mean (occlusion).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

import ictus
from ictus import music
from ictus.io.audio import read_audio
from ictus.models import inspection
from ictus.music.onsets import PATCH, SPECTRA
from ictus.music.training.patches import spectrogram_axes
from ictus.nn import Network

ROOT = Path(__file__).resolve().parents[1]
HALF, COVER = PATCH // 2, (3, 8)
WINDOWS = ("23 ms", "46 ms", "93 ms")


def without_standardisation(network: Network) -> tuple[Network, np.ndarray, np.ndarray]:
    """The network of standardised patches, and mean and scale: 0 is then what is usual."""
    mean, scale = network.layer_views[0]
    inner = Network(network.input_shape, network.layers[1:], network.loss_name)
    inner.parameters[...] = network.parameters
    return inner, mean, scale


def maps_at_onsets(network: Network, spectra: np.ndarray, frames: np.ndarray) -> dict[str, Any]:
    """Saliency and occlusion of the patches at onsets, laid on the time line, (frames, bands)."""
    padded = np.pad(spectra, ((HALF, HALF), (0, 0), (0, 0)), mode="edge")
    patches = np.stack([padded[frame : frame + PATCH] for frame in frames])
    gradient = (inspection.saliency(network, patches, 0) * patches).sum(axis=-1)
    fall = inspection.occlusion(network, patches, 0, patch=COVER, stride=(1, 4))
    # Where a covered place has its middle, stretched over the bands.
    middle = np.arange(fall.shape[2]) * 4 + COVER[1] / 2
    bands = np.arange(spectra.shape[1])
    wide = np.stack([[np.interp(bands, middle, row) for row in one] for one in fall])
    wide = np.pad(wide, ((0, 0), (1, 1), (0, 0)))
    made: dict[str, Any] = {}
    for name, each in (("saliency", gradient), ("occlusion", wide)):
        line = np.zeros((len(padded), spectra.shape[1]))
        for frame, one in zip(frames, each, strict=True):
            part = line[frame : frame + PATCH]
            np.copyto(part, one, where=np.abs(one) > np.abs(part))
        made[name] = line[HALF : HALF + len(spectra)]
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--audio", type=Path, default=ROOT / "examples/audio/vibe_ace.ogg")
    parser.add_argument("--begin", type=float, default=8.0, help="seconds")
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "results")
    options = parser.parse_args()
    network: Any = ictus.load(music.model_path("onsets"))
    signal = read_audio(options.audio)
    first = round(options.begin * 100)
    last = first + round(options.seconds * 100)
    features = music.onset_features()(signal[: (last + 20) * 441])[first:last]
    detector = music.OnsetDetector([network])
    activation = detector.outputs(features)
    onsets = np.round(detector.decode(activation).times * 100).astype(int)
    inner, mean, scale = without_standardisation(network)
    spectra = (spectrogram_axes(features, SPECTRA) - mean) * scale
    maps = maps_at_onsets(inner, spectra.astype(np.float32), onsets)
    draw(options, spectra, activation, onsets, maps, inspection.filters(inner, 0))
    (options.output / "onset_inside.md").write_text(
        PAGE.format(name=options.audio.name, begin=options.begin, end=last / 100, n=len(onsets))
    )


def draw(
    options: argparse.Namespace,
    spectra: np.ndarray,
    activation: np.ndarray,
    onsets: np.ndarray,
    maps: dict[str, Any],
    filters: np.ndarray,
) -> None:
    from matplotlib.figure import Figure

    figure = Figure((10.5, 8.6), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=[3.4, 1])
    axes = above.subplots(4, 1, sharex=True, height_ratios=[2, 1, 2, 2])
    end = options.begin + options.seconds
    extent = (options.begin, end, 0, spectra.shape[1])
    image: dict[str, Any] = {"origin": "lower", "aspect": "auto", "extent": extent}
    low, high = np.percentile(spectra[:, :, 1], [20, 99.8])
    axes[0].imshow(spectra[:, :, 1].T, cmap="gray_r", vmin=low, vmax=high, **image)
    axes[0].set_title("spectrogram of 46 ms, standardised", loc="left", fontsize=10)
    seconds = options.begin + np.arange(len(activation)) / 100
    axes[1].plot(seconds, activation, lw=1)
    axes[1].vlines(options.begin + onsets / 100, 0, 1, color="C3", lw=0.8)
    axes[1].set_title("activation, and onsets found", loc="left", fontsize=10)
    titles = {
        "saliency": "saliency times input: red speaks for an onset",
        "occlusion": "occlusion: red where covering 3 frames x 8 bands lowers the output",
    }
    for axis, (name, values) in zip(axes[2:], maps.items(), strict=True):
        limit = np.percentile(np.abs(values), 99.7)
        axis.imshow(values.T, cmap="RdBu_r", vmin=-limit, vmax=limit, **image)
        axis.set_title(titles[name], loc="left", fontsize=10)
    for axis in (axes[0], axes[2], axes[3]):
        axis.set_ylabel("mel band", fontsize=9)
    axes[3].set_xlabel("seconds")
    cells = below.subplots(SPECTRA, len(filters))
    limit = np.abs(filters).max()
    for channel in range(SPECTRA):
        for number, one in enumerate(filters):
            cell = cells[channel, number]
            values = one[:, :, channel].T
            cell.imshow(values, cmap="RdBu_r", vmin=-limit, vmax=limit, origin="lower")
            cell.set(xticks=[], yticks=[])
        cells[channel, 0].set_ylabel(WINDOWS[channel], fontsize=8)
    below.suptitle(
        "the ten filters of the first layer: seven frames to the right, three bands upwards",
        fontsize=10,
    )
    figure.savefig(options.output / "onset_inside.png", dpi=56)


PAGE = """\
# What the onset network looks at

The convolutional network that ictus brings, over {name} from {begin:g} to {end:g} s
({n} onsets found). Saliency (times the input) and occlusion are those of the output at each onset,
laid on the time line; below are the filters of the first layer. A rise is asked for, low before and
high after, in all bands, and what lies some frames away hardly counts. The recording has nothing
above 11 kHz: the highest bands are empty, which is far from what the network knows, and covering
them with what is usual moves the output as much as a stroke does.

![filters, saliency, occlusion](onset_inside.png)

Made by `python examples/onset_inside.py`.
"""


if __name__ == "__main__":
    main()
