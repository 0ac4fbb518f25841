"""
What a Boltzmann machine learns of digits
=========================================

Contrastive divergence finds strokes; samples of the model are digits that nobody wrote.
"""

import matplotlib.pyplot as plt

import ictus
from ictus import datasets, kernels, plot

digits = datasets.load_small_digits().x_train
rbm = ictus.BernoulliRBM(
    64, learning_rate=0.05, batch_size=20, n_iter=30, persistent=True, random_state=0
)
rbm.fit(digits)

# %%
# The weights of each hidden unit as an image: where it looks for ink, and where for none.
plot.weight_images(rbm.components_.T, (8, 8), title="Weights of the hidden units")
plt.show()

# %%
# Noise taken out: a fifth of the pixels was set to black or white.
noisy = kernels.corrupt(digits[:10], "salt_and_pepper", 0.2, seed=1)
clean = rbm.denoise(noisy)
plot.image_rows({"given": noisy, "denoised": clean}, (8, 8))
plt.show()
