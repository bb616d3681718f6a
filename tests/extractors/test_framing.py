import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractors.framing import (
    blocks,
    framed,
    grid_positions,
    grid_times,
    interpolate_to_grid,
    round_half_away,
)


def test_halves_are_rounded_away_from_zero():
    given_, wanted = [0.5, 1.5, 2.5, -0.5, -2.5, 2.4, -2.6], [1, 2, 3, -1, -3, 2, -3]
    assert round_half_away(given_).tolist() == wanted


@given(st.integers(0, 100_000))
def test_grid_has_the_published_number_of_rows(n_samples):
    positions = grid_positions(n_samples=n_samples)
    assert len(positions) == max(0, (n_samples - 80) // 160 + 1)
    assert (positions <= n_samples).all()


@given(st.integers(0, 100_000))
def test_spans_adjoin_and_stay_inside_the_sound(n_samples):
    times = grid_times(n_samples=n_samples)
    assert (times >= 0).all()
    assert (times <= n_samples / 16000).all()
    assert (times[:, 0] < times[:, 1]).all()
    np.testing.assert_allclose(times[1:, 0], times[:-1, 1], atol=1e-12)


def test_instants_are_those_of_covarep():
    times = grid_times(n_samples=16000)
    np.testing.assert_allclose(times[1:-1].mean(axis=1), 0.0049375 + 0.01 * np.arange(1, 99))


@given(st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_interpolation_equals_numpys_inside_and_is_nan_outside(count, seed):
    rng = np.random.default_rng(seed)
    positions = np.cumsum(rng.integers(1, 400, count)).astype(float)
    values = rng.standard_normal((count, 3))
    got = interpolate_to_grid(values=values, positions=positions, n_samples=8000)
    grid = np.arange(80, 8001, 160)
    for column in range(3):
        wanted = np.interp(grid, positions, values[:, column], left=np.nan, right=np.nan)
        np.testing.assert_allclose(got[:, column], wanted, atol=1e-12)


def test_interpolation_without_frames_is_nan():
    got = interpolate_to_grid(values=np.zeros(0), positions=np.zeros(0), n_samples=800)
    assert got.shape == (5,)
    assert np.isnan(got).all()


@given(st.integers(0, 500), st.integers(1, 60), st.integers(1, 60))
def test_frames_are_slices_at_their_starts(n_samples, length, hop):
    signal = np.arange(n_samples, dtype=float)
    frames = framed(signal=signal, length=length, hop=hop)
    starts = range(0, n_samples - length + 1, hop)
    assert frames.shape == (len(starts), length)
    for frame, start in zip(frames, starts, strict=True):
        np.testing.assert_array_equal(frame, signal[start : start + length])


@pytest.mark.parametrize(("count", "size"), [(0, 3), (1, 3), (3, 3), (10, 3)])
def test_blocks_cover_the_range_once(count, size):
    covered = [i for part in blocks(count=count, size=size) for i in range(count)[part]]
    assert covered == list(range(count))
