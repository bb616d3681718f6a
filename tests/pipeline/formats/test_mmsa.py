"""Files are made with pickle and numpy, as MMSA's own are, and read back with pickle."""

import pickle
import warnings

import numpy as np
import pytest

from pipeline.errors import DataError, SourceError
from pipeline.formats.mmsa import Mmsa
from pipeline.formats.utterance import Utterance, rows_of

SHAPES = {"text": (5, 4), "audio": (7, 3), "vision": (6, 2)}


def part(count=3, *, seed=0, aligned=False):
    rng = np.random.default_rng(seed)
    lengths = {m: rng.integers(1, t + 1, count) for m, (t, _) in SHAPES.items()}
    data = {
        "raw_text": [f"word {seed} {i}" for i in range(count)],
        "id": [f"vid{seed}$_${i}" for i in range(count)],
        "annotations": ["Positive"] * count,
        "regression_labels": rng.uniform(-3, 3, count),
        "text_bert": np.zeros((count, 3, 5)),
    }
    for modality, (longest, width) in SHAPES.items():
        values = rng.normal(size=(count, longest, width))
        values[np.arange(longest) >= lengths[modality][:, None]] = 0
        data[modality] = values
        if modality != "text" and not aligned:
            data[f"{modality}_lengths"] = lengths[modality].tolist()
    data["text_bert"][:, 0] = rng.integers(100, 30000, (count, 5))
    data["text_bert"][:, 1] = np.arange(5) < lengths["text"][:, None]
    return data, lengths


@pytest.fixture
def save(tmp_path):
    def save(content, protocol=4):
        path = tmp_path / "unaligned.pkl"
        path.write_bytes(pickle.dumps(content, protocol))
        return path

    return save


@pytest.fixture
def content():
    return {name: part(seed=i)[0] for i, name in enumerate(("train", "valid", "test"))}


def unpickle(path):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "numpy.core", DeprecationWarning)
        return pickle.loads(path.read_bytes())


@pytest.mark.parametrize("aligned", [False, True])
def test_rows_without_padding(save, aligned):
    data, lengths = part(20, aligned=aligned)
    for i, utterance in enumerate(Mmsa().read(save({"train": data}))):
        assert utterance.id == data["id"][i]
        assert (utterance.video, utterance.clip, utterance.split) == ("vid0", str(i), "train")
        assert utterance.label == pytest.approx(data["regression_labels"][i])
        assert utterance.text == data["raw_text"][i]
        for modality, sequence in utterance.features.items():
            length = lengths[modality][i]
            expected = data[modality][i, :length].astype(np.float32)
            np.testing.assert_array_equal(sequence.values, expected)
        np.testing.assert_array_equal(
            utterance.tokens, data["text_bert"][i, :, : lengths["text"][i]]
        )


def test_all_splits_in_order(save, content):
    found = list(Mmsa().read(save(content)))
    assert [u.split for u in found] == ["train"] * 3 + ["valid"] * 3 + ["test"] * 3


def test_minus_infinity_is_0_and_rows_of_0_are_no_measurement(save, content):
    content["train"]["audio_lengths"] = [7, 7, 7]
    content["train"]["audio"][0, :] = 1
    content["train"]["audio"][0, 2] = -np.inf
    content["train"]["audio"][0, 3] = [np.nan, 2, 3]
    audio = next(Mmsa().read(save(content))).features["audio"]
    np.testing.assert_array_equal(audio.values[2:4], [[0, 0, 0], [0, 2, 3]])
    assert audio.valid.tolist() == [True, True, False, True, True, True, True]


def test_labels_of_modalities_and_lists_of_numbers(save, content):
    content["train"]["regression_labels"] = [np.float32(0.5), -1, 0.25]
    content["train"]["regression_labels_A"] = np.array([0.1, 0.2, 0.3])
    found = list(Mmsa().read(save({"train": content["train"]})))
    assert [u.label for u in found] == [0.5, -1.0, 0.25]
    assert [u.modality_labels for u in found] == [{"audio": 0.1}, {"audio": 0.2}, {"audio": 0.3}]


