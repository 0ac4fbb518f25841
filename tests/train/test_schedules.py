"""Schedules: values, configurations, errors."""

import pytest

from ictus.train import Constant, Exponential, Linear, NesterovMomentum, Ramp, Schedule, Steps

CASES = [
    (Constant(0.1), {0: 0.1, 7.5: 0.1}),
    (Exponential(10.0, 0.5), {0: 10, 0.99: 10, 1: 5, 2.5: 2.5}),
    (Linear(0.5, 0.99, 500), {0: 0.5, 250: 0.745, 500: 0.99, 900: 0.99}),
    (Linear(0.5, 0.9, 0), {0: 0.9}),
    (Ramp(0.45, 0.9, 10, 20), {0: 0.45, 10: 0.45, 15: 0.675, 20: 0.9, 99: 0.9}),
    (Steps((1.0, 0.1, 0.01), (3, 6)), {0: 1.0, 2.9: 1.0, 3: 0.1, 6: 0.01, 99: 0.01}),
]


@pytest.mark.parametrize(("schedule", "values"), CASES)
def test_values_and_configuration(schedule, values):
    again = Schedule.from_config(schedule.config())
    assert again == schedule
    for epoch, value in values.items():
        assert schedule(epoch) == pytest.approx(value)
        assert again(epoch) == schedule(epoch)


def test_steps_need_one_value_more():
    with pytest.raises(ValueError, match="one entry more than boundaries, got 2 and 2"):
        Steps((1, 2), (3, 4))


def test_nesterov_momentum():
    """Equation 5 of Sutskever et al. 2013: 0.5, 0.75, 0.8333, 0.875 ... after 250 updates each."""
    schedule = NesterovMomentum(0.99, updates_per_epoch=100, updates=10_000)
    assert [schedule(epoch) for epoch in (0, 2.49, 2.5, 5.0, 7.5)] == pytest.approx(
        [0.5, 0.5, 0.75, 5 / 6, 0.875]
    )
    assert schedule(89.99) == 1 - 0.5 / 36
    assert NesterovMomentum(0.9, 100)(89.99) == 0.9
    assert schedule(90.0) == 0.9
    assert Schedule.from_config(schedule.config()) == schedule
