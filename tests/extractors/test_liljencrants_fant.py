import numpy as np
import pytest

from extractors.liljencrants_fant import lf_parameters, lf_pulse, lf_spectrum

SHAPES = (0.3, 0.7, 1.0, 1.6, 2.2, 2.7)
FINE = 100_000


def pulse(rd):
    """One period of unit length, finely sampled."""
    return lf_pulse(rd=rd, f0=1.0, sample_rate=FINE, n_samples=FINE)


@pytest.mark.parametrize("rd", SHAPES)
def test_no_flow_remains_after_a_period(rd):
    assert abs(pulse(rd).mean()) < 1e-8


@pytest.mark.parametrize("rd", SHAPES)
def test_closure_is_minus_one_and_without_a_jump(rd):
    closure = lf_parameters(rd=rd).te[0] * FINE
    around = pulse(rd)[int(closure) - 1 : int(closure) + 3]
    np.testing.assert_allclose(around, -1, atol=0.01)
    assert pulse(rd)[0] == 0


@pytest.mark.parametrize("rd", SHAPES)
def test_return_phase_leaves_the_closure_towards_zero_as_fast_as_ta_says(rd):
    """Ta is where the tangent of the return phase at the closure meets zero."""
    lf = lf_parameters(rd=rd)
    first = int(np.ceil(lf.te[0] * FINE))
    slope = (pulse(rd)[first + 1] - pulse(rd)[first]) * FINE
    np.testing.assert_allclose(slope, 1 / lf.ta[0], rtol=0.03)


@pytest.mark.parametrize("rd", SHAPES)
def test_rd_is_the_peak_flow_over_closure_and_period(rd):
    """Fant's definition, U0 / Ee F0 / 110 Hz in ms, from which his regressions stray a little."""
    flow = np.cumsum(pulse(rd)) / FINE
    assert flow.max() / 0.11 == pytest.approx(rd, rel=0.13)


@pytest.mark.parametrize("rd", SHAPES)
def test_spectrum_is_the_integral(rd):
    harmonics = np.array([1, 2, 5, 20, 60])
    t = np.arange(FINE) / FINE
    wanted = [np.mean(pulse(rd) * np.exp(-2j * np.pi * q * t)) for q in harmonics]
    got = lf_spectrum(parameters=lf_parameters(rd=rd), harmonics=harmonics)
    np.testing.assert_allclose(got[0], wanted, atol=1e-7)


def test_many_shapes_at_once_equal_each_alone():
    many = lf_spectrum(parameters=lf_parameters(rd=SHAPES), harmonics=[1.0, 3.0])
    alone = [lf_spectrum(parameters=lf_parameters(rd=rd), harmonics=[1.0, 3.0])[0] for rd in SHAPES]
    np.testing.assert_array_equal(many, alone)


def test_pulses_repeat_with_the_pitch():
    train = lf_pulse(rd=1.2, f0=100.0, sample_rate=16000, n_samples=800)
    np.testing.assert_allclose(train.reshape(5, 160), np.tile(train[:160], (5, 1)), atol=1e-9)


@pytest.mark.parametrize("rd", [0.2, 3.0, np.nan])
def test_shapes_out_of_range_are_refused(rd):
    with pytest.raises(ValueError, match="rd must lie in"):
        lf_parameters(rd=rd)