def test_the_form_of_mult(save):
    data, _ = part()
    mult = {m: data[m] for m in SHAPES}
    mult |= {"labels": np.array([1.0, 2.0, 3.0]).reshape(3, 1, 1)}
    mult |= {"id": np.array([["v", "0", "1"], ["v", "1", "2"], ["w", "0", "1"]])}
    found = list(Mmsa().read(save({"test": mult})))
    assert [(u.id, u.label) for u in found] == [("v$_$0", 1.0), ("v$_$1", 2.0), ("w$_$0", 3.0)]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("audio", np.zeros((3, 7)), r"'valid' > 'audio': an array of shape \(3, 7\)"),
        ("audio", np.zeros((2, 7, 3)), r"'valid' > 'audio': an array of shape \(2, 7, 3\)"),
        ("audio", [1, 2, 3], "'valid' > 'audio': a list of 3"),
        ("regression_labels", [1.0, np.inf, 2.0], "'regression_labels': an array"),
        ("regression_labels", np.zeros(4), r"'regression_labels': an array of shape \(4,\)"),
        ("regression_labels", ["a", "b", "c"], "'regression_labels': a list of 3"),
        ("regression_labels", None, r"'regression_labels': the key is missing.*\(3, 7, 3\)"),
        ("id", None, r"'id': the key is missing.*'audio': an array of shape \(3, 7, 3\)"),
        ("id", ["a", "a", "b"], "'id': two utterances"),
        ("raw_text", ["a"], "'raw_text': a list of 1"),
        ("audio_lengths", [1, 2, 8], r"'audio_lengths': lengths from 1 to 8.*\(3, 7, 3\)"),
        ("audio_lengths", [-1, 2, 3], "'audio_lengths': lengths from -1"),
        ("text_bert", np.zeros((3, 2, 5)), r"'text_bert': shape \(3, 2, 5\)"),
        ("vision", np.zeros((3, 0, 200_000)), r"\(3, 0, 200000\)"),
    ],
)
def test_an_error_names_file_key_and_shape(save, content, key, value, message):
    content["valid"][key] = value
    if value is None:
        del content["valid"][key]
    with pytest.raises((SourceError), match=rf"unaligned\.pkl.*{message}"):
        list(Mmsa().read(save(content)))


@pytest.mark.parametrize("content", [[1], {"a": 1}, {"train": [1]}, "text", 3])
def test_another_pickle_is_told(save, content):
    with pytest.raises(SourceError, match=r"unaligned\.pkl"):
        list(Mmsa().read(save(content)))


def utterance(number, *, split="train", label=1.0, **features):
    return Utterance(
        video=f"v{number}",
        clip="1",
        split=split,
        label=label,
        text=f"größer {number}",
        features={m: rows_of(np.array(v, np.float32), modality=m) for m, v in features.items()},
    )


def test_what_is_written_is_what_mmsa_reads(tmp_path):
    path = tmp_path / "ours.pkl"
    written = [
        utterance(1, label=-0.5, text=[[1, 2]], audio=[[1], [2], [3]], vision=[[4]]),
        utterance(2, split="test", label=0.0, text=[[3, 4], [5, 6]], audio=[[7]], vision=[[8]]),
        utterance(3, label=2.0, text=[[7, 8]], audio=[[9]]),
        utterance(4, split="valid", text=[[7, 8]], audio=[[9]]),
    ]
    Mmsa().write(path, written)
    data = unpickle(path)
    assert list(data) == ["train", "valid", "test"]
    train = data["train"]
    assert train["id"] == ["v1$_$1", "v3$_$1"]
    assert train["raw_text"] == ["größer 1", "größer 3"]
    assert train["annotations"] == ["Negative", "Positive"]
    assert data["test"]["annotations"] == ["Neutral"]
    np.testing.assert_array_equal(train["classification_labels"], [0, 2])
    np.testing.assert_array_equal(train["regression_labels"], np.float32([-0.5, 2]))
    assert (train["audio_lengths"], train["vision_lengths"]) == ([3, 1], [1, 1])
    np.testing.assert_array_equal(train["audio"], [[[1], [2], [3]], [[9], [0], [0]]])
    np.testing.assert_array_equal(train["vision"], [[[4]], [[0]]])
    np.testing.assert_array_equal(data["test"]["text"], [[[3, 4], [5, 6]]])
    assert all(data[s][m].dtype == np.float32 for s in data for m in SHAPES)


def test_labels_of_modalities_and_tokens_are_written(tmp_path, save, content):
    for data in content.values():
        for letter in "TAV":
            data[f"regression_labels_{letter}"] = np.linspace(-1, 1, 3)
    path = tmp_path / "ours.pkl"
    Mmsa().write(path, list(Mmsa().read(save(content))))
    for split, data in unpickle(path).items():
        for key in ("regression_labels_T", "regression_labels_A", "regression_labels_V"):
            np.testing.assert_array_equal(data[key], content[split][key].astype(np.float32))
        mask = content[split]["text_bert"][:, 1:2] == 1
        longest = data["text_bert"].shape[2]
        expected = np.where(mask, content[split]["text_bert"], 0)[..., :longest]
        np.testing.assert_array_equal(data["text_bert"], expected)


@pytest.mark.parametrize(
    "wrong",
    [
        [utterance(1, split=None)],
        [utterance(1, label=None)],
        [utterance(1), utterance(1)],
        [utterance(1, audio=[[1]]), utterance(2, audio=[[1, 2]])],
        [],
    ],
)
def test_what_mmsa_cannot_hold_is_refused_and_nothing_is_written(tmp_path, wrong):
    with pytest.raises(DataError):
        Mmsa().write(tmp_path / "ours.pkl", wrong)
    assert list(tmp_path.iterdir()) == []


def test_padding_takes_no_room_on_disk(tmp_path):
    path = tmp_path / "ours.pkl"
    rows = rows_of(np.ones((20000, 74), np.float32), modality="audio")
    many = [Utterance(video=str(i), split="train", label=0.0, features={}) for i in range(30)]
    many.append(Utterance(video="x", split="train", label=0.0, features={"audio": rows}))
    Mmsa().write(path, many)
    size = path.stat()
    assert size.st_size > 31 * rows.values.nbytes
    assert size.st_blocks * 512 < 2 * rows.values.nbytes
