import math

import pytest

from pipeline.synthetic.separation_scores import separation_scores


def row(shared, own_private, own_nuisance, *, of, foreign=0.0):
    values = {"shared": shared, "sentiment": 0.5}
    for name in ("text", "audio", "vision"):
        values[f"private_{name}"] = own_private if name == of else foreign
        values[f"nuisance_{name}"] = own_nuisance if name == of else 0.0
    return values


def matrix():
    found = {}
    for name, more in (("text", 0.0), ("audio", 0.03), ("vision", 0.06)):
        found |= {
            f"Z_{name}": row(0.9, 0.8, 0.7 + more, of=name),
            f"S_{name}": row(0.8 + more, 0.1, 0.2, of=name),
            f"P_{name}": row(0.2, 0.6, 0.4, of=name, foreign=-0.01 + more),
            f"S+P_{name}": row(0.9, 0.7, 0.5, of=name),
            f"N_{name}": row(0.001, -0.002, more / 10, of=name),
        }
    return found


def test_scores_are_their_formulas_by_hand():
    scores = separation_scores(matrix())
    assert scores == pytest.approx(
        {
            "retention_shared": 0.83,
            "retention_private": 0.6,
            "retention_joint": (4 * 0.9 + 3 * 0.7) / 7,
            "private_in_shared": 0.1,
            "shared_in_private": 0.2,
            "nuisance_in_shared": 0.2,
            "nuisance_in_private": 0.4,
            "nuisance_in_unimodal": 0.73,
            "separation": 0.5 * ((0.83 - 0.2) + (0.6 - 0.1)),
            "separation_normalised": 0.565 / (5.7 / 7),
            "purity_gain": 0.73 - 0.3,
            "foreign_private": 0.05,
            "anything_in_noise": 0.5,
        }
    )


def test_forgetting_everything_is_divided_by_no_less_than_a_twentieth():
    forgetful = {name: dict.fromkeys(values, 0.0) for name, values in matrix().items()}
    forgetful["S_text"]["shared"] = 0.03
    scores = separation_scores(forgetful)
    assert scores["separation_normalised"] == pytest.approx(0.005 / 0.05)


def test_missing_parts_are_not_scored():
    only = {name: values for name, values in matrix().items() if name.startswith("Z_")}
    scores = separation_scores(only)
    assert scores["nuisance_in_unimodal"] == pytest.approx(0.73)
    assert all(math.isnan(v) for name, v in scores.items() if name != "nuisance_in_unimodal")


def test_a_single_modality_has_no_foreign_private_factor():
    only = {name: values for name, values in matrix().items() if name.endswith("_text")}
    assert separation_scores(only)["foreign_private"] == pytest.approx(-0.01)
