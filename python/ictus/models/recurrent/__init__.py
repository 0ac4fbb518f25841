"""Estimators of sequences over recurrent networks."""
