"""The convolutional RBM against enumeration of a machine with nine pixels, and its training."""

import itertools

import numpy as np
import pytest

import ictus
from ictus.models import ConvolutionalMachine, ConvolutionalTrainer
from ictus.models.boltzmann.convolutional_divergence import ConvolutionalDivergence
from ictus.train import DivergenceError, Exponential
from tests.models.enumeration import binary_states, divergence


def machine_of(image_shape=(3, 3), filters=2, kernel_size=2, scale=1.0, seed=1, **options):
    options = {"dtype": "float64", "block": (2, 1)} | options
    machine = ConvolutionalMachine(image_shape, filters, kernel_size, seed=seed, **options)
    machine.parameters[...] = scale * np.random.default_rng(seed).standard_normal(
        machine.parameter_count
    )
    return machine


def detection_states(machine):
    """All states of the detection maps: at most one unit on in each block of each map."""
    down, across, filters = machine.hidden_shape
    places = np.arange(down * across).reshape(down, across)
    blocks = [
        (k, places[i : i + machine.block[0], j : j + machine.block[1]].ravel())
        for i in range(0, down, machine.block[0])
        for j in range(0, across, machine.block[1])
        for k in range(filters)
    ]
    states = []
    for choice in itertools.product(*([None, *units] for _, units in blocks)):
        h = np.zeros((down * across, filters))
        for (k, _), unit in zip(blocks, choice, strict=True):
            if unit is not None:
                h[unit, k] = 1
        states.append(h.reshape(down, across, filters))
    return np.array(states)


def energies(machine, v, h):
    """E(v, h) of each pair by the definition: a loop over the window."""
    a, b, _, _ = machine.weights.shape
    top, left = machine.zeros_before
    extra = [(0, 0), (top, a), (left, b), (0, 0)]
    padded = np.pad(v, extra)
    down, across, _ = machine.hidden_shape
    x = np.zeros((len(v), *machine.hidden_shape)) + machine.hidden_bias
    for i, j in np.ndindex(a, b):
        x += padded[:, i : i + down, j : j + across] @ machine.weights[i, j]
    if machine.visible_type == "gaussian":
        visible = np.square(v - machine.visible_bias).sum(axis=(1, 2, 3)) / 2
    else:
        visible = -(v * machine.visible_bias).sum(axis=(1, 2, 3))
    return visible[:, None] - np.einsum("vijk,hijk->vh", x, h)


def visible_distribution(machine):
    v = binary_states(machine.visible_units).reshape(-1, *machine.image_shape)
    log_p = np.logaddexp.reduce(-energies(machine, v, detection_states(machine)), axis=1)
    p = np.exp(log_p - log_p.max())
    return v, p / p.sum()


SHAPES = [
    {},
    {"block": (1, 2), "visible_type": "gaussian"},
    {"image_shape": (2, 2, 2), "kernel_size": (2, 1), "block": 3, "padding": "same"},
    {"image_shape": (4, 1, 2), "kernel_size": (2, 1), "block": (2, 1)},  # a spectrogram
]


@pytest.mark.parametrize("options", SHAPES)
def test_energies_and_layers_are_those_of_the_definition(options):
    machine = machine_of(**options)
    generator = np.random.default_rng(0)
    v = generator.integers(0, 2, (5, *machine.image_shape)).astype(float)
    h = detection_states(machine)
    exact = energies(machine, v, h)
    np.testing.assert_allclose(machine.energy(v, h[:5]), np.diag(exact[:, :5]), rtol=1e-12)
    free = -np.logaddexp.reduce(-exact, axis=1)
    np.testing.assert_allclose(machine.free_energy(v), free, rtol=1e-12)
    p = np.exp(-exact + free[:, None])
    np.testing.assert_allclose(
        machine.mean_hiddens(v), np.einsum("vh,hijk->vijk", p, h), atol=1e-12
    )
    # p(v | h) of each pixel: the difference of the energies with the pixel on and off.
    on, off = v.copy(), v.copy()
    on[:, 0, 0, 0], off[:, 0, 0, 0] = 1, 0
    difference = np.diag(energies(machine, on, h[-5:]) - energies(machine, off, h[-5:]))
    mean = machine.mean_visibles(h[-5:])[:, 0, 0, 0]
    if machine.visible_type == "gaussian":
        np.testing.assert_allclose(mean, 0.5 - difference, atol=1e-12)
    else:
        np.testing.assert_allclose(mean, 1 / (1 + np.exp(difference)), atol=1e-12)


def test_pooling_units_are_on_where_a_unit_of_the_block_is():
    machine = machine_of((5, 6), 3, 2, block=(3, 2))
    v = np.random.default_rng(0).random((4, 5, 6))
    down, across = np.arange(0, 4, 3), np.arange(0, 5, 2)
    sums = np.add.reduceat(np.add.reduceat(machine.mean_hiddens(v), down, 1), across, 2)
    np.testing.assert_allclose(machine.mean_pooled(v), sums, atol=1e-12)
    assert machine.pooled_shape == (2, 3, 3)
    two = np.ones((1, *machine.hidden_shape))
    assert machine.energy(v[:1], two) == np.inf


