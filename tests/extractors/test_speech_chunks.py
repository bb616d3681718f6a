import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractors.speech_chunks import SpeechChunk, speech_chunks

RATE = 1000


def quiet(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE), np.float32)


def test_near_stretches_share_a_chunk_and_far_ones_do_not():
    spans = [(1.0, 2.0), (2.5, 4.0), (9.0, 10.0)]
    chunks = speech_chunks(signal=quiet(12), sample_rate=RATE, spans=spans, longest=30)
    assert chunks == [SpeechChunk(0.8, 4.2), SpeechChunk(8.8, 10.2)]


def test_the_margin_ends_in_the_middle_of_a_short_pause_and_at_the_sounds_edges():
    spans = [(0.1, 1.0), (1.1, 2.0)]
    chunks = speech_chunks(signal=quiet(2.05), sample_rate=RATE, spans=spans, longest=1.2)
    assert np.allclose(chunks, [(0.0, 1.05), (1.05, 2.05)])


def test_speech_without_a_pause_is_cut_where_it_is_quietest():
    sound = np.random.default_rng(0).standard_normal(25 * RATE)
    sound[7000:7200] *= 0.01
    chunks = speech_chunks(signal=sound, sample_rate=RATE, spans=[(0.0, 25.0)], longest=10)
    assert chunks[0].start == 0
    assert chunks[0].end == pytest.approx(7.1, abs=0.06)
    assert chunks[-1].end == 25
    for before, after in itertools.pairwise(chunks):
        assert before.end == after.start


def test_nobody_speaks():
    assert speech_chunks(signal=quiet(5), sample_rate=RATE, spans=[], longest=30) == []


def test_speech_outside_of_the_sound_is_no_speech():
    assert speech_chunks(signal=quiet(5), sample_rate=RATE, spans=[(6, 7)], longest=30) == []


@given(
    lengths=st.lists(st.tuples(st.floats(0.0, 5.0), st.floats(0.05, 20.0)), max_size=8),
    longest=st.floats(2.0, 12.0),
)
def test_chunks_hold_all_speech_in_order_and_none_is_too_long(lengths, longest):
    spans, now = [], 0.0
    for pause, speech in lengths:
        spans.append((now + pause + 0.01, now + pause + speech + 0.01))
        now += pause + speech + 0.01
    sound = np.random.default_rng(0).standard_normal(round((now + 1) * RATE))
    chunks = speech_chunks(signal=sound, sample_rate=RATE, spans=spans, longest=longest)
    edges = np.array(chunks).ravel()
    assert (np.diff(edges) >= 0).all()
    assert all(end - start <= longest + 1e-9 for start, end in chunks)
    for start, end in spans:
        covered = sum(max(0.0, min(end, e) - max(start, s)) for s, e in chunks)
        assert covered == pytest.approx(end - start, abs=1e-6)
