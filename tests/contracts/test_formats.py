"""What every registered format promises; a new format needs a sample here."""

import os
import pickle
import shutil

import h5py
import numpy as np
import pytest

from pipeline.errors import ConfigError, SourceError
from pipeline.formats.base import available, get, recognise
from pipeline.splits import SPLIT_NAMES

rng = np.random.default_rng(0)


def dump(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(content))


def mmsa(root):
    def part(name):
        return {
            "id": [f"{name}$_${i}" for i in range(3)],
            "raw_text": ["a", "b", "c"],
            "regression_labels": np.array([-1.0, 0.5, 2.0]),
            "text": rng.normal(size=(3, 4, 5)),
            "audio": rng.normal(size=(3, 6, 2)),
            "vision": rng.normal(size=(3, 5, 3)),
            "audio_lengths": [6, 2, 1],
            "vision_lengths": [1, 5, 3],
        }

    dump(root / "unaligned.pkl", {split: part(split) for split in SPLIT_NAMES})
    return root / "unaligned.pkl"


def csd(root):
    root.mkdir(parents=True, exist_ok=True)
    videos = ("03bSnISJMiM", "5W7Z1C_fDaE")
    with h5py.File(root / "CMU_MOSI_COVAREP.csd", "w") as file:
        for video in videos:
            file[f"COVAREP/data/{video}/features"] = rng.normal(size=(40, 3))
            spans = np.stack([np.arange(40) / 10, np.arange(1, 41) / 10], axis=1)
            file[f"COVAREP/data/{video}/intervals"] = spans
    with h5py.File(root / "labels.csd", "w") as file:
        for video in videos:
            file[f"labels/data/{video}/features"] = [[1.5], [-2.0]]
            file[f"labels/data/{video}/intervals"] = [[0.0, 1.5], [2.0, 4.0]]
    with h5py.File(root / "words.csd", "w") as file:
        for video in videos:
            file[f"words/data/{video}/features"] = [[b"good"], [b"sp"], [b"film"]]
            file[f"words/data/{video}/intervals"] = [[0.1, 0.5], [0.5, 2.1], [2.1, 3.0]]
    return root


def urfunny(root):
    rows = [[0.5] * 3, [1.0] * 3]
    entry = {"punchline_features": rows, "context_features": [rows, rows[:1]]}
    said = {
        "punchline_sentence": "so funny",
        "context_sentences": ["one two", "three"],
        "punchline_embedding_indexes": [0, 1],
        "context_embedding_indexes": [[1, 1], [0]],
    }
    dump(root / "data_folds.pkl", {"train": [1], "dev": [2], "test": [7]})
    dump(root / "humor_label_sdk.pkl", {1: 1, 2: 0, 7: 1})
    dump(root / "language_sdk.pkl", dict.fromkeys((1, 2, 7), said))
    dump(root / "word_embedding_list.pkl", [[0.1, 0.2], [0.3, 0.4]])
    dump(root / "covarep_features_sdk.pkl", dict.fromkeys((1, 2, 7), entry))
    return root


