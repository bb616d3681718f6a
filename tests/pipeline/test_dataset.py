import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from extractors.sequence import FeatureSequence
from pipeline.dataset import PackedDataset
from pipeline.errors import DataError, StoreError
from pipeline.examples import Example
from pipeline.normalise import Normaliser

WIDTHS = {"text": 2, "audio": 3, "vision": 1}
# powers of two: standardising by them is exact
NORMALISER = Normaliser(
    mean={name: torch.full((width,), 0.5) for name, width in WIDTHS.items()},
    scale={name: torch.full((width,), 4.0) for name, width in WIDTHS.items()},
)


def sequence(values, valid):
    values = np.asarray(values, np.float32)
    start = np.arange(len(values)) / 10
    return FeatureSequence(
        values=values,
        times=np.stack([start, start + 0.1], 1),
        names=tuple(f"c{n}" for n in range(values.shape[1])),
        valid=np.asarray(valid, np.bool_),
    )


@st.composite
def examples(draw):
    made = []
    for number in range(draw(st.integers(1, 6))):
        features = {}
        for modality, width in WIDTHS.items():
            if draw(st.booleans()):
                rows = draw(st.integers(0, 5))
                valid = draw(st.lists(st.booleans(), min_size=rows, max_size=rows))
                generator = np.random.default_rng(draw(st.integers(0, 999)))
                features[modality] = sequence(generator.normal(size=(rows, width)), valid)
        label = draw(st.none() | st.integers(-12, 12).map(lambda n: n / 4))
        made.append(Example(id=f"s{number}", label=label, features=features))
    return made


def check_batch(batch, chosen):
    """Compare a batch with a plain loop over its utterances."""
    assert batch.has_target.tolist() == [e.label is not None for e in chosen]
    assert batch.target.tolist() == [e.label or 0.0 for e in chosen]
    for name, padded in batch.sequences.items():
        longest = max(len(e.features[name]) if name in e.features else 0 for e in chosen)
        assert padded.values.shape == (len(chosen), max(longest, 1), WIDTHS[name])
        for row, example in enumerate(chosen):
            given_rows = example.features.get(name)
            count = 0 if given_rows is None else len(given_rows)
            for step in range(padded.values.shape[1]):
                valid = step < count and bool(given_rows.valid[step])
                assert bool(padded.mask[row, step]) == valid
                expected = (given_rows.values[step] - 0.5) / 4 if valid else np.zeros(WIDTHS[name])
                assert padded.values[row, step].tolist() == pytest.approx(expected.tolist())


@given(examples(), st.data())
def test_a_batch_is_what_a_loop_would_gather(made, data):
    dataset = PackedDataset.pack(made, digest="d")
    index = data.draw(st.lists(st.integers(0, len(made) - 1), min_size=1, max_size=8))
    batch = dataset.batch(torch.tensor(index), NORMALISER)
    assert batch.index.tolist() == index
    assert set(batch.sequences) == {m for m in WIDTHS if any(m in e.features for e in made)}
    check_batch(batch, [made[i] for i in index])


@settings(max_examples=25)
@given(examples())
def test_a_stored_data_set_comes_back(tmp_path_factory, made):
    path = tmp_path_factory.mktemp("packed") / "data.safetensors"
    dataset = PackedDataset.pack(made, digest="what it was made from")
    dataset.save(path)
    back = PackedDataset.load(path)
    assert (back.ids, back.digest) == (dataset.ids, dataset.digest)
    torch.testing.assert_close(back.labels, dataset.labels, equal_nan=True, rtol=0, atol=0)
    assert list(back.modalities) == list(dataset.modalities)
    for name, ragged in dataset.modalities.items():
        assert back.modalities[name].names == ragged.names
        for field in ("values", "valid", "offsets"):
            assert torch.equal(getattr(back.modalities[name], field), getattr(ragged, field))
    check_batch(back.batch(torch.arange(len(made)), NORMALISER), made)


