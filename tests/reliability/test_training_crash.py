"""Training that is killed again and again ends with the bits of one that nobody disturbed."""

import determinism
import pytest
import training_crash


def test_the_same_bits_after_kills(tmp_path):
    counts = training_crash.run("Adam", tmp_path, kills=5)
    assert counts["kills"] >= 5
    assert counts["trainings"] >= 1
    assert not (counts["other bits"] or counts["damaged"] or counts["older"])


def test_other_bits_would_be_found(tmp_path, monkeypatch):
    answers = iter(["", "other bits"])
    monkeypatch.setattr(training_crash, "train", lambda *_: "the bits")
    monkeypatch.setattr(training_crash, "interrupt", lambda *_: next(answers))
    counts = training_crash.run("SGD", tmp_path, kills=1)
    assert counts["other bits"] == 1 and counts["kills"] == 1


@pytest.mark.parametrize("name", ["MLPClassifier, Hessian-free", "SequenceLabeler, LSTM"])
def test_the_same_bits_for_any_number_of_threads(name):
    assert len(determinism.digests(determinism.MODELS[name], len(determinism.THREADS))) == 1


def test_a_difference_would_be_found():
    import numpy as np

    assert len(determinism.digests(lambda: np.array([np.random.default_rng().uniform()]), 3)) > 1
