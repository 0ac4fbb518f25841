"""Convolutional networks as estimators."""