def sims(root):
    root.mkdir(parents=True, exist_ok=True)
    lines = [
        "video_id,clip_id,text,label,label_T,label_A,label_V,annotation,mode",
        '0001,0003,"你好, 世界",-0.4,-0.2,0.0,-0.6,Negative,train',
        "0001,0004,,0.6,1.0,0.2,0.4,Positive,valid",
    ]
    (root / "label.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


def mintrec(root):
    root.mkdir(parents=True, exist_ok=True)
    head = "season\tepisode\tclip\ttext\tlabel\n"
    for number, name in enumerate(("train", "dev", "test")):
        row = f'S05\tE16\t{number}\tsay "hello, you.\tGreet\n'
        (root / f"{name}.tsv").write_text(head + row, encoding="utf-8")
    return root


def folder(root):
    root.mkdir(parents=True, exist_ok=True)
    lines = "video,label,split,text\ntalk/1,1.5,train,so good\ntalk/2,-1,test,\nother,,,x\n"
    (root / "labels.csv").write_text(lines, encoding="utf-8")
    for name in ("audio/talk/1", "vision/talk/1", "audio/talk/2"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        np.save(root / f"{name}.npy", rng.normal(size=(4, 3)).astype(np.float32))
    return root


def table(root):
    root.mkdir(parents=True, exist_ok=True)
    lines = ["id,split,label,english", "talk_1,train,0.5,so good", "talk_2,valid,-1,no"]
    (root / "data.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root / "data.csv"


SAMPLES = {
    "mmsa": mmsa,
    "csd": csd,
    "urfunny": urfunny,
    "sims": sims,
    "mintrec": mintrec,
    "folder": folder,
    "table": table,
}


def without(path, key):
    """Take a key out of a sample's file."""
    if path.suffix == ".pkl":
        content = pickle.loads(path.read_bytes())
        parts = content.values() if key not in content else [content]
        for part in parts:
            part.pop(key, None)
        dump(path, content)
    elif path.suffix == ".csd":
        with h5py.File(path, "r+") as file:
            for root in file.values():
                for entry in root["data"].values():
                    del entry[key]
    else:
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace(key, "other", 1), encoding="utf-8")


# Format to file, key, and what the message says of it besides the file.
MISSING = {
    "mmsa": ("unaligned.pkl", "id", r"'train' > 'id'.*shape \(3, 6, 2\)"),
    "csd": ("CMU_MOSI_COVAREP.csd", "intervals", "COVAREP/data/03bSnISJMiM/intervals"),
    "urfunny": ("covarep_features_sdk.pkl", "punchline_features", "key 1 > 'punchline_features'"),
    "sims": ("label.csv", "clip_id", "clip_id"),
    "mintrec": ("dev.tsv", "episode", "episode"),
    "folder": ("labels.csv", "label", "label"),
    "table": ("data.csv", "label", "label"),
}

pytestmark = pytest.mark.parametrize("name", available())


@pytest.fixture
def sample(name, tmp_path):
    return SAMPLES[name](tmp_path / "sample")


def files(sample):
    return [sample] if sample.is_file() else sorted(p for p in sample.rglob("*") if p.is_file())


def read(name, path):
    return list(get(name).read(path))


def test_it_is_recognised_by_its_names(name, sample):
    assert recognise(sample).name == name


def test_utterances_are_named_once_and_whole(name, sample):
    found = read(name, sample)
    assert len(found) >= 2
    assert len({one.id for one in found}) == len(found)
    for one in found:
        assert one.split in (*SPLIT_NAMES, None)
        assert one.label is None or np.isfinite(one.label)
        for sequence in one.features.values():
            assert sequence.values.dtype == np.float32
            assert len(sequence) > 0


def test_reading_twice_gives_the_same(name, sample):
    assert_equal(read(name, sample), read(name, sample))


def test_a_cut_file_is_told(name, sample):
    for path in files(sample):
        whole = path.read_bytes()
        cuts = [0, 9] + [len(whole) // 2, len(whole) - 3] * (path.suffix not in (".csv", ".tsv"))
        for cut in cuts:
            # a new file, as the old one may be mapped
            path.unlink()
            path.write_bytes(whole[:cut])
            with pytest.raises(SourceError) as told:
                read(name, sample)
            assert path.name in str(told.value)
        path.unlink()
        path.write_bytes(whole)
    assert read(name, sample)


class Touch:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.system, (f"touch {self.target}",)


def test_a_hostile_file_is_refused_and_not_run(name, sample, tmp_path):
    target = tmp_path / "was_run"
    for path in files(sample):
        whole = path.read_bytes()
        path.unlink()
        if path.suffix == ".npy":
            np.save(path, np.array([Touch(target)], dtype=object), allow_pickle=True)
        else:
            dump(path, {"train": {"id": [Touch(target)]}})
        with pytest.raises(SourceError) as told:
            read(name, sample)
        assert path.name in str(told.value)
        assert not target.exists()
        path.unlink()
        path.write_bytes(whole)


def test_a_missing_key_is_named(name, sample):
    file, key, message = MISSING[name]
    path = sample if sample.is_file() else sample / file
    without(path, key)
    with pytest.raises(SourceError, match=message) as told:
        read(name, sample)
    assert file in str(told.value)


def test_nothing_there_is_told(name, sample):
    gone = sample.parent / "gone"
    shutil.move(sample, gone)
    with pytest.raises(SourceError, match="sample"):
        read(name, sample)


def test_what_is_written_is_read_again(name, sample, tmp_path):
    found, target = read(name, sample), tmp_path / f"written{sample.suffix}"
    writer = get(name)
    if not writer.writes:
        with pytest.raises(ConfigError, match="is read, not written"):
            writer.write(target, found)
        return
    writer.write(target, found)
    assert_equal(read(name, target), found)
    assert not list(tmp_path.rglob("*.part"))


def assert_equal(found, expected):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        for field in ("id", "split", "label", "text", "words", "start", "end", "category"):
            assert getattr(one, field) == getattr(other, field), field
        assert one.features.keys() == other.features.keys()
        for modality, sequence in one.features.items():
            np.testing.assert_array_equal(sequence.values, other.features[modality].values)
            np.testing.assert_array_equal(sequence.times, other.features[modality].times)
