import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import scipy.io.wavfile
import soxr

import extractors.sphinx_recognition
from extractors.errors import MissingModelError
from extractors.sphinx_recognition import recognise_with_sphinx

RATE = 16000
SENTENCE = "People want to go home, and the weather is nice."
# longer than any pause within a chunk
SILENCE = 2.5


@pytest.fixture(scope="module")
def speech(tmp_path_factory) -> np.ndarray:
    """The sentence twice, by a speech synthesiser, each after a silence."""
    program = shutil.which("espeak-ng")
    if program is None:
        pytest.skip("espeak-ng is not installed")
    file = tmp_path_factory.mktemp("speech") / "sentence.wav"
    subprocess.run([program, "-v", "en-us", "-s", "140", "-w", str(file), SENTENCE], check=True)
    rate, samples = scipy.io.wavfile.read(file)
    sound = soxr.resample(samples / 32768, rate, RATE).astype(np.float32)
    silence = np.zeros(round(SILENCE * RATE), np.float32)
    return np.concatenate([silence, sound, silence, sound])


def spans_of(speech: np.ndarray) -> list[tuple[float, float]]:
    half = len(speech) / RATE / 2
    return [(SILENCE, half), (half + SILENCE, 2 * half)]


def recognise(speech: np.ndarray, **changed):
    return recognise_with_sphinx(
        **({"signal": speech, "sample_rate": RATE, "spans": spans_of(speech)} | changed)
    )


@pytest.fixture(scope="module")
def found(speech):
    return recognise(speech)


@pytest.mark.slow
def test_some_words_are_right_and_the_whole_is_reported_as_poor(found):
    said = {word.strip(".,").lower() for word in SENTENCE.split()}
    heard = [word.text for word in found.words]
    right = sum(word in said for word in heard)
    assert right >= 4
    assert found.language == "en"
    assert [doubt.code for doubt in found.doubts] == ["poor_transcript"]
    assert found.doubts[0].detail.startswith(f"{len(heard)} words")
    assert all(word.isascii() and "(" not in word and "<" not in word for word in heard)


@pytest.mark.slow
def test_words_lie_in_the_speech_in_order(speech, found):
    edges = np.array([(word.start, word.end) for word in found.words]).ravel()
    assert (np.diff(edges) >= 0).all()
    # the margin around speech is 0.2 s
    for word in found.words:
        assert any(
            start - 0.21 <= word.start and word.end <= end + 0.21 for start, end in spans_of(speech)
        )
    assert all(word.source == "recognised" and 0 <= word.confidence <= 1 for word in found.words)
    assert len({word.confidence for word in found.words}) > 3


@pytest.mark.slow
def test_a_chunk_does_not_depend_on_those_before_it(speech, found):
    first, second = spans_of(speech)
    alone = recognise(speech, spans=[second])
    assert alone.words == tuple(word for word in found.words if word.start > first[1])
    assert len(alone.words) > 4


def test_nobody_speaks():
    found = recognise_with_sphinx(signal=np.zeros(RATE), sample_rate=RATE, spans=[])
    assert (found.words, found.doubts) == ((), ())


@pytest.mark.slow
def test_sound_that_is_too_loud_does_not_wrap_around(speech):
    # beyond full scale it is cut off there, which a sample that wraps around is not
    word = speech[round(SILENCE * RATE) :][:RATE] / np.abs(speech).max()
    loud = recognise(3 * word, spans=[(0, 1)])
    assert loud == recognise(np.clip(3 * word, -1, 1), spans=[(0, 1)])
    assert loud.words


def test_another_sampling_rate_is_refused():
    with pytest.raises(ValueError, match="16000 Hz, got 8000 Hz; resample"):
        recognise_with_sphinx(signal=np.zeros(8000), sample_rate=8000, spans=[(0, 1)])


def test_without_the_language_model(monkeypatch, tmp_path: Path):
    monkeypatch.setattr(extractors.sphinx_recognition, "model_folder", lambda: tmp_path)
    with pytest.raises(MissingModelError, match="holds no language model en-us"):
        recognise_with_sphinx(signal=np.zeros(RATE), sample_rate=RATE, spans=[(0, 1)])
