from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import silhouette_score

from pipeline import part_analysis
from pipeline.part_analysis import analyse_codes, analyse_parts
from pipeline.part_panels import map_panels, probe_panels
from pipeline.run_parts import RunParts

MODALITIES = ("text", "audio", "vision")


def make_parts(*, n=40, width=4, target=None, widths=None, seed=0):
    """S holds the label and is the same in all modalities; P lies apart by modality; N is noise."""
    generator = np.random.default_rng(seed)
    labels = generator.normal(size=n).astype(np.float32) if target is None else target
    shared = generator.normal(size=(n, width)) + np.outer(labels, np.ones(width))

    def codes(part):
        wide = (widths or {}).get(part, width)
        noise = {name: generator.normal(size=(n, wide)).astype(np.float32) for name in MODALITIES}
        if part == "S":
            return {
                name: (shared[:, :wide] + 0.05 * x).astype(np.float32) for name, x in noise.items()
            }
        if part == "P":
            return {name: x + 10 * (1 + MODALITIES.index(name)) for name, x in noise.items()}
        return noise

    parts = {part: codes(part) for part in ("S", "P", "N")}
    return RunParts(
        ids=tuple(f"c{row // 2:03}:{row % 2}.0-{row % 2 + 1}.0" for row in range(n)),
        target=np.asarray(labels, np.float32),
        seed=3,
        before={part: codes("N") for part in parts},
        after=parts,
    )


@pytest.fixture
def unmapped(monkeypatch):
    """Maps take long; tests of other things do without."""

    def place(stack, on_map):
        return {part: [(0.0, 0.0)] * len(codes) for part, codes in stack.items()}

    monkeypatch.setattr(part_analysis, "_map", place)


@pytest.fixture(scope="module")
def parts():
    return make_parts(n=40)


@pytest.fixture(scope="module")
def analysis(parts):
    return analyse_codes(parts, digest="d")


def test_silhouettes_are_those_of_the_codes(parts, analysis):
    """Principal components of fewer than 50 columns only turn the codes."""
    for stage, by_part in (("before", parts.before), ("after", parts.after)):
        for name in MODALITIES:
            codes = np.concatenate([by_part[part][name] for part in "SPN"]).astype(float)
            owner = np.repeat([0, 1, 2], len(parts.ids))
            wanted = silhouette_score(codes, owner)
            assert analysis.silhouettes[stage][name] == pytest.approx(wanted, abs=1e-6)


def test_probes_find_what_was_put_in(analysis):
    labels = analysis.label_scores
    assert set(labels) == {"S", "P", "N"}
    assert min(labels["S"][name] for name in (*MODALITIES, "all")) > 0.6
    assert max(labels["N"].values()) < 0.2
    assert analysis.label_chance is None
    assert analysis.modality_accuracy["P"] == 1.0
    assert analysis.modality_accuracy["S"] < 0.5
    assert analysis.modalities == 3
    assert min(analysis.part_accuracy["after"].values()) > 0.6
    assert max(analysis.part_accuracy["before"].values()) < 0.55


def test_maps_keep_what_lies_apart_apart(parts, analysis):
    assert analysis.mapped == 40
    for name in MODALITIES:
        places = analysis.maps["after"][name]
        assert {part: len(points) for part, points in places.items()} == dict.fromkeys("SPN", 40)
        stacked = np.concatenate([places["S"], places["P"]])
        assert silhouette_score(stacked, np.repeat([0, 1], 40)) > 0.4


def test_the_same_codes_give_the_same_analysis():
    parts = make_parts(n=8)
    assert analyse_codes(parts) == analyse_codes(parts)


def test_the_figures_show_the_numbers(analysis):
    panels = map_panels(analysis)
    assert [panel.caption for panel in panels] == [
        f"{name}, {stage} training" for stage in ("before", "after") for name in MODALITIES
    ]
    assert f"Silhouette {analysis.silhouettes['after']['audio']:.3f}" in panels[4].description
    assert [trace["name"] for trace in panels[0].data] == ["shared S", "private P", "noise N"]
    label, modality = probe_panels(analysis)
    assert label.data[0]["x"] == [*MODALITIES, "all"]
    assert label.data[0]["z"][0][0] == pytest.approx(analysis.label_scores["S"]["text"], rel=1e-5)
    assert "by chance 0.33" in modality.caption


@pytest.mark.usefixtures("unmapped")
def test_classes_are_told_by_hits():
    target = (np.arange(40) % 4 == 0).astype(np.float32)
    found = analyse_codes(make_parts(target=target))
    assert found.label_chance == 0.75
    assert found.label_scores["S"]["all"] > 0.75
    assert "by chance 0.75" in probe_panels(found)[0].caption


@pytest.mark.usefixtures("unmapped")
def test_parts_of_other_widths_are_not_mapped_together():
    narrow_shared = analyse_codes(make_parts(n=20, widths={"S": 2}))
    assert narrow_shared.maps == {"before": narrow_shared.maps["before"]}
    assert set(narrow_shared.label_scores) == {"S", "P", "N"}
    no_noise = analyse_codes(make_parts(n=20, widths={"N": 2}))
    assert set(no_noise.maps["after"]["text"]) == {"S", "P"}


@pytest.mark.usefixtures("unmapped")
def test_few_utterances_are_not_analysed():
    few = analyse_codes(make_parts(n=4))
    assert (few.maps, few.label_scores, few.mapped) == ({}, {}, 0)
    some = analyse_codes(make_parts(n=6))
    assert some.mapped == 6
    assert some.label_scores == {}


@pytest.mark.usefixtures("unmapped")
def test_large_splits_are_thinned(monkeypatch, parts):
    monkeypatch.setattr(part_analysis, "MOST_POINTS", 30)
    found = analyse_codes(parts)
    assert (found.utterances, found.mapped) == (40, 10)
    assert len(found.maps["before"]["text"]["N"]) == 10


def test_an_analysis_is_kept(monkeypatch, tmp_path, analysis):
    assert analyse_parts(tmp_path) is None
    (tmp_path / "parts.safetensors").write_bytes(b"one")
    assert analyse_parts(tmp_path, only_kept=True) is None
    calls = []

    def analyse(parts, *, digest, on_map):
        calls.append(digest)
        return part_analysis.PartAnalysis(**(vars(analysis) | {"digest": digest}))

    monkeypatch.setattr(part_analysis, "analyse_codes", analyse)
    monkeypatch.setattr(part_analysis, "load_parts", lambda folder: "parts")
    first = analyse_parts(tmp_path)
    assert analyse_parts(tmp_path, only_kept=True) == first == analyse_parts(tmp_path)
    assert len(calls) == 1
    (tmp_path / "parts.json").write_text("{}")
    assert analyse_parts(tmp_path) == first
    (tmp_path / "parts.safetensors").write_bytes(b"two")
    assert analyse_parts(tmp_path).digest != first.digest
    assert len(calls) == 3


@pytest.mark.usefixtures("unmapped")
def test_a_fold_that_learns_from_one_class_tells_that_class():
    target = np.array([0, 0] * 10 + [1, 1] * 10, np.float32)
    parts = make_parts(target=target)
    ids = tuple(f"{'ab'[row // 20]}:{row}.0-{row + 1}.0" for row in range(40))
    found = analyse_codes(replace(parts, ids=ids))
    # either clip is told by a probe that knows the other one's class alone
    assert found.label_scores["S"] == {"text": 0, "audio": 0, "vision": 0, "all": 0}
    assert found.label_chance == 0.5
