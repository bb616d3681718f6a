import librosa
import numpy as np
import pytest
import scipy.signal
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from extractors.attention_alignment import token_onsets, warped_onsets


def librosas_way(cost: np.ndarray) -> np.ndarray:
    _, path = librosa.sequence.dtw(C=cost)
    return np.array([path[path[:, 0] == row, 1].min() for row in range(len(cost))])


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (6, 1), (7, 40), (40, 7), (120, 400)])
@pytest.mark.parametrize("seed", range(3))
def test_the_way_is_librosas(shape, seed):
    cost = np.random.default_rng(seed).standard_normal(shape)
    np.testing.assert_array_equal(warped_onsets(cost=cost), librosas_way(cost))


@given(
    hnp.arrays(
        np.float64,
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=8),
        elements=st.integers(-3, 3).map(float),
    )
)
def test_with_ties_too_the_way_is_monotone_and_starts_at_the_first_column(cost):
    onsets = warped_onsets(cost=cost)
    assert onsets[0] == 0
    assert (np.diff(onsets) >= 0).all()
    assert onsets.max(initial=0) < cost.shape[1]


def blocks(onsets: list[int], frames: int) -> np.ndarray:
    attention = np.zeros((len(onsets), frames))
    for row, (start, end) in enumerate(zip(onsets, [*onsets[1:], frames], strict=True)):
        attention[row, start:end] = 1.0
    return attention


def test_attention_in_blocks_gives_their_starts():
    onsets = [0, 20, 35, 80, 110]
    attention = np.stack([blocks(onsets, 150)] * 2)
    assert token_onsets(attention=attention).tolist() == onsets


def test_a_head_that_looks_everywhere_says_nothing():
    onsets = [0, 20, 35, 80]
    attention = np.stack([blocks(onsets, 100), np.full((4, 100), 0.01)])
    assert token_onsets(attention=attention).tolist() == onsets


def test_one_frame_of_attention_elsewhere_does_not_matter():
    onsets = [0, 30, 60]
    attention = blocks(onsets, 90)[None]
    attention[0, 2, 10] = 5.0
    assert token_onsets(attention=attention).tolist() == onsets


def test_smoothing_and_standardising_are_those_of_the_formula():
    rng = np.random.default_rng(4)
    attention = rng.random((3, 6, 50))
    standard = (attention - attention.mean(1, keepdims=True)) / attention.std(1, keepdims=True)
    mirrored = np.pad(standard, ((0, 0), (0, 0), (3, 3)), mode="reflect")
    smooth = scipy.signal.medfilt(mirrored, (1, 1, 7))[:, :, 3:-3]
    np.testing.assert_array_equal(
        token_onsets(attention=attention), librosas_way(-smooth.mean(axis=0))
    )


def test_tokens_may_outnumber_frames():
    onsets = token_onsets(attention=np.random.default_rng(0).random((2, 9, 4)))
    assert onsets.shape == (9,)
    assert (np.diff(onsets) >= 0).all()
    assert onsets.max() < 4
