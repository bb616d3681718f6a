import numpy as np
import pytest

from pipeline.synthetic.mixing import Mixer, draw_mixer, observe


def test_matrices_are_orthonormal_and_the_inner_ones_doubled():
    mixer = draw_mixer(width=24, real_width=74, generator=np.random.default_rng(0))
    np.testing.assert_allclose(mixer.inner @ mixer.inner.T, 4 * np.eye(10), atol=1e-12)
    np.testing.assert_allclose(mixer.outer @ mixer.outer.T, np.eye(24), atol=1e-12)
    np.testing.assert_allclose(mixer.rotation @ mixer.rotation.T, np.eye(24), atol=1e-12)
    assert mixer.width == 74


def test_rotation_keeps_lengths_and_the_other_matrices():
    plain, rotated = (
        draw_mixer(width=20, real_width=width, generator=np.random.default_rng(3))
        for width in (None, 47)
    )
    content = np.random.default_rng(4).standard_normal((50, 10))
    narrow, wide = (
        observe(content=content, mixer=mixer, generator=np.random.default_rng(5))
        for mixer in (plain, rotated)
    )
    assert (narrow.shape, wide.shape) == ((50, 20), (50, 47))
    np.testing.assert_allclose(
        np.linalg.norm(wide, axis=1), np.linalg.norm(narrow, axis=1), rtol=1e-5
    )


def test_negative_values_are_kept_to_a_fifth_and_noise_is_added():
    mixer = Mixer(inner=np.eye(10), offset=np.full(10, 1.0), outer=np.eye(10))
    content = np.tile(np.r_[4.0, -6.0, np.zeros(8)], (20_000, 1))
    observed = observe(content=content, mixer=mixer, generator=np.random.default_rng(6))
    assert observed.dtype == np.float32
    np.testing.assert_allclose(observed.mean(0), [5.0, -1.0, *[1.0] * 8], atol=0.02)
    assert observed.std(0) == pytest.approx(0.3, abs=0.01)
