import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import accuracy_score

from pipeline.checkpoint import build_model
from pipeline.errors import ConfigError, DataError, SourceError
from pipeline.formats.mmsa_writing import write_mmsa
from pipeline.formats.utterance import Utterance, rows_of
from pipeline.presets import find_preset
from pipeline.reproduction import ReproductionPlan, reproduce
from pipeline.reproduction_page import reproduction_json, write_reproduction
from pipeline.run_folder import load_run
from pipeline.run_predictions import read_predictions

SHORT = {
    "training.max_epochs": 2,
    "training.device": "cpu",
    "training.batch_size": 16,
    "training.learning_rate": 0.01,
}
INTENTS = ("Agree", "Ask for help", "Leave")
WIDTHS = {"text": 6, "audio": 4, "vision": 3}


def labels_of(collection, generator, n=48):
    if collection == "urfunny":
        return (generator.random(n) < 0.5).astype(float)
    limit = 1.0 if collection == "sims" else 3.0
    return np.round(np.clip(generator.normal(size=n) * limit / 2, -limit, limit), 1)


def features_of(label, generator, limit):
    return {
        name: rows_of(generator.normal(size=(4, width)) + label / limit, modality=name)
        for name, width in WIDTHS.items()
    }


def write_pickle(path, collection):
    generator = np.random.default_rng(0)
    labels = labels_of(collection, generator)
    write_mmsa(
        path,
        [
            Utterance(
                video=f"v{number // 4}",
                clip=str(number),
                split="train" if number < 28 else ("valid" if number < 36 else "test"),
                label=float(label),
                text="quite good",
                features=features_of(label, generator, np.abs(labels).max()),
            )
            for number, label in enumerate(labels)
        ],
    )
    return path


def write_ur_funny(folder):
    """The published files: labels, folds, language, COVAREP and OpenFace by punchline."""
    folder.mkdir()
    generator = np.random.default_rng(1)
    labels = {key: int(label) for key, label in enumerate(labels_of("urfunny", generator))}
    keys = list(labels)

    def parts(label, width):
        return {
            "context_features": [(generator.normal(size=(3, width)) + label).tolist()],
            "punchline_features": (generator.normal(size=(2, width)) + label).tolist(),
        }

    contents = {
        "humor_label_sdk": labels,
        "data_folds": {"train": keys[:28], "dev": keys[28:36], "test": keys[36:]},
        "language_sdk": {
            key: {
                "context_sentences": ["so I said"],
                "punchline_sentence": "it is",
                "context_embedding_indexes": [[0, 1, 2]],
                "punchline_embedding_indexes": [3, label],
            }
            for key, label in labels.items()
        },
        "word_embedding_list": generator.normal(size=(5, 6)).tolist(),
        "covarep_features_sdk": {key: parts(label, 4) for key, label in labels.items()},
        "openface_features_sdk": {key: parts(label, 3) for key, label in labels.items()},
    }
    for name, content in contents.items():
        (folder / f"{name}.pkl").write_bytes(pickle.dumps(content))
    return folder


def write_mintrec(folder):
    """The published tables, and features of clips by their names."""
    folder.mkdir()
    generator = np.random.default_rng(2)
    features = {"audio": {}, "video": {}}
    for name, rows in (("train", 28), ("dev", 8), ("test", 12)):
        lines = ["season\tepisode\tclip\ttext\tlabel"]
        for clip in range(rows):
            label = int(generator.integers(3))
            lines.append(f"S04\tE{len(name)}\t{clip}\tquite good\t{INTENTS[label]}")
            for modality, width in (("audio", 4), ("video", 3)):
                values = generator.normal(size=(3, width)) + 2 * label
                features[modality][f"S04_E{len(name)}_{clip}"] = values
        (folder / f"{name}.tsv").write_text("\n".join(lines) + "\n")
    for modality, content in features.items():
        (folder / f"{modality}_feats.pkl").write_bytes(pickle.dumps(content))
    return folder


