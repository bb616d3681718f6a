"""A voice made of a formula, and the recordings that the reference output was made from."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import scipy.io.wavfile
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
