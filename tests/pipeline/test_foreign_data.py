import numpy as np
import pytest

from pipeline.errors import SourceError
from pipeline.foreign_data import load_foreign
from pipeline.formats.mmsa_writing import write_mmsa
from pipeline.formats.utterance import Utterance, rows_of


def utterances(generator):
    for number, split in enumerate(["train", "train", "valid", "test"]):
        widths = {"text": 5, "audio": 3, "vision": 2}
        yield Utterance(
            video=f"v{number // 2}",
            clip=str(number),
            split=split,
            label=number - 1.0,
            text="quite good",
            features={
                name: rows_of(generator.normal(size=(4, width)), modality=name)
                for name, width in widths.items()
            },
        )


@pytest.fixture
def file(tmp_path):
    generator = np.random.default_rng(0)
    write_mmsa(tmp_path / "a.pkl", list(utterances(generator)))
    return tmp_path / "a.pkl"


def test_it_is_packed_with_its_own_split(file):
    dataset, split = load_foreign(file)
    assert dataset.dimensions == {"text": 5, "audio": 3, "vision": 2}
    assert (split.train, split.valid, split.test) == (
        dataset.ids[:2],
        dataset.ids[2:3],
        ("v1$_$3",),
    )
    assert dataset.labels.tolist() == [-1.0, 0.0, 1.0, 2.0]


def test_it_is_named_by_its_contents(file, tmp_path):
    first, _ = load_foreign(file)
    again, _ = load_foreign(file)
    tokens, _ = load_foreign(file, text_model="minilm")
    write_mmsa(tmp_path / "b.pkl", list(utterances(np.random.default_rng(1))))
    other, _ = load_foreign(tmp_path / "b.pkl")
    assert first.digest == again.digest
    assert len({first.digest, tokens.digest, other.digest}) == 3
    assert tokens.modalities["text"].names == ("token_id",)


def test_what_is_not_there_is_told(tmp_path):
    with pytest.raises(SourceError, match="none"):
        load_foreign(tmp_path / "none.pkl", format_name="mmsa")
