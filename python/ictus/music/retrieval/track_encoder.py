"""Encoders from full features to binary codes: stacked denoising autoencoders.

After Schlüter, "Learning binary codes for efficient large-scale music similarity search" (ISMIR
2013), and Salakhutdinov & Hinton, "Semantic hashing" (2009): the code layer is sigmoid with noise
on its inputs, so that its units learn to be 0 or 1; the inputs are corrupted, so that what is near
gets the same code.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ictus.models import Autoencoder
from ictus.models.scaling import Scaling, fold_into

Array = npt.NDArray[Any]


def train_encoder(
    features: Array,
    bits: int,
    *,
    hidden_units: tuple[int, ...] = (512,),
    corruption_level: float = 0.3,
    code_noise: float = 2.0,
    pretrain: str | None = "autoencoder",
    pretraining_epochs: int | None = None,
    max_epochs: int | None = None,
    learning_rate: float = 0.001,
    random_state: int = 0,
    **options: Any,
) -> Autoencoder:
    """Train an autoencoder whose ``encode_bits`` turns full features into codes.

    Features are standardised for training, and the scaling goes into the first and the last layer:
    the encoder takes the features as they are.

    Parameters
    ----------
    features : array, shape (n, width)
    bits : int
        Length of the codes, a multiple of 8.
    hidden_units : tuple of int
        Of the layers below the code.
    corruption_level : float
        Standard deviation of the Gaussian noise on standardised features.
    code_noise : float
        Standard deviation of the noise on the inputs of the code.
    pretraining_epochs, max_epochs : int, optional
        By default 5 and 30, or more where the examples are few: so many that there are 330 and 2000
        minibatches.
    pretrain, learning_rate, random_state, options
        As of :class:`ictus.Autoencoder`.

    Returns
    -------
    ictus.Autoencoder

    Raises
    ------
    ValueError
        Not two axes, fewer than 2 rows, numbers that are not finite, bits no multiple of 8.
    """
    x = np.asarray(features)
    if x.ndim != 2 or len(x) < 2:
        raise ValueError(f"features must have shape (n, width) with n at least 2, got {x.shape}")
    if not np.isfinite(x).all():
        raise ValueError("features must be finite")
    if bits < 8 or bits % 8:
        raise ValueError(f"bits must be a multiple of 8, got {bits}")
    minibatches = -(-len(x) // options.get("batch_size", 100))
    if pretraining_epochs is None:
        pretraining_epochs = max(5, 330 // minibatches)
    if max_epochs is None:
        max_epochs = max(30, 2000 // minibatches)
    scaling = Scaling.of(x)
    model = Autoencoder(
        (*hidden_units, bits),
        activation="relu",
        code_activation="sigmoid",
        corruption="gaussian",
        corruption_level=corruption_level,
        code_noise=code_noise,
        pretrain=pretrain,
        pretraining_epochs=pretraining_epochs,
        loss="squared_error",
        max_epochs=max_epochs,
        learning_rate=learning_rate,
        random_state=random_state,
        **options,
    )
    model.fit(scaling.apply(x))
    fold_into(model.network_, scaling, scaling)
    model.measure(x.astype(model.network_.dtype))
    return model
