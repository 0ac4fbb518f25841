"""Schedules: values, configurations, errors."""

import pytest

from ictus.train import Constant, Exponential, Linear, Schedule, Steps

CASES = [
    (Constant(0.1), {0: 0.1, 7.5: 0.1}),
    (Exponential(10.0, 0.5), {0: 10, 0.99: 10, 1: 5, 2.5: 2.5}),
    (Linear(0.5, 0.99, 500), {0: 0.5, 250: 0.745, 500: 0.99, 900: 0.99}),
    (Linear(0.5, 0.9, 0), {0: 0.9}),
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