@pytest.mark.slow
def test_intents_are_classes(tmp_path):
    data = write_mintrec(tmp_path / "mintrec")
    settings = SHORT | {"training.max_epochs": 4, "model.settings.text_rate": 1e-4}
    found, _ = run(
        tmp_path, "mintrec", data, ("concat",), text_model="minilm", seeds=1, settings=settings
    )
    assert found.dataset == "MIntRec"
    assert not any(one.failure for one in found.models)
    for one in found.models:
        assert one.text == "minilm trained along"
        assert set(one.scores) == {"accuracy", "f1", "precision", "recall", "f1_weighted"}
        report = load_run(tmp_path / "runs", one.run)
        assert report.model_config["classes"] == list(INTENTS)
        path = tmp_path / "runs" / one.run / "predictions.csv"
        scored = read_predictions(path, on="test", classes=INTENTS)
        share = accuracy_score(scored.target, scored.by_seed[0])
        assert one.scores["accuracy"].mean == pytest.approx(share)
    # told by audio and video: better than the largest class
    assert found.models[0].scores["accuracy"].mean > 0.6
    page = write_reproduction(found, tmp_path)[0].read_text()
    assert "| MAG-BERT | arXiv 2401.11818 (MInD), table 3 | 0.7265 | 0.6864 |" in page
    assert "| Text-classifier |" in page


def test_only_models_of_classes_are_taken_for_intents():
    with pytest.raises(ConfigError, match=r"lf_dnn predict a score.* choose .*mag_bert"):
        ReproductionPlan(collection="mintrec", models=("mind", "lf_dnn"))
    assert set(ReproductionPlan(collection="mintrec").chosen) == {
        *("mag_bert", "mult", "misa", "mind", "text_only")
    }


def test_settings_for_intents_are_those_that_are_published():
    plan = ReproductionPlan(collection="mintrec", text_model="minilm", seeds=1)
    dimensions = {"text": 1, "audio": 4, "vision": 3}
    for model in plan.chosen:
        config = plan.config(model, classes=INTENTS)
        settings = config.model.settings | {"text_model": None}
        built = build_model(model, settings, dimensions)
        assert built.config.classes == INTENTS
        assert find_preset(model, "mintrec").name == f"{model}_mintrec.yaml"
        assert config.training.batch_size == (32 if model == "mind" else 16)


def run(tmp_path, collection, data, models=("concat", "lf_dnn"), **changed):
    progress = []
    plan = ReproductionPlan(**{
        "collection": collection, "models": models, "seeds": 2, "settings": SHORT,
    } | changed)  # fmt: skip
    found = reproduce(
        plan,
        data,
        runs_folder=tmp_path / "runs",
        on_progress=lambda model, seed, record: progress.append((model, seed, record.epoch)),
    )
    return found, progress


@pytest.mark.parametrize(
    ("collection", "metrics", "published"),
    [
        ("mosi", {"mae", "accuracy_2_has0", "accuracy_7"}, "LF-DNN"),
        ("mosei", {"mae", "f1_non0", "correlation"}, "LF-DNN"),
        ("sims", {"mae", "accuracy_2", "accuracy_5", "f1"}, "LF-DNN"),
        ("urfunny", {"accuracy", "f1", "precision", "recall"}, "MISA"),
    ],
)
def test_every_data_set_has_its_own_metrics(tmp_path, collection, metrics, published):
    if collection == "urfunny":
        data = write_ur_funny(tmp_path / "urfunny")
    else:
        data = write_pickle(tmp_path / f"{collection}.pkl", collection)
    found, progress = run(tmp_path, collection, data)
    assert [one.model for one in found.models] == ["concat", "lf_dnn"]
    assert {len(one.scores) for one in found.models} != {0}
    assert not any(one.failure for one in found.models)
    assert found.utterances == {"train": 28, "valid": 8, "test": 12}
    assert len(progress) == 2 * 2 * 2
    for one in found.models:
        assert metrics <= set(one.scores)
        assert all(np.isfinite(one.scores[name].mean) for name in metrics)
        assert one.text == "stored features of 6 columns"
    preset = "" if collection == "urfunny" else f"lf_dnn_{collection}.yaml"
    assert [one.preset for one in found.models] == ["", preset]
    report = load_run(tmp_path / "runs", found.models[1].run)
    logistic = report.model_config["regression"] == "logistic"
    assert logistic == (collection == "urfunny")
    page = (tmp_path / "page").joinpath("reproduction.md")
    write_reproduction(found, page.parent)
    assert f"| {published} " in page.read_text().replace(" (above)", "")

    # what is finished is not done again
    again, progress = run(tmp_path, collection, data)
    assert progress == []
    assert reproduction_json(again) == reproduction_json(found)


