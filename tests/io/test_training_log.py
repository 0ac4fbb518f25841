"""Logs of training: what they hold, after interruptions too, and what TensorBoard would read."""

from __future__ import annotations

import csv
import struct

import numpy as np
import pytest

from ictus import Dense, Network, Trainer
from ictus.io.onnx.wire import fields, text
from ictus.io.training_log import CsvLog, TensorBoardLog, crc32c

X = np.random.default_rng(0).standard_normal((40, 5)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int64)


def trainer(folder, log, epochs=4, **options):
    network = Network(5, [Dense(2)], seed=1)
    return Trainer(
        network, batch_size=10, epochs=epochs, callbacks=[log],
        checkpoint=folder / "checkpoint", **options
    )  # fmt: skip


def table(path):
    with path.open(newline="") as file:
        names, *rows = csv.reader(file)
    return names, rows


def assert_log_is_history(path, history):
    names, rows = table(path)
    assert names == ["epoch", *history]
    assert [int(row[0]) for row in rows] == list(range(1, history.epochs + 1))
    for place, name in enumerate(names[1:], 1):
        assert [float(row[place]) for row in rows] == history[name]


def test_a_row_an_epoch_with_all_digits(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("of another training\n")
    history = trainer(tmp_path, CsvLog(path)).fit(X, Y, validation=(X, Y))
    assert history.epochs == 4
    assert "validation_loss" in history
    assert_log_is_history(path, history)


def test_rows_are_there_while_training_goes_on(tmp_path):
    path = tmp_path / "log.csv"
    seen = []

    def look(_, epoch):
        seen.append(len(path.read_text().splitlines()) == epoch + 1)

    training = trainer(tmp_path, CsvLog(path))
    training.callbacks.append(look)
    training.fit(X, Y)
    assert seen == [True] * 4


def test_a_resumed_training_goes_on_with_its_log(tmp_path):
    path = tmp_path / "log.csv"
    trainer(tmp_path, CsvLog(path), epochs=2).fit(X, Y)
    with path.open("a") as file:  # epochs after the checkpoint, the last one cut off
        file.write("3,0.5,0.1,0.7\n4,0.5,0.")
    again = trainer(tmp_path, CsvLog(path))
    assert again.resume()
    assert_log_is_history(path, again.fit(X, Y))


def test_a_log_that_something_else_changed_is_written_anew(tmp_path):
    path = tmp_path / "log.csv"

    def meddle(_, epoch):
        if epoch == 2:
            path.unlink()
        if epoch == 3:
            path.write_text("x")

    training = trainer(tmp_path, CsvLog(path))
    training.callbacks.append(meddle)
    assert_log_is_history(path, training.fit(X, Y))


def test_what_is_measured_from_a_later_epoch_on(tmp_path):
    path = tmp_path / "log.csv"
    log = CsvLog(path)
    training = trainer(tmp_path, log)
    training.fit(X, Y, epochs=2)
    training.fit(X, Y, validation=(X, Y), epochs=2)
    names, rows = table(path)
    column = names.index("validation_loss")
    assert [row[column] for row in rows[:2]] == ["", ""]
    assert [float(row[column]) for row in rows[2:]] == training.history["validation_loss"]


def test_a_folder_that_is_missing_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        trainer(tmp_path, CsvLog(tmp_path / "nowhere" / "log.csv")).fit(X, Y)


def test_the_first_of_several_processes_keeps_the_log(tmp_path):
    class Second:
        rank = 1

    class Training:
        processes = Second()

    for log in (CsvLog(tmp_path / "log.csv"), TensorBoardLog(tmp_path / "events")):
        log(Training(), 1)
    assert not list(tmp_path.iterdir())


# --- TensorBoard ---------------------------------------------------------------------------------


def test_checksum():
    """The vectors of RFC 3720, appendix B.4, and the one that catalogues of checksums give."""
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E


def records(data):
    """The records of a TFRecord file, their checksums unmasked and compared."""
    place = 0
    while place < len(data):
        (length,) = struct.unpack_from("<Q", data, place)
        body = data[place + 12 : place + 12 + length]
        for part, at in ((data[place : place + 8], 8), (body, 12 + length)):
            (masked,) = struct.unpack_from("<I", data, place + at)
            rotated = (masked - 0xA282EAD8) & 0xFFFFFFFF
            assert (rotated >> 17 | rotated << 15) & 0xFFFFFFFF == crc32c(part)
        yield body
        place += 16 + length


def events(path):
    """(step, scalars, version, whether training starts) of each event."""
    for record in records(path.read_bytes()):
        found = {number: value for number, _, value in fields(memoryview(record))}
        assert len(found[1]) == 8  # wall time
        scalars = {}
        for _, _, value in fields(found.get(5, memoryview(b""))):
            parts = {number: each for number, _, each in fields(value)}
            scalars[text(parts[1])] = struct.unpack("<f", parts[2])[0]
        yield found[2], scalars, bytes(found.get(3, b"")), 7 in found


def test_events(tmp_path):
    folder = tmp_path / "events"
    history = trainer(tmp_path, TensorBoardLog(folder)).fit(X, Y)
    (path,) = folder.iterdir()
    assert path.name.startswith("events.out.tfevents.")
    first, *rest = events(path)
    assert first == (0, {}, b"brain.Event:2", False)
    assert [step for step, *_ in rest] == [1, 2, 3, 4]
    for step, scalars, *_ in rest:
        expected = {name: np.float32(values[step - 1]) for name, values in history.items()}
        assert scalars == expected


def test_events_of_a_resumed_training(tmp_path):
    folder = tmp_path / "events"
    trainer(tmp_path, TensorBoardLog(folder), epochs=2).fit(X, Y)
    (before,) = folder.iterdir()
    again = trainer(tmp_path, TensorBoardLog(folder))
    again.resume()
    again.fit(X, Y)
    (after,) = set(folder.iterdir()) - {before}
    found = list(events(after))
    assert [(step, start) for step, _, _, start in found] == [
        (0, False), (3, True), (3, False), (4, False)
    ]  # fmt: skip


def test_numbers_beyond_single_precision(tmp_path):
    class Training:
        history = {"loss": [1e300], "score": [float("nan")]}  # noqa: RUF012

    TensorBoardLog(tmp_path)(Training(), 1)
    (path,) = tmp_path.iterdir()
    scalars = list(events(path))[-1][1]
    assert scalars["loss"] == np.inf
    assert np.isnan(scalars["score"])
