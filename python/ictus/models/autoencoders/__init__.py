"""Autoencoders: layers, the estimator, reconstruction and completion."""
