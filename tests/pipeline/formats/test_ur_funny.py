import json
import pickle

import numpy as np
import pytest

from pipeline.errors import SourceError
from pipeline.formats.ur_funny import UrFunny

KEYS = ("context_features", "punchline_features")


def save(path, **tables):
    for name, content in tables.items():
        (path / f"{name}.pkl").unlink(missing_ok=True)
        (path / f"{name}.pkl").write_bytes(pickle.dumps(content))
    return path


@pytest.fixture
def folder(tmp_path):
    audio = {"context_features": [[[1, 2]], []], "punchline_features": [[3, float("nan")], [0, 0]]}
    return save(
        tmp_path,
        humor_label_sdk={5: 1, 6: 0},
        data_folds={"train": [5], "dev": np.array([6]), "test": []},
        covarep_features_sdk={5: audio},
        openface_features_sdk={6: {"context_features": [], "punchline_features": np.eye(3)}},
    )


def test_context_and_punchline_are_one_sequence(folder):
    funny, other = UrFunny().read(folder)
    assert (funny.id, funny.label, funny.split) == ("5", 1.0, "train")
    assert (other.id, other.label, other.split) == ("6", 0.0, "valid")
    audio = funny.features["audio"]
    np.testing.assert_array_equal(audio.values, [[1, 2], [3, 0], [0, 0]])
    assert audio.valid.tolist() == [True, True, False]
    assert list(other.features) == ["vision"]


def test_words_are_vectors_and_text(folder):
    language = {
        "punchline_sentence": ["it", "is"],
        "context_sentences": ["so what", ["yes"]],
        "punchline_embedding_indexes": [2, 0],
        "context_embedding_indexes": [[1], [0]],
    }
    vectors = [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]
    save(folder, language_sdk={5: language}, word_embedding_list=vectors)
    funny, other = UrFunny().read(folder)
    assert (funny.text, other.text) == ("so what yes it is", "")
    np.testing.assert_array_equal(funny.features["text"].values, [[2, 3], [0, 1], [4, 5], [0, 1]])
    language["punchline_embedding_indexes"] = [3]
    save(folder, language_sdk={5: language})
    with pytest.raises(SourceError, match=r"language_sdk\.pkl, key 5"):
        list(UrFunny().read(folder))


SHARED = [1.0] * 1000


@pytest.mark.parametrize(
    "punchline",
    [
        [[1, 2], [3]],
        [[1, "a"]],
        [[[1]]],
        [1, 2],
        np.zeros((2, 2, 2)),
        "text",
        None,
        [[1, 2, 3]],
        [SHARED] * 20_000,
    ],
)
def test_rows_that_are_no_table_are_named(folder, punchline):
    table = {5: {"context_features": [[[1, 2]]], "punchline_features": punchline}}
    save(folder, covarep_features_sdk=table)
    with pytest.raises(SourceError, match=r"covarep_features_sdk\.pkl, key 5"):
        list(UrFunny().read(folder))


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"humor_label_sdk": {5: 2}}, "key 5: label 2"),
        ({"humor_label_sdk": [1]}, "humor_label_sdk.pkl: is a list"),
        ({"data_folds": {"train": []}}, "data_folds.pkl, key 'dev'"),
        ({"covarep_features_sdk": {5: [1]}}, "key 5: is a list"),
    ],
)
def test_other_contents_are_told(folder, tables, message):
    with pytest.raises(SourceError, match=message):
        list(UrFunny().read(save(folder, **tables)))


@pytest.mark.parametrize("content", ["[1]", "{", '{"1": 3}', '{"1": "a"}'])
def test_labels_as_json_that_are_none(tmp_path, content):
    (tmp_path / "humor_label.json").write_text(content)
    with pytest.raises(SourceError, match=r"humor_label\.json"):
        list(UrFunny().read(tmp_path / "humor_label.json"))


def test_real_labels(reference):
    path = reference / "datasets" / "urfunny" / "humor_label_v2.json"
    found = {one.id: one.label for one in UrFunny().read(path)}
    assert found == json.loads(path.read_text())
    assert len(found) == 10166