def test_gibbs_chains_have_the_exact_distribution():
    machine = machine_of(scale=0.7)
    v, p = visible_distribution(machine)
    sampled = machine.sample(20_000, steps=30).reshape(-1, 9)
    counts = np.bincount((sampled @ 2 ** np.arange(8, -1, -1)).astype(int), minlength=512)
    # The mean of the divergence of so many exact draws is about 511 / 2 / 40000.
    assert divergence(counts / counts.sum(), p) < 2 * 511 / 2 / 20_000
    assert v.shape == (512, 3, 3, 1)


def test_completion_and_denoising_are_posterior_means():
    machine = machine_of(scale=0.8)
    states, p = visible_distribution(machine)
    flat = states.reshape(len(states), -1)
    v = flat[[37, 300]]
    known = np.arange(9) < 5
    for row, got in zip(v, machine.complete(v, known, steps=8_000), strict=True):
        fits = p * (flat[:, known] == row[known]).all(axis=1)
        np.testing.assert_allclose(got.ravel(), fits @ flat / fits.sum(), atol=0.04)
    denoised = machine.denoise(v, noise=0.2, steps=8_000)
    for row, got in zip(v, denoised, strict=True):
        flips = (flat != row).sum(axis=1)
        posterior = p * 0.2**flips * 0.8 ** (9 - flips)
        np.testing.assert_allclose(got.ravel(), posterior @ flat / posterior.sum(), atol=0.04)
    holes = np.where(known, v, np.nan).reshape(-1, 3, 3)
    np.testing.assert_array_equal(machine.complete(holes, steps=4)[:, 0], v[:, :3, None])


@pytest.mark.parametrize("particles", [None, 3])
def test_the_update_is_the_difference_of_the_free_energies_gradients(particles):
    machine = machine_of((5, 4, 2), 3, (2, 3), block=2, visible_type="gaussian", scale=0.3)
    v = np.random.default_rng(0).standard_normal((6, 5, 4, 2))
    before = machine.parameters.copy()
    chains = None if particles is None else machine.sample_hiddens(v[:particles])
    velocity = np.zeros_like(before)
    updates = ConvolutionalDivergence(machine, velocity, chains, np.zeros(3))
    # The chain's image, drawn by the same streams.
    hidden = np.empty((6, *machine.hidden_shape)) if chains is None else chains.copy()
    if chains is None:
        machine.pool(machine.hidden_inputs(v), sample=hidden, stream=50)
    image = machine.mean_visibles(hidden)
    machine.draw_visible(image, image, 51)
    rule = dict.fromkeys(("momentum", "l1", "l2", "sparsity_target", "sparsity_cost"), 0.0)
    updates.update(
        v, steps=1, weight_rate=1.0, bias_rate=1.0, sparsity_decay=0.9, seed=1, stream=50, **rule
    )
    machine.parameters[...] = before
    gradient = np.empty_like(before)
    for i in range(len(before)):
        sides = []
        for step in (1e-5, -1e-5):
            machine.parameters[i] = before[i] + step
            sides.append(machine.free_energy(image).mean() - machine.free_energy(v).mean())
        machine.parameters[i] = before[i]
        gradient[i] = (sides[0] - sides[1]) / 2e-5
    views, places = machine.views(gradient), 4 * 2
    for name, got in machine.views(velocity).items():
        count = 5 * 4 if name == "visible_bias" else places
        np.testing.assert_allclose(got, views[name] / count, atol=1e-8, err_msg=name)


def bars(rows, seed=0):
    """3 x 3 images of one horizontal or one vertical bar."""
    v = np.zeros((rows, 3, 3))
    generator = np.random.default_rng(seed)
    for image, which in zip(v, generator.integers(0, 6, rows), strict=True):
        image[(which % 3, slice(None)) if which < 3 else (slice(None), which % 3)] = 1
    return v


@pytest.mark.parametrize(
    ("options", "share"),  # of the divergence that is left, over seeds at most
    [({}, 0.7), ({"steps": 3}, 0.6), ({"persistent": True, "momentum": 0.0}, 0.85)],
)
def test_training_brings_the_machine_to_the_data(options, share):
    v = bars(600)
    machine = ConvolutionalMachine((3, 3), 4, 2, block=1, padding=1, seed=3)
    machine.weights *= 30  # away from the saddle at 0, where training takes its time
    options = {"batch_size": 20, "epochs": 15, "momentum": 0.5, "progress": False} | options
    options["learning_rate"] = Exponential(2.0, 0.9)
    trainer = ConvolutionalTrainer(machine, particles=100, **options)
    target = np.bincount((v.reshape(-1, 9) @ 2 ** np.arange(8, -1, -1)).astype(int), minlength=512)
    target = target / target.sum()

    def distance():
        free = machine.free_energy(binary_states(9)).astype(np.float64)
        p = np.exp(free.min() - free)
        return divergence(target, p / p.sum())

    trainer.fit(v, epochs=1)
    first = distance()
    trainer.fit(v)
    assert distance() < share * first, (first, distance())


