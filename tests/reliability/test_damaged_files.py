"""A few damaged files for each reader, of those that tools/reliability/campaign.py makes."""

import json
import struct

import campaign
import numpy as np
import pytest

import ictus
from ictus.io.annotations import AnnotationError, read_annotation
from ictus.io.idx import IdxError, read_idx
from ictus.io.model_file import ModelFileError
from ictus.music.melody import ScoreError
from ictus.music.melody.reading import read_scores
from ictus.train.checkpoint import CheckpointError, load_checkpoint, save_checkpoint


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("parser", campaign.PARSERS, ids=lambda parser: parser.name)
def test_damaged_files_are_read_or_refused(parser, tmp_path):
    seeds = parser.seeds(tmp_path)
    path = tmp_path / f"input{parser.ending}"
    answers = []
    for seed in seeds:
        path.write_bytes(seed)
        assert campaign.answer(parser, path) == "read"
    for number in range(10**9, 10**9 + 60):
        path.write_bytes(campaign.damaged(parser, seeds, number))
        answers.append(campaign.answer(parser, path))
    assert set(answers) <= {"read", "refused"}
    assert "refused" in answers


def test_findings_are_found(tmp_path):
    """The campaign sees another exception than the reader's own, a crash, and what hangs."""
    text = tmp_path / "input"
    text.write_bytes(b"")

    def fails(path):
        raise KeyError("a")

    parser = campaign.Parser("fails", "", lambda folder: [b"ab"], fails, ValueError)
    assert campaign.answer(parser, text).startswith("KeyError: 'a' (test_damaged_files.py:")
    result = campaign.run(parser, 0, 3)
    assert len(result["findings"]) == 3 and result["read"] == 0

    def dies(path):
        import os
        import signal

        os.kill(os.getpid(), signal.SIGKILL)

    result = campaign.run(
        campaign.Parser("dies", "", lambda folder: [b"ab"], dies, ValueError), 0, 2
    )
    assert [number for number, _ in result["findings"]] == [0, 1]
    assert "exit -9" in result["findings"][0][1]


def test_checkpoints_have_a_checksum(tmp_path):
    path = tmp_path / "checkpoint"
    save_checkpoint(path, {"a": np.ones(5, np.float32)}, {"epoch": 2})
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="checksum does not match"):
        load_checkpoint(path)


def test_checkpoints_of_the_first_version_are_read(tmp_path):
    from safetensors.numpy import save

    path = tmp_path / "checkpoint"
    metadata = {"ictus_checkpoint": "1", "state": json.dumps({"epoch": 2})}
    path.write_bytes(save({"a": np.ones(5, np.float32)}, metadata))
    tensors, state = load_checkpoint(path)
    assert state == {"epoch": 2} and np.array_equal(tensors["a"], np.ones(5))


def test_a_description_that_fits_no_model_is_refused(tmp_path):
    """The checksums are right, but the number of features is not that of the machine."""
    rbm = ictus.BernoulliRBM(3, n_iter=1, random_state=0).fit(np.eye(4))
    path = tmp_path / "rbm.ictus"
    ictus.save(path, rbm)
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    text = data[8 : 8 + length].decode()
    changed = text.replace('n_features_in\\":4', 'n_features_in\\":5')
    changed = changed.replace('n_features_in\\": 4', 'n_features_in\\": 5')
    assert changed != text
    path.write_bytes(struct.pack("<Q", len(changed)) + changed.encode() + data[8 + length :])
    with pytest.raises(ModelFileError, match="the machine has 4 bernoulli units"):
        ictus.load(path)


def test_small_things_that_the_campaign_found(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"\x1f\x8b\x08\0\0\0\0\0\0\0\xff\xff")  # a block of no known kind
    with pytest.raises(IdxError, match="damaged"):
        read_idx(path)
    path.write_bytes(b"1.0,a\rb\n")
    with pytest.raises(AnnotationError, match="line 1"):
        read_annotation(path, "sonic-visualiser")
    (tmp_path / "x.abc").write_text("X:1\nK:C\nC" + "9" * 400 + "|\n")
    with pytest.raises(ScoreError, match="a length or metre of 9999"):
        read_scores(tmp_path / "x.abc")
