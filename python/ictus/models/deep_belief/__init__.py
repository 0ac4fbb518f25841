"""Deep belief nets: greedy training, wake-sleep, chains through all layers, estimators."""