def test_same_bits_whatever_the_threads_and_interruptions(keep_threads, tmp_path):
    v = (np.random.default_rng(0).random((70, 12, 9)) < 0.3).astype(np.float32)
    results = []
    for threads, cut in ((1, 0), (2, 0), (3, 2)):
        ictus.set_num_threads(threads)
        options = {"persistent": True, "particles": 20, "batch_size": 16, "epochs": 4, "seed": 5}
        options |= {"sparsity_cost": 0.1, "l2": 1e-3, "progress": False}
        path = tmp_path / f"{threads}"
        machine = ConvolutionalMachine((12, 9), 20, (4, 3), seed=2)
        trainer = ConvolutionalTrainer(machine, checkpoint=path, **options)
        if cut:
            trainer.fit(v, epochs=cut)
            machine = ConvolutionalMachine((12, 9), 20, (4, 3), seed=2)
            trainer = ConvolutionalTrainer(machine, checkpoint=path, **options)
            assert trainer.resume()
        trainer.fit(v)
        results.append(machine.parameters.copy())
    for other in results[1:]:
        np.testing.assert_array_equal(results[0], other)


def test_sparsity_draws_the_activity_to_its_target():
    v = (np.random.default_rng(0).random((200, 8, 8)) < 0.5).astype(np.float32)
    machine = ConvolutionalMachine((8, 8), 6, 3, seed=1)
    trainer = ConvolutionalTrainer(
        machine, sparsity_target=0.03, sparsity_cost=5.0, epochs=15, batch_size=20, progress=False
    )
    trainer.fit(v)
    np.testing.assert_allclose(machine.mean_hiddens(v).mean(axis=(0, 1, 2)), 0.03, atol=0.01)


def test_other_sizes_of_images_and_model_files(tmp_path):
    machine = machine_of((6, 6), padding="same")
    wide = machine.resized((6, 11))
    np.testing.assert_array_equal(wide.weights, machine.weights)
    assert wide.mean_pooled(np.zeros((2, 6, 11))).shape == (2, 3, 11, 2)
    ictus.save(tmp_path / "m.ictus", machine)
    again = ictus.load(tmp_path / "m.ictus")
    v = np.random.default_rng(0).random((3, 36))
    np.testing.assert_array_equal(again.free_energy(v), machine.free_energy(v))
    assert again.config() == machine.config()


def test_divergence_is_told():
    v = np.random.default_rng(0).standard_normal((50, 6, 6)).astype(np.float32)
    machine = ConvolutionalMachine((6, 6), 4, 3, visible_type="gaussian")
    trainer = ConvolutionalTrainer(machine, learning_rate=1e4, progress=False)
    with pytest.raises(DivergenceError, match="epoch"):
        trainer.fit(v)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ConvolutionalMachine((3,), 2, 2), "image_shape must be (height, width)"),
        (lambda: ConvolutionalMachine((3, 0), 2, 2), "image_shape must be a positive integer"),
        (lambda: ConvolutionalMachine((3, 3), 0, 2), "filters must be a positive integer"),
        (lambda: ConvolutionalMachine((3, 3), 2, 0), "kernel_size must be an integer of at"),
        (lambda: ConvolutionalMachine((3, 3), 2, 4), "the window must fit the padded image"),
        (lambda: ConvolutionalMachine((3, 3), 2, 2, block=0), "block must be an integer of at"),
        (
            lambda: ConvolutionalMachine((3, 3), 2, 2, visible_type="softmax"),
            "visible_type must be one of bernoulli, gaussian, got 'softmax'",
        ),
        (
            lambda: machine_of().mean_hiddens(np.zeros((2, 3, 4))),
            "v must have shape (rows, 3, 3, 1) or (rows, 9), got (2, 3, 4)",
        ),
        (lambda: machine_of().mean_hiddens(np.full((2, 9), np.nan)), "v must be finite, row 0"),
        (lambda: machine_of().mean_visibles(np.zeros((2, 3))), "h must have shape (rows, 2, 2, 2)"),
        (lambda: machine_of().examples(np.full((2, 9), 2.0), "x"), "x must be in [0, 1]"),
        (lambda: machine_of().complete(np.zeros((2, 9)), np.ones((4, 4), bool)), "known must"),
        (lambda: machine_of().denoise(np.zeros((2, 9)), noise=2), "noise must be in (0, 1)"),
        (lambda: machine_of().sample(2, start=np.zeros((3, 9))), "start must have 2 rows, got 3"),
        (
            lambda: ConvolutionalTrainer(machine_of(), fast_weights=True),
            "fast_weights is not for convolutional machines",
        ),
    ],
)
def test_wrong_arguments(call, message):
    with pytest.raises(ValueError) as caught:
        call()
    assert message in str(caught.value)
