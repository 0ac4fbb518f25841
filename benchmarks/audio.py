"""Audio: a minute's features beside librosa, networks beside PyTorch, decoding beside NumPy.

Boundaries of sections (features, lag matrix and two networks): beside librosa's features and the
same networks in PyTorch. madmom, whose features and decoder these are, does not import on the
Pythons that ictus supports.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.runner import Case

SECONDS, RATE, HOP = 60, 44_100, 441


def signal() -> np.ndarray:
    generator = np.random.default_rng(0)
    return (0.1 * generator.standard_normal(SECONDS * RATE)).astype(np.float32)


def activations() -> np.ndarray:
    """A minute with beats at 120 BPM and noise."""
    generator = np.random.default_rng(0)
    a = 0.1 * generator.random(SECONDS * 100)
    a[10::50] = 0.5 + 0.4 * generator.random(len(a[10::50]))
    return a


def onset_network() -> Any:
    """The network of Schlüter & Böck 2014, with random weights."""
    from ictus.music.training import OnsetTraining

    return OnsetTraining(seed=1).network(240)


def beat_network() -> Any:
    """The BLSTM of Böck & Schedl 2011, with random weights; peepholes begin at zero."""
    from ictus.music.training import BeatTraining

    return BeatTraining(seed=1).network(266)


def boundary_networks() -> list[Any]:
    """Two networks of the size of those in the wheel."""
    from ictus.music.training import BoundaryTraining

    return [BoundaryTraining(seed=seed).network() for seed in (1, 2)]


class Ours:
    """ictus.music."""

    def __init__(self, threads: int) -> None:
        import ictus

        ictus.set_num_threads(threads)

    def prepare(self, task: str) -> None:
        from ictus import music
        from ictus.music.bar_pointer import bar_pointer, beat_log_densities
        from ictus.music.best_path import best_path

        x = signal()
        if task == "decoding":
            model = bar_pointer(60 * 100 / 215, 60 * 100 / 55)
            densities = beat_log_densities(activations(), 16.0)
            self.run = lambda: best_path(model, densities)[0]
            return
        if task == "boundaries":
            from ictus.music.boundaries import boundary_activations

            networks = boundary_networks()
            self.run = lambda: boundary_activations(networks, music.pooled_spectrogram([x]))
            return
        if task == "beat network":
            network, heard = beat_network(), music.beat_features()(x)
            self.run = lambda: network.predict([heard])[0].ravel()
            return
        features = {
            "beats": music.beat_features,
            "downbeats": music.downbeat_features,
            "online": music.online_beat_features,
            "onsets": music.onset_features,
            "onset network": music.onset_features,
        }[task]()
        if task == "onset network":
            detector = music.OnsetDetector([onset_network()])
            frames = features(x)
            self.run = lambda: detector.outputs(frames)
            return
        self.run = lambda: features(x)

    def result(self) -> list[np.ndarray]:
        return [np.asarray(self.run())]


class Librosa:
    """librosa.stft, the same filters as a matrix, logarithm and increase in NumPy."""

    def __init__(self, threads: int) -> None:
        import librosa
        from threadpoolctl import threadpool_limits

        self.librosa, self.limit = librosa, threadpool_limits(threads)

    def prepare(self, task: str) -> None:
        from ictus import music

        features = {
            "beats": music.beat_features,
            "downbeats": music.downbeat_features,
            "onsets": music.onset_features,
        }[task]()
        x, parts = signal(), []
        for resolution in features.resolutions:
            size = resolution.window_size
            parts.append((size, resolution.window, resolution.filterbank.matrix(size // 2 + 1).T))
        distances = features.stream()._distance
        self.run = lambda: self._features(x, parts, distances, task == "onsets")

    def _features(self, x: Any, parts: Any, distances: Any, natural: bool) -> np.ndarray:
        columns = []
        for (size, window, matrix), distance in zip(parts, distances, strict=True):
            spectrum = self.librosa.stft(x, n_fft=size, hop_length=HOP, window=window)
            s = (matrix @ np.abs(spectrum[:, : SECONDS * 100])).T
            s = np.log(s + np.float32(np.spacing(1.0))) if natural else np.log10(1 + s)
            columns.append(s)
            if distance:
                increase = np.zeros_like(s)
                np.maximum(s[distance:] - s[:-distance], 0, out=increase[distance:])
                columns.append(increase)
        return np.hstack(columns)

    def result(self) -> list[np.ndarray]:
        return [self.run()]


class NumPy:
    """The same bar pointer in NumPy: a shift of all states and a maximum over intervals a frame."""

    def __init__(self, threads: int) -> None:
        from threadpoolctl import threadpool_limits

        self.limit = threadpool_limits(threads)

    def prepare(self, task: str) -> None:
        assert task == "decoding"
        intervals = np.arange(28, 110)
        self.intervals, self.first = intervals, np.cumsum(np.r_[0, intervals[:-1]])
        p = np.exp(-100 * np.abs(intervals / intervals[:, None] - 1.0))
        p[p <= np.spacing(1.0)] = 0
        with np.errstate(divide="ignore"):
            self.transitions = np.log(p / p.sum(axis=1, keepdims=True)).T.copy()
        position = np.concatenate([np.linspace(0, 1, n, endpoint=False) for n in intervals])
        self.zone = (position < 1 / 16).astype(np.intp)
        a = activations()
        self.densities = np.log(np.column_stack([(1 - a) / 15, a]))
        self.run = self._decode

    def _decode(self) -> np.ndarray:
        last = self.first + self.intervals - 1
        score = np.full(len(self.zone), -np.log(len(self.zone)))
        following = np.empty_like(score)
        origins = np.empty((len(self.densities), len(self.intervals)), np.uint8)
        rows = np.arange(len(self.intervals))
        for t, density in enumerate(self.densities):
            ways = self.transitions + score[last]
            origins[t] = ways.argmax(axis=1)
            following[1:] = score[:-1]
            following[self.first] = ways[rows, origins[t]]
            following += density[self.zone]
            score, following = following, score
        path, state = np.empty(len(self.densities), np.int32), int(score.argmax())
        for t in range(len(path) - 1, -1, -1):
            path[t] = state
            interval = int(np.searchsorted(self.first, state, "right")) - 1
            state = state - 1 if state > self.first[interval] else int(last[origins[t, interval]])
        return path

    def result(self) -> list[np.ndarray]:
        return [self.run()]


class Torch:
    """The onset network fully convolutional and the BLSTM in PyTorch, with the same weights."""

    def __init__(self, threads: int) -> None:
        import torch

        torch.set_num_threads(threads)
        self.torch = torch

    def prepare(self, task: str) -> None:
        make = {"onset network": self._onset_network, "beat network": self._beat_network}[task]
        self.model, x = make()
        self.x = self.torch.tensor(np.ascontiguousarray(x))

    def _onset_network(self) -> tuple[Any, np.ndarray]:
        from ictus import music

        torch, nn = self.torch, self.torch.nn
        network = onset_network()
        views = network.views(network.parameters)
        shapes = [(7, 3, 3, 10), (3, 3, 10, 20), (7, 8, 20, 256), (1, 1, 256, 1)]
        layers = []
        for shape, (weights, bias) in zip(shapes, (v for v in views if v), strict=True):
            layer = nn.Conv2d(shape[2], shape[3], shape[:2])
            layer.weight.data = torch.tensor(weights.reshape(shape).transpose(3, 2, 0, 1).copy())
            layer.bias.data = torch.tensor(bias.copy())
            layers += [layer, nn.Sigmoid() if len(layers) > 5 else nn.ReLU()]
            layers += [nn.MaxPool2d((1, 3))] if len(layers) in (2, 5) else []
        frames = np.pad(music.onset_features()(signal()), ((7, 7), (0, 0)), mode="edge")
        spectra = frames.reshape(1, len(frames), 3, 80).transpose(0, 2, 1, 3)
        return nn.Sequential(*layers).eval(), spectra

    def _beat_network(self) -> tuple[Any, np.ndarray]:
        """Without peepholes, which PyTorch has not: those of the other side are zero."""
        from ictus import music

        torch, nn = self.torch, self.torch.nn
        network = beat_network()
        *recurrent, (weights, bias) = network.views(network.parameters)
        lstm = nn.LSTM(266, 25, num_layers=3, bidirectional=True)
        for number, (inputs, own, biases, peepholes) in enumerate(recurrent):
            assert not peepholes.any()
            turned = own.reshape(2, 25, 100).transpose(0, 2, 1)
            parts = {"weight_ih": inputs.T, "weight_hh": turned, "bias_ih": biases}
            for name, values in parts.items():
                # Gates: input, forget, output, candidate; in PyTorch the last two are exchanged.
                gates = values.reshape(2, 4, 25, -1)[:, [0, 1, 3, 2]].reshape(2, 100, -1)
                for end, half in zip(("", "_reverse"), gates, strict=True):
                    given = getattr(lstm, f"{name}_l{number}{end}").data
                    given[...] = torch.tensor(half.copy()).reshape(given.shape)
                    if name == "bias_ih":
                        getattr(lstm, f"bias_hh_l{number}{end}").data.zero_()
        head = nn.Linear(50, 1)
        head.weight.data, head.bias.data = torch.tensor(weights.T.copy()), torch.tensor(bias.copy())

        def run(x: Any) -> Any:
            return torch.sigmoid(head(lstm(x)[0]))

        return run, music.beat_features()(signal())

    def run(self) -> Any:
        with self.torch.inference_mode():
            return self.model(self.x)

    def result(self) -> list[np.ndarray]:
        return [self.run().numpy().ravel()]


class LibrosaTorch:
    """librosa.stft with the same filters, the same lag matrix, the networks in PyTorch."""

    def __init__(self, threads: int) -> None:
        import librosa
        import torch

        torch.set_num_threads(threads)
        self.librosa, self.torch = librosa, torch

    def prepare(self, task: str) -> None:
        assert task == "boundaries"
        from ictus.music import boundary_features, max_pool
        from ictus.music.boundaries import POOLING, network_input

        (resolution,) = boundary_features().resolutions
        matrix = resolution.filterbank.matrix(1025).T
        x, networks = signal(), [self._network(network) for network in boundary_networks()]

        def run() -> np.ndarray:
            spectrum = self.librosa.stft(x, n_fft=2048, hop_length=1024, window=resolution.window)
            count = -(-len(x) // 1024)
            s = np.log((matrix @ np.abs(spectrum[:, :count])).T + np.float32(np.spacing(1.0)))
            patches = network_input(max_pool(s, POOLING).astype(np.float32), 2)
            given = self.torch.from_numpy(patches).permute(2, 0, 1)[None]
            with self.torch.inference_mode():
                outputs = [network(given).numpy().ravel() for network in networks]
            return np.mean(outputs, axis=0)

        self.run = run

    def _network(self, network: Any) -> Any:
        """The layers as convolutions that slide along time, with the weights of a network."""
        nn = self.torch.nn
        first, second, hidden, last = (v for v in network.layer_views if v)
        maps, more, units = (views[1].size for views in (first, second, hidden))
        layers = nn.Sequential(
            nn.Conv2d(2, maps, (8, 6)),
            nn.ReLU(),
            nn.MaxPool2d((3, 6), (1, 6)),
            nn.Conv2d(maps, more, (6, 3), dilation=(3, 1)),
            nn.ReLU(),
            nn.MaxPool2d((1, 2)),
            nn.Conv2d(more, units, (31, 5), dilation=(3, 1)),
            nn.Sigmoid(),
            nn.Conv2d(units, 1, 1),
            nn.Sigmoid(),
        )
        shapes = ((8, 6, 2, maps), (6, 3, maps, more), (31, 5, more, units), (1, 1, units, 1))
        convolutions = [layer for layer in layers if isinstance(layer, nn.Conv2d)]
        views = (first, second, hidden, last)
        for layer, (weights, biases), shape in zip(convolutions, views, shapes, strict=True):
            kernel = np.ascontiguousarray(weights.reshape(shape).transpose(3, 2, 0, 1))
            layer.weight.data = self.torch.from_numpy(kernel)
            layer.bias.data = self.torch.from_numpy(np.array(biases).ravel())
        return layers

    def result(self) -> list[np.ndarray]:
        return [self.run()]


WIDTHS = {"beats": 266, "downbeats": 314, "onsets": 240}
CASES = [
    Case(
        f"{width} features of {task}, a minute",
        {"task": task},
        ("Librosa",),
        group="features",
        audio_seconds=SECONDS,
    )
    for task, width in WIDTHS.items()
]
CASES += [
    Case(f"{variant}, a minute", {"task": task}, (peer,), tolerance=tolerance, group=group,
         audio_seconds=SECONDS)
    for variant, task, peer, tolerance, group in (
        ("BLSTM 3x25 of beats", "beat network", "Torch", 1e-4, "networks"),
        ("convolutional network of onsets", "onset network", "Torch", 1e-5, "networks"),
        ("boundaries of sections from samples", "boundaries", "LibrosaTorch", 1e-3, ""),
        ("decoding of beats", "decoding", "NumPy", 0.0, ""),
    )
]  # fmt: skip
