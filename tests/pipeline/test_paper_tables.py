import pytest

from pipeline.paper_tables import published_scores


def found(**wanted):
    return [
        score
        for score in published_scores()
        if all(getattr(score, name) == value for name, value in wanted.items())
    ]


def test_figures_are_in_the_units_of_our_metrics():
    full = found(model="MInD", variant="full")
    values = {(score.dataset, score.metric): score.value for score in full}
    assert values == {
        ("CMU-MOSI", "MAE"): 0.711,
        ("CMU-MOSI", "Corr"): 0.791,
        ("CMU-MOSEI", "MAE"): 0.529,
        ("CMU-MOSEI", "Corr"): 0.772,
        ("UR-FUNNY", "Acc2"): pytest.approx(0.7255),
    }
    assert {score.source for score in full} == {"arXiv 2401.11818 (MInD), table 2"}


def test_every_figure_has_a_source_and_a_possible_value():
    for score in published_scores():
        assert score.source.startswith(("arXiv 2", "github.com/")), score
        assert 0 < score.value < 2, score
        assert score.value <= 1 or score.metric == "MAE", score


def test_no_figure_is_there_twice():
    keys = [(s.source, s.dataset, s.model, s.variant, s.metric) for s in published_scores()]
    assert len(set(keys)) == len(keys) > 500


def test_the_ablations_of_a_column_are_complete():
    variants = {score.variant for score in published_scores() if score.variant}
    assert len(variants) == 14
    for dataset, metrics in {
        "CMU-MOSI": {"MAE", "Corr"},
        "CMU-MOSEI": {"MAE", "Corr"},
        "UR-FUNNY": {"Acc2"},
    }.items():
        for variant in variants:
            assert {s.metric for s in found(dataset=dataset, variant=variant)} == metrics
