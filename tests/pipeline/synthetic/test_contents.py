import numpy as np
import pytest

from models.batch import MODALITIES
from pipeline.synthetic.contents import LENGTHS, draw_contents
from pipeline.synthetic.factors import Factors, draw_factors


def constant_factors(clips, shared=0.0, private=0.0, nuisance=0.0):
    return Factors(
        shared=np.full((clips, 4), shared),
        private={name: np.full((clips, 3), private) for name in MODALITIES},
        nuisance={name: np.full((clips, 3), nuisance) for name in MODALITIES},
        sentiment=np.zeros(clips),
    )


def drawn(factors, *, partial_shared=False, seed=0):
    return draw_contents(
        factors=factors, partial_shared=partial_shared, generator=np.random.default_rng(seed)
    )


def clip(content, number):
    return content.frames[content.offsets[number] : content.offsets[number + 1]]


def test_lengths_are_uniform_and_modalities_unaligned():
    contents = drawn(constant_factors(4000))
    lengths = {name: np.diff(content.offsets) for name, content in contents.items()}
    for name, (shortest, longest) in LENGTHS.items():
        assert (lengths[name].min(), lengths[name].max()) == (shortest, longest)
        assert lengths[name].mean() == pytest.approx((shortest + longest) / 2, abs=0.3)
    assert abs(np.corrcoef(lengths["audio"], lengths["vision"])[0, 1]) < 0.05


def test_events_are_gaussian_bumps_of_the_width_asked_for():
    audio = drawn(constant_factors(3000, private=1.0))["audio"]
    heights = np.array([clip(audio, i)[:, 4:7].max(0) for i in range(3000)])
    # frames lie about 1/40 apart, so that the largest is next to the centre
    assert np.quantile(heights, 0.05) > 1.9
    assert heights.max() <= 2.0
    # area under 2 exp(-u^2 / (2 0.12^2)), within the edges that few events reach
    area = np.array([clip(audio, i)[:, 4:7].mean(0) for i in range(3000)])
    assert np.median(area) == pytest.approx(2 * 0.12 * np.sqrt(2 * np.pi), rel=0.05)


def test_shared_events_happen_together_and_private_ones_do_not():
    contents = drawn(constant_factors(500, shared=50.0, private=50.0))

    def moments(name, columns):
        found = []
        for i in range(500):
            frames = clip(contents[name], i)[:, columns]
            found.append(np.argmax(frames, axis=0) / (len(frames) - 1))
        return np.concatenate(found)

    audio, vision = (moments(name, slice(0, 4)) for name in ("audio", "vision"))
    assert np.corrcoef(audio, vision)[0, 1] > 0.9
    # two independent lags in (-0.05, 0.05) and the two frame steps
    assert np.abs(audio - vision).max() < 0.1 + 1.3 / 29 + 1.3 / 19
    audio, vision = (moments(name, slice(4, 7)) for name in ("audio", "vision"))
    assert abs(np.corrcoef(audio, vision)[0, 1]) < 0.1


def test_each_modality_has_a_noisy_copy_of_the_shared_factors():
    factors = draw_factors(clips=4000, correlation=0.0, generator=np.random.default_rng(1))
    audio = drawn(factors)["audio"]
    peaks = np.array([np.abs(clip(audio, i)[:, :4]).max(0) for i in range(4000)]) / 2
    explained = np.corrcoef(peaks.ravel(), np.abs(factors.shared).ravel())[0, 1]
    # correlation of |s| and |s + 0.2 e|, by simulation
    s, e = np.random.default_rng(2).standard_normal((2, 200_000))
    assert explained == pytest.approx(np.corrcoef(abs(s), abs(s + 0.2 * e))[0, 1], abs=0.01)


def test_nuisance_is_steady_under_a_stationary_drift():
    contents = drawn(constant_factors(4000, nuisance=2.0))
    for content in contents.values():
        steady = content.frames[:, 7:]
        np.testing.assert_allclose(steady.mean(0), 3.0, atol=0.03)
        first, second = steady[content.offsets[:-1]], steady[content.offsets[:-1] + 1]
        deviation = 0.3 / np.sqrt(1 - 0.7**2)
        np.testing.assert_allclose([first.std(0), second.std(0)], deviation, rtol=0.05)
        for a, b in zip(first.T, second.T, strict=True):
            assert np.corrcoef(a, b)[0, 1] == pytest.approx(0.7, abs=0.03)


def test_a_partial_factor_is_nowhere_in_vision():
    contents = drawn(constant_factors(20, shared=1.0), partial_shared=True)
    assert (contents["vision"].frames[:, 3] == 0).all()
    assert contents["vision"].frames[:, 2].any()
    assert contents["text"].frames[:, 3].any()
    assert contents["audio"].frames[:, 3].any()