def test_scores_are_those_of_the_runs(tmp_path):
    data = write_pickle(tmp_path / "mosi.pkl", "mosi")
    found, _ = run(tmp_path, "mosi", data, models=("concat",), selection="test_oracle")
    (one,) = found.models
    report = load_run(tmp_path / "runs", one.run)
    assert report.selection == found.selection == "test_oracle"
    by_seed = [seed.metrics["test"].mae for seed in report.seeds]
    assert one.scores["mae"].mean == pytest.approx(np.mean(by_seed))
    assert one.scores["mae"].sd == pytest.approx(np.std(by_seed, ddof=1))
    assert one.scores["mae"].interval == report.intervals["test"]["mae"]
    assert json.loads(reproduction_json(found))["models"][0]["run"] == one.run


def test_classes_that_an_earlier_version_scored_are_told(tmp_path):
    data = write_pickle(tmp_path / "urfunny.pkl", "urfunny")
    (one,) = run(tmp_path, "urfunny", data, ("concat",), seeds=1)[0].models
    report = load_run(tmp_path / "runs", one.run)
    former = replace(report, classes=(), collection={"two_classes": one.scores})
    former.save(tmp_path / "runs" / one.run / "report.json")
    found, progress = run(tmp_path, "urfunny", data, ("concat",), seeds=1)
    assert progress == []
    assert "its classes were scored by an earlier version" in found.models[0].failure


def test_a_model_that_cannot_be_trained_is_a_row(tmp_path):
    data = write_pickle(tmp_path / "mosi.pkl", "mosi")
    settings = SHORT | {"training.learning_rate": 1e30, "training.gradient_clip": None}
    found, _ = run(tmp_path, "mosi", data, ("concat",), settings=settings)
    assert found.models[0].failure
    assert found.models[0].scores == {}


def test_what_is_published_is_the_default():
    plan = ReproductionPlan(collection="mosi")
    assert {"mind", "misa", "mult", "tfn", "lmf", "self_mm"} <= set(plan.chosen)
    config = plan.config("mind")
    assert config.model.settings["width"] == 512
    assert config.model.settings["text_model"] is None
    assert config.training.seeds == (0, 1, 2, 3, 4)
    assert plan.config("concat").model.name == "concat"


def test_what_cannot_be_is_told_before_anything_is_trained(tmp_path):
    data = write_pickle(tmp_path / "mosi.pkl", "mosi")
    with pytest.raises(ConfigError, match="choose one of mosi"):
        ReproductionPlan(collection="iemocap")
    with pytest.raises(ConfigError, match=r"unknown models \['bert'\]"):
        ReproductionPlan(collection="mosi", models=("bert",))
    with pytest.raises(ConfigError, match="0 seeds"):
        ReproductionPlan(collection="mosi", seeds=0)
    with pytest.raises(ConfigError, match="nothing"):
        run(tmp_path, "mosi", data, settings={"training.nothing": 1})
    with pytest.raises(SourceError, match="no such file"):
        run(tmp_path, "mosi", tmp_path / "none.pkl")
    assert not (tmp_path / "runs").exists()


def test_a_file_without_text_features_names_the_way_out(tmp_path):
    folder = write_ur_funny(tmp_path / "urfunny")
    (folder / "language_sdk.pkl").unlink()
    with pytest.raises(DataError, match="--text-model"):
        run(tmp_path, "urfunny", folder)
