import numpy as np
import pytest

from extractors.vowel_space import vowel_space_ratio

# F1 and F2 of women (Hillenbrand et al. 1995, table V)
MEANS = np.array(
    [
        (437, 2761),
        (483, 2365),
        (536, 2530),
        (731, 2058),
        (669, 2349),
        (936, 1551),
        (781, 1136),
        (555, 1035),
        (519, 1225),
        (459, 1105),
        (753, 1426),
        (523, 1588),
    ],
    np.float64,
)


def frames(means, *, per_vowel=100, spread=15.0):
    """Formants scattered around means."""
    rng = np.random.default_rng(0)
    return np.concatenate([mean + spread * rng.standard_normal((per_vowel, 2)) for mean in means])


def voiced(formants):
    return np.ones(len(formants), np.bool_)


def test_a_woman_of_average_vowels_has_ratio_one():
    formants = frames(MEANS)
    ratio = vowel_space_ratio(formants=formants, voiced=voiced(formants))
    assert ratio == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("scale", [0.8, 0.9, 1.1])
def test_area_goes_with_the_square_of_the_vowels_distances(scale):
    centre = MEANS.mean(axis=0)
    formants = frames(centre + scale * (MEANS - centre))
    ratio = vowel_space_ratio(formants=formants, voiced=voiced(formants))
    # clusters are not quite the vowels
    assert ratio == pytest.approx(scale**2, rel=0.15)


def test_order_and_unusable_frames_do_not_matter():
    formants = frames(MEANS)
    wanted = vowel_space_ratio(formants=formants, voiced=voiced(formants))
    shuffled = np.random.default_rng(1).permutation(formants)
    found = vowel_space_ratio(formants=shuffled, voiced=voiced(shuffled))
    assert found == pytest.approx(wanted, rel=1e-6)
    more = np.concatenate([formants, [[0.0, 1500.0], [500.0, 0.0], [3000.0, 4000.0]]])
    use = voiced(more)
    use[-1] = False
    assert vowel_space_ratio(formants=more, voiced=use) == wanted


def test_further_formants_are_not_looked_at():
    formants = frames(MEANS)
    wanted = vowel_space_ratio(formants=formants, voiced=voiced(formants))
    wide = np.column_stack([formants, np.zeros((len(formants), 3))])
    assert vowel_space_ratio(formants=wide, voiced=voiced(wide)) == wanted


def test_fewer_than_a_thousand_usable_frames_have_no_ratio():
    formants = np.resize(frames(MEANS), (1001, 2))
    use = voiced(formants)
    use[0] = False
    assert vowel_space_ratio(formants=formants, voiced=use) > 0
    use[1] = False
    assert vowel_space_ratio(formants=formants, voiced=use) == 0


@pytest.mark.parametrize("kind", ["one vowel", "one value", "none"])
def test_poor_voices_have_a_finite_ratio(kind):
    formants = {
        "one vowel": frames(MEANS[:1], per_vowel=2000),
        "one value": np.full((2000, 2), 700.0),
        "none": np.zeros((0, 2)),
    }[kind]
    ratio = vowel_space_ratio(formants=formants, voiced=voiced(formants))
    assert 0 <= ratio < 0.1
