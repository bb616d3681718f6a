import csv
import itertools

import numpy as np
import pytest
import torch

from extractors.media import Media
from extractors.speech import speech_probabilities, speech_spans


@pytest.mark.parametrize("signal", [np.zeros(0), np.zeros(32000), np.ones(10)])
def test_silence_has_no_speech(signal):
    assert speech_spans(signal=signal, sample_rate=16000) == []


@pytest.mark.parametrize("sample_rate", [8000, 16000])
def test_noise_is_no_speech(sample_rate):
    noise = 0.05 * np.random.default_rng(0).standard_normal(2 * sample_rate)
    assert speech_spans(signal=noise, sample_rate=sample_rate) == []


def test_unknown_sampling_rate_is_refused():
    with pytest.raises(ValueError, match="got 44100 Hz"):
        speech_spans(signal=np.ones(100), sample_rate=44100)


def test_unknown_sampling_rate_has_no_probabilities():
    with pytest.raises(ValueError, match="got 44100 Hz"):
        speech_probabilities(signal=np.ones(100), sample_rate=44100)


@pytest.mark.parametrize(("count", "pieces"), [(0, 0), (1, 1), (512, 1), (513, 2)])
def test_a_probability_for_every_32_ms(count, pieces):
    assert len(speech_probabilities(signal=np.zeros(count), sample_rate=16000)) == pieces


def test_probabilities_are_high_within_the_spans_and_low_outside(recordings):
    speech = next(r for r in recordings if r.name == "libri_6829").signal
    signal = np.concatenate([np.zeros(32000, np.float32), speech, np.zeros(32000, np.float32)])
    probability = speech_probabilities(signal=signal, sample_rate=16000)
    centres = 0.032 * (np.arange(len(probability)) + 0.5)
    inside = np.zeros(len(centres), bool)
    for start, end in speech_spans(signal=signal, sample_rate=16000):
        inside |= (centres > start) & (centres < end)
    assert ((probability >= 0) & (probability <= 1)).all()
    assert np.median(probability[inside]) > 0.9
    assert np.median(probability[~inside]) < 0.1


def test_number_of_torch_threads_is_left_alone():
    before = torch.get_num_threads()
    speech_spans(signal=np.ones(16000), sample_rate=16000)
    assert torch.get_num_threads() == before


def test_real_speech_is_found_where_it_was_placed(recordings):
    speech = next(r for r in recordings if r.name == "libri_6829").signal
    signal = np.concatenate([np.zeros(32000, np.float32), speech, np.zeros(32000, np.float32)])
    spans = speech_spans(signal=signal, sample_rate=16000)
    assert spans[0][0] >= 1.9
    assert spans[-1][1] <= 2 + len(speech) / 16000 + 0.1
    assert sum(end - start for start, end in spans) > 0.7 * len(speech) / 16000
    assert all(start < end for start, end in spans)
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans))
    assert spans == speech_spans(signal=signal, sample_rate=16000)


def test_speech_agrees_with_a_human_annotation(reference):
    folder = reference / "speech"
    signal = Media(path=folder / "two_speakers.wav").audio(sample_rate=16000)
    wanted, found = np.zeros((2, len(signal) // 160), bool)
    with (folder / "two_speakers.rttm").open(newline="") as lines:
        for row in csv.reader(lines, delimiter=" "):
            start, length = float(row[3]), float(row[4])
            wanted[round(100 * start) : round(100 * (start + length))] = True
    for start, end in speech_spans(signal=signal, sample_rate=16000):
        found[round(100 * start) : round(100 * end)] = True
    assert (wanted == found).mean() > 0.9
