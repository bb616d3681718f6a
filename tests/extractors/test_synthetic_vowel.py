"""The whole acoustic chain on a vowel whose pitch, closures and glottal shape are known."""

import numpy as np
import pytest

from extractors.acoustic import AcousticConfig, acoustic_features
from extractors.closure_instants import closure_instants
from extractors.linear_prediction import lp_residual, signal_polarity
from extractors.pitch import track_pitch

SHAPES = (0.6, 1.0, 1.5, 2.0)


def column(vowel, name, **config):
    found = acoustic_features(signal=vowel.signal, config=AcousticConfig(**config))
    return found.values[20:-20, found.names.index(name)]


@pytest.mark.parametrize("period", [80, 128])
@pytest.mark.parametrize("rd", SHAPES)
def test_pitch_is_known(lf_vowel, rd, period):
    vowel = lf_vowel(rd=rd, period=period)
    np.testing.assert_allclose(column(vowel, "F0"), vowel.f0, atol=1)
    assert (column(vowel, "VUV") == 1).all()


@pytest.mark.parametrize("rd", SHAPES)
def test_polarity_is_known(lf_vowel, rd):
    """A closure is a negative peak of the flow's derivative, which is what a microphone hears."""
    signs = {signal_polarity(signal=sign * lf_vowel(rd=rd).signal) * sign for sign in (1, -1)}
    assert len(signs) == 1


@pytest.mark.parametrize("rd", [0.6, 1.0, 1.5])
def test_closures_are_known(lf_vowel, rd):
    vowel = lf_vowel(rd=rd)
    signal = vowel.signal * signal_polarity(signal=vowel.signal)
    found = closure_instants(
        signal=signal,
        residual=lp_residual(signal=signal, order=18),
        track=track_pitch(residual=lp_residual(signal=signal, order=12)),
    )
    inside = found[(found > 3200) & (found < len(signal) - 3200)]
    off = inside[:, None] - vowel.instants[None]
    nearest = off[np.arange(len(off)), np.abs(off).argmin(axis=1)]
    assert len(inside) == pytest.approx((len(signal) - 6400) / 128, abs=2)
    assert np.ptp(nearest) <= 1.01
    assert np.abs(nearest).max() <= 8  # half a millisecond, the excitation's rounded peak


def test_shape_is_recovered_with_the_papers_sign(lf_vowel):
    for rd in SHAPES:
        found = np.median(column(lf_vowel(rd=rd), "Rd", rd_flavour="1.4.1"))
        assert found == pytest.approx(rd, rel=0.25), rd


def test_measures_of_the_flow_rise_with_rd(lf_vowel):
    vowels = [lf_vowel(rd=rd) for rd in SHAPES]
    for name in ("NAQ", "QOQ", "H1H2"):
        medians = [float(np.median(column(vowel, name))) for vowel in vowels]
        assert (np.diff(medians) > 0).all(), (name, medians)
