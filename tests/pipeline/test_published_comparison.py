import csv
from pathlib import Path

import pytest

import pipeline
from pipeline.category_metrics import CATEGORY_NAMES
from pipeline.errors import ConfigError
from pipeline.metrics import METRIC_NAMES
from pipeline.paper_tables import published_scores
from pipeline.published_comparison import (
    MetricPlace,
    figure_text,
    in_our_units,
    known_datasets,
    our_metric,
    published_of,
    resolve_dataset,
    same_model,
)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("CMU-MOSI", "CMU-MOSI"),
        ("mosi", "CMU-MOSI"),
        ("cmu_mosei", "CMU-MOSEI"),
        ("ur-funny", "UR-FUNNY"),
        ("urfunny", "UR-FUNNY"),
        ("sims", "CH-SIMS"),
        ("MIntRec", "MIntRec"),
    ],
)
def test_data_sets_have_many_spellings(asked, found):
    assert resolve_dataset(asked) == found


@pytest.mark.parametrize("asked", ["", "-", "my own", "cmu"])
def test_what_nobody_published_about_is_refused(asked):
    with pytest.raises(ConfigError, match=r"CMU-MOSI.*MIntRec"):
        resolve_dataset(asked)


def test_figures_of_mind_are_those_of_its_first_table():
    """Read from the file anew, without the code that is tested."""
    path = Path(pipeline.__file__).parent / "paper_tables.tsv"
    with path.open(encoding="utf-8") as stream:
        printed = {
            row["metric"]: row["text"]
            for row in csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)
            if (row["dataset"], row["model"], row["variant"]) == ("CMU-MOSI", "MInD", "")
        }
    found = {our_metric(one): in_our_units(one) for one in published_of("CMU-MOSI", model="mind")}
    assert found == {
        MetricPlace("", "mae"): printed["MAE"],
        MetricPlace("", "correlation"): printed["Corr"],
        MetricPlace("", "accuracy_7"): f"{float(printed['Acc7']) / 100:.3f}",
        MetricPlace("", "accuracy_2_non0"): f"{float(printed['Acc2']) / 100:.3f}",
        MetricPlace("", "f1_non0"): f"{float(printed['F1']) / 100:.3f}",
    }


def test_ablations_are_no_model_of_their_own():
    assert any(score.variant for score in published_scores())
    assert not any(score.variant for name in known_datasets() for score in published_of(name))


def test_every_figure_of_a_model_stands_somewhere_in_its_collection():
    groups = {"CH-SIMS": "sims"}
    for name in known_datasets():
        places = {our_metric(score) for score in published_of(name)}
        assert {place.group for place in places} == {groups.get(name, "")}
        if name not in groups:
            of_classes = name in ("UR-FUNNY", "MIntRec")
            names = CATEGORY_NAMES if of_classes else METRIC_NAMES
            assert {place.metric for place in places} <= set(names)


def test_names_of_models_are_compared_by_letters_and_digits():
    assert same_model("LF-DNN", "lf_dnn")
    assert same_model("Self-MM", "self_mm")
    assert not same_model("MFN", "mfm")
    sources = {score.source for score in published_of("CMU-MOSI", model="misa")}
    assert len(sources) == 2
    assert all(score.model == "MISA" for score in published_of("CMU-MOSI", model="misa"))


def test_figures_carry_their_sources():
    mae = [s for s in published_of("CMU-MOSI", model="misa") if s.metric == "MAE"]
    assert figure_text(mae) == "; ".join(f"{s.text} ({s.source})" for s in mae)
    assert figure_text([]) == ""
