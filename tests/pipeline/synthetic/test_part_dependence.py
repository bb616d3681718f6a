import numpy as np
import pytest

from pipeline.synthetic.part_dependence import part_dependence


@pytest.fixture
def parts(generator):
    s, p, q = generator.standard_normal((3, 1600, 3))
    return {"S": {"audio": s, "text": s}, "P": {"audio": p, "text": q + s}}


def measured(parts):
    def rows(cut):
        return {
            part: {name: values[cut] for name, values in codes.items()}
            for part, codes in parts.items()
        }

    return part_dependence(parts=rows(slice(0, 800)), new_parts=rows(slice(800, None)), seed=0)


def test_dependent_pairs_are_told_from_independent_ones(parts):
    found = measured(parts)
    assert set(found) == {"S_audio P_audio", "S_text P_text", "P_audio P_text"}
    dependent = found.pop("S_text P_text")
    assert dependent["distance_correlation_p"] == dependent["kernel_dependence_p"]
    assert dependent["distance_correlation_p"] == pytest.approx(1 / 201)
    # of three pairs of standard normal variables with correlation 1/sqrt(2)
    assert dependent["neighbour_information"] == pytest.approx(1.5 * np.log(2), abs=0.2)
    assert dependent["club_information"] > 1.0
    for independent in found.values():
        assert independent["distance_correlation_p"] > 0.01
        assert independent["kernel_dependence_p"] > 0.01
        assert abs(independent["neighbour_information"]) < 0.15
        assert abs(independent["club_information"]) < 0.2


def test_a_model_without_both_parts_has_no_pairs(parts):
    assert part_dependence(parts={"S": parts["S"]}, new_parts={"S": parts["S"]}, seed=0) == {}
