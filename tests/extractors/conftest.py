"""Voices made of formulas, and the recordings that the reference output was made from."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import scipy.io.wavfile
import scipy.optimize
import scipy.signal


@pytest.fixture(scope="session")
def voice() -> np.ndarray:
    """Two seconds at 16 kHz: a pitch that glides from 110 to 180 Hz, three formants, some noise."""
    rng = np.random.default_rng(7)
    f0 = np.linspace(110, 180, 32000)
    phase = np.cumsum(f0) / 16000
    pulses = np.diff(np.floor(phase), prepend=0.0) + 0.01 * rng.standard_normal(32000)
    sound = pulses
    for centre, width in ((600, 80), (1300, 100), (2600, 150)):
        radius = np.exp(-np.pi * width / 16000)
        poles = [1, -2 * radius * np.cos(2 * np.pi * centre / 16000), radius**2]
        sound = scipy.signal.lfilter([1.0], poles, sound)
    return (0.5 * sound / np.abs(sound).max()).astype(np.float32)


@dataclass(frozen=True)
class Recording:
    name: str
    signal: np.ndarray
    output: dict[str, np.ndarray]


@pytest.fixture(scope="session")
def recordings(reference: Path) -> tuple[Recording, ...]:
    """Every recording of which COVAREP made features, with these."""

    def read() -> Iterator[Recording]:
        for path in sorted((reference / "reference" / "acoustic").glob("*.npz")):
            rate, samples = scipy.io.wavfile.read(path.with_suffix(".wav"))
            assert rate == 16000
            with np.load(path, allow_pickle=False) as stored:
                output = {key: stored[key] for key in stored.files}
            yield Recording(path.stem, (samples / 32768).astype(np.float32), output)

    found = tuple(read())
    assert found, "WINNOW_REFERENCE holds no acoustic reference output"
    return found


RATE = 16000
OVERSAMPLING = 16
FORMANTS = ((600.0, 60.0), (1250.0, 90.0), (2500.0, 120.0), (3500.0, 150.0), (4700.0, 200.0))


class LFVowel(NamedTuple):
    """A vowel of which everything is known: pulses of the LF model through formants."""

    signal: np.ndarray
    f0: float
    instants: np.ndarray
    rd: float


def lf_pulse(rd: float, period: int) -> tuple[np.ndarray, float]:
    """One period of flow derivative with closure at -1, and when it closes, in samples.

    Fant, Liljencrants & Lin (1985) and Fant (1995), solved by bisection, here alone, so that it
    does not share code with what it tests.
    """
    ra, rk = (-1 + 4.8 * rd) / 100, (22.4 + 11.8 * rd) / 100
    rg = rk / (4 * (0.11 * rd / (0.5 + 1.2 * rk) - ra))
    opening = 1 / (2 * rg)
    closing, returning = opening * (1 + rk), ra
    epsilon = scipy.optimize.brentq(
        lambda e: 1 - np.exp(-e * (1 - closing)) - e * returning, 1e-3 / returning, 2 / returning
    )
    t = np.arange(period) / period

    def pulse(alpha):
        wave = np.pi / opening
        growth = -np.exp(alpha * (t - closing)) * np.sin(wave * t) / np.sin(wave * closing)
        decay = np.exp(-epsilon * (t - closing)) - np.exp(-epsilon * (1 - closing))
        return np.where(t < closing, growth, -decay / (epsilon * returning))

    alpha = scipy.optimize.brentq(lambda a: pulse(a).sum(), -20, 200)
    return pulse(alpha), closing * period


def make_lf_vowel(
    *, rd: float, period: int = 128, seconds: float = 1.5, noise: float = 1e-4
) -> LFVowel:
    """Make a vowel whose period is a whole number of samples of 16 kHz."""
    pulse, closure = lf_pulse(rd, period * OVERSAMPLING)
    count = int(seconds * RATE) // period
    fine = np.tile(pulse, count + 2)
    source = scipy.signal.resample_poly(fine, 1, OVERSAMPLING)[period : (count + 1) * period]
    sound = source
    for centre, width in FORMANTS:
        radius = np.exp(-np.pi * width / RATE)
        poles = [1, -2 * radius * np.cos(2 * np.pi * centre / RATE), radius**2]
        sound = scipy.signal.lfilter([1.0], poles, sound)
    sound = 0.5 * sound / np.abs(sound).max()
    sound = sound + noise * np.random.default_rng(0).standard_normal(len(sound))
    instants = closure / OVERSAMPLING + period * np.arange(count)
    return LFVowel(sound.astype(np.float32), RATE / period, instants, rd)


@pytest.fixture(scope="session")
def lf_vowel() -> Callable[..., LFVowel]:
    return make_lf_vowel
