"""
What a Boltzmann machine learns of digits
=========================================

Contrastive divergence finds strokes, and the model takes noise out of digits.
"""

import matplotlib.pyplot as plt

import ictus
from ictus import datasets, kernels

digits = datasets.load_small_digits().x_train
rbm = ictus.BernoulliRBM(
    64, learning_rate=0.05, batch_size=20, n_iter=30, persistent=True, random_state=0
)
rbm.fit(digits)


def show(images, columns):
    """Draw images of 8 x 8 pixels side by side."""
    rows = len(images) // columns
    _, axes = plt.subplots(rows, columns, figsize=(0.55 * columns, 0.55 * rows))
    for axis, image in zip(axes.flat, images, strict=True):
        axis.imshow(image.reshape(8, 8), cmap="gray")
        axis.axis("off")
    plt.show()


# %%
# The weights of each hidden unit as an image: where it looks for ink, and where for none.
show(rbm.components_, 16)

# %%
# Noise taken out: a fifth of the pixels was set to black or white (above), and what the model
# makes of it (below).
noisy = kernels.corrupt(digits[:10], "salt_and_pepper", 0.2, seed=1)
show([*noisy, *rbm.denoise(noisy)], 10)
