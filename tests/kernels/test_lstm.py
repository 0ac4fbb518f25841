"""Long short-term memory against NumPy, at every instruction-set level."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import recurrent_checks as checks
from tests.recurrent_cases import LENGTHS, UNITS, Case
from tests.strategies import scalars

OPTIONS = [{"peepholes": False}, {"peepholes": True}]
cases = st.builds(
    Case,
    st.just("lstm"),
    dtype=scalars,
    inputs=st.integers(1, 20),
    units=UNITS,
    directions=st.integers(1, 2),
    lengths=LENGTHS,
    peepholes=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)


@pytest.mark.usefixtures("each_level")
class TestPasses:
    @given(case=cases)
    def test_forward(self, case):
        checks.check_forward(case)

    @given(case=cases)
    @settings(max_examples=12)
    def test_tangent(self, case):
        checks.check_tangent(case)

    @given(case=cases)
    @settings(max_examples=12)
    def test_duality(self, case):
        checks.check_duality(case)

    @pytest.mark.parametrize("options", OPTIONS, ids=str)
    @pytest.mark.parametrize("directions", [1, 2])
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_every_derivative(self, options, directions, dtype):
        checks.check_every_derivative(
            Case("lstm", dtype, 2, 3, directions, [3, 1, 4], seed=directions, **options)
        )

    @given(case=cases)
    @settings(max_examples=8)
    def test_sequences_alone(self, case):
        checks.check_sequences_alone(case)

    @pytest.mark.parametrize("options", OPTIONS, ids=str)
    @pytest.mark.parametrize("units", [25, 140])
    def test_halves(self, options, units):
        checks.check_halves(Case("lstm", np.float64, 6, units, 1, [11], seed=1, **options))

    @pytest.mark.parametrize("options", OPTIONS, ids=str)
    @pytest.mark.parametrize("inputs", [1, 70])
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_stream(self, options, inputs, dtype):
        checks.check_stream(Case("lstm", dtype, inputs, 25, 1, [9], seed=2, **options))

    def test_long_sequences_in_blocks(self):
        checks.check_forward(Case("lstm", np.float32, 2, 6, 2, [1100, 3, 700], seed=3))

    def test_a_large_layer(self):
        checks.check_forward(Case("lstm", np.float32, 5, 200, 1, [3] * 21, seed=4))

    def test_not_a_number_stays_in_its_sequence(self):
        checks.check_not_a_number_stays_in_its_sequence(
            Case("lstm", np.float32, 3, 20, 2, [5, 4, 6], seed=5)
        )

    @pytest.mark.usefixtures("keep_threads")
    @pytest.mark.parametrize("options", OPTIONS, ids=str)
    @pytest.mark.parametrize("units", [40, 270])  # weights near and far: other cuts
    def test_same_bits_for_any_number_of_threads(self, options, units):
        lengths = [30, 31, 5, 40] * 6 if units == 40 else [4, 3] * 16
        checks.check_threads(Case("lstm", np.float32, 20, units, 2, lengths, seed=6, **options))

    @pytest.mark.usefixtures("keep_threads")
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("options", OPTIONS, ids=str)
    @pytest.mark.parametrize("units", [7, 16, 25, 33])
    def test_one_sequence(self, dtype, units, options):
        # Small layers have a way of their own; 1,100 steps are more than a block.
        for directions in (1, 2):
            case = Case("lstm", dtype, 3, units, directions, [1100], seed=7, **options)
            checks.check_forward(case)
            checks.check_threads(case)


@pytest.mark.parametrize("number", range(len(list(checks.bad_calls(Case("lstm"))))))
def test_bad_arguments(number):
    call, error, message = list(checks.bad_calls(Case("lstm")))[number]
    with pytest.raises(error, match=message):
        call()