def test_saving_again_writes_the_same_bytes(tmp_path, dataset):
    dataset.save(tmp_path / "a")
    PackedDataset.load(tmp_path / "a").save(tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_an_utterance_without_a_face_is_masked_throughout():
    faceless = sequence([[1.0], [2.0]], [False, False])
    seen = sequence([[3.0]], [True])
    batch = PackedDataset.pack(
        [
            Example(id="a", label=1.0, features={"vision": faceless}),
            Example(id="b", label=1.0, features={"vision": seen}),
            Example(id="c", label=1.0, features={}),
        ],
        digest="d",
    ).batch(torch.arange(3), NORMALISER)
    assert batch.sequences["vision"].mask.tolist() == [[False, False], [True, False], [False] * 2]
    assert batch.sequences["vision"].values.ravel().tolist() == [0, 0, 0.625, 0, 0, 0]


def test_padding_is_zero_even_where_stored_rows_are_not_finite():
    ragged = PackedDataset.pack(
        [Example(id="a", label=0.0, features={"vision": sequence([[1.0], [2.0]], [True, False])})],
        digest="d",
    )
    ragged.modalities["vision"].values[1] = float("inf")
    values = ragged.batch(torch.tensor([0]), NORMALISER).sequences["vision"].values
    assert values.ravel().tolist() == [0.125, 0.0]


def test_a_label_of_zero_is_a_label():
    dataset = PackedDataset.pack(
        [Example(id="a", label=0.0, features={}), Example(id="b", label=None, features={})],
        digest="d",
    )
    batch = dataset.batch(torch.tensor([0, 1]), NORMALISER)
    assert batch.has_target.tolist() == [True, False]
    assert batch.target.tolist() == [0.0, 0.0]


def test_positions_follow_the_ids(dataset):
    assert dataset.positions(["u003", "u000"]).tolist() == [3, 0]
    assert dataset.positions([]).tolist() == []
    with pytest.raises(DataError, match=r"2 of 3 segments.*40 utterances.*'x'"):
        dataset.positions(["u000", "x", "y"])


def test_what_cannot_be_packed_is_named():
    one = Example(id="a", label=None, features={})
    with pytest.raises(DataError, match="no utterances"):
        PackedDataset.pack([], digest="d")
    with pytest.raises(DataError, match="two utterances have the id 'a'"):
        PackedDataset.pack([one, Example(id="b", label=1.0, features={}), one], digest="d")
    wide, narrow = (sequence(np.zeros((1, width)), [True]) for width in (3, 2))
    with pytest.raises(DataError, match="audio of utterance 'b' has 2 columns, others have 3"):
        PackedDataset.pack(
            [
                Example(id="a", label=None, features={"audio": wide}),
                Example(id="b", label=None, features={"audio": narrow}),
            ],
            digest="d",
        )
    swapped = replace(wide, names=("c1", "c0", "c2"))
    with pytest.raises(DataError, match="another order"):
        PackedDataset.pack(
            [
                Example(id="a", label=None, features={"audio": wide}),
                Example(id="b", label=None, features={"audio": swapped}),
            ],
            digest="d",
        )


def test_damage_is_named(tmp_path, dataset):
    path = tmp_path / "data.safetensors"
    dataset.save(path)
    whole = path.read_bytes()
    tensors = load_file(path)
    header = {"ids": dataset.ids, "digest": "d", "names": {"text": ["a"]}}
    for content in (b"", whole[:50], whole[:-1]):
        path.write_bytes(content)
        with pytest.raises(StoreError, match=str(path)):
            PackedDataset.load(path)
    for metadata in (
        None,
        {"winnow": "{"},
        {"winnow": "[]"},
        {"winnow": json.dumps({"names": {}})},
        {"winnow": json.dumps(header | {"names": {"smell": ["a"]}})},
        {"winnow": json.dumps(header | {"ids": None})},
    ):
        save_file(tensors, path, metadata=metadata)
        with pytest.raises(StoreError, match=str(path)):
            PackedDataset.load(path)
    path.unlink()
    with pytest.raises(StoreError, match=str(path)):
        PackedDataset.load(path)


def test_selecting_keeps_and_fills(dataset):
    found = dataset.select({"vision": ("other",), "text": ("a", "b")})
    assert list(found.modalities) == ["text", "vision"]
    assert found.modalities["text"] is dataset.modalities["text"]
    only = PackedDataset.pack([Example(id="a", label=1.0, features={})], digest="d")
    filled = only.select({"audio": ("a", "b", "c")})
    assert filled.dimensions == {"audio": 3}
    padded = filled.batch(torch.tensor([0, 0]), NORMALISER).sequences["audio"]
    assert padded.values.shape == (2, 1, 3)
    assert not padded.mask.any()


def test_moving_keeps_everything(dataset):
    moved = dataset.to("cpu")
    assert (moved.ids, moved.digest, len(moved)) == (dataset.ids, dataset.digest, 40)
    assert moved.dimensions == dataset.dimensions == {"text": 6, "audio": 4, "vision": 3}


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_gathers_the_same(dataset):
    normaliser = Normaliser.fit({n: r.values for n, r in dataset.modalities.items()})
    index = torch.tensor([3, 1, 22])
    here = dataset.batch(index, normaliser)
    there = dataset.to("cuda").batch(index.cuda(), normaliser)
    assert there.target.is_cuda
    for name, padded in here.sequences.items():
        torch.testing.assert_close(there.sequences[name].values.cpu(), padded.values)
        assert torch.equal(there.sequences[name].mask.cpu(), padded.mask)


def test_word_pieces_become_token_ids():
    def tokens(*ids):
        return replace(sequence([[i] for i in ids], [True] * len(ids)), names=("token_id",))

    made = [
        Example(id="a", label=1.0, features={"text": tokens(101, 2**24 - 1)}),
        Example(id="b", label=None, features={"audio": sequence([[1.0, 2, 3]], [True])}),
        Example(id="c", label=None, features={"text": tokens(7, 8, 9)}),
    ]
    packed = PackedDataset.pack(made, "d")
    batch = packed.batch(torch.tensor([2, 0, 1]), NORMALISER)
    assert batch.token_ids.dtype == torch.int64
    assert batch.token_ids.tolist() == [[7, 8, 9], [101, 2**24 - 1, 0], [0, 0, 0]]
    assert set(batch.sequences) == {"audio"}


def test_other_text_is_no_word_pieces():
    made = [Example(id="a", label=1.0, features={"text": sequence([[1.0, 2.0]], [True])})]
    batch = PackedDataset.pack(made, "d").batch(torch.tensor([0]), NORMALISER)
    assert batch.token_ids is None
    assert "text" in batch.sequences
