"""Boltzmann machines and their estimators: contrastive divergence, chains, partition functions."""
