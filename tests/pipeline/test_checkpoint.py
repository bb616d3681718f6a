import json
from dataclasses import replace

import pytest
import torch

from models.mind_config import MInDConfig
from pipeline.checkpoint import (
    build_model,
    load_checkpoint,
    plain_model_config,
    read_tensors,
    save_checkpoint,
    write_tensors,
)
from pipeline.dataset_statistics import fit_normaliser
from pipeline.errors import ConfigError, DataError, StoreError
from pipeline.evaluation import predict

SMALL = {"width": 8, "layers": 1, "heads": 2, "statistics_width": 8, "decoder_width": 8}


def names_of(dataset):
    return {name: ragged.names for name, ragged in dataset.modalities.items()}


@pytest.fixture
def saved(tmp_path, dataset):
    """A real MInD on disk, with the dataset's statistics; returns path, model and normaliser."""
    model = build_model("mind", SMALL, dataset.dimensions).eval()
    normaliser = fit_normaliser(dataset, torch.arange(len(dataset)))
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, model=model, normaliser=normaliser, names=names_of(dataset))
    return path, model, normaliser


def test_a_loaded_model_predicts_the_same_bits(saved, dataset):
    path, model, normaliser = saved
    index = torch.arange(len(dataset))
    before = predict(model=model, normaliser=normaliser, dataset=dataset, index=index)
    loaded = load_checkpoint(path)
    after = predict(model=loaded.model, normaliser=loaded.normaliser, dataset=dataset, index=index)
    assert torch.equal(before, after)
    assert before.std() > 0
    assert not loaded.model.training
    assert loaded.model.config == MInDConfig(**SMALL)
    assert loaded.names == names_of(dataset)


def test_the_file_names_no_module_and_is_no_pickle(saved):
    path, *_ = saved
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    stored = json.loads(header["__metadata__"]["winnow"])
    assert stored["model"] == "mind"
    assert stored["dimensions"] == {"text": 6, "audio": 4, "vision": 3}
    for module in (b"models.", b"pipeline", b"MInD", b"torch"):
        assert module not in content[: 8 + size]
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_damage_is_named(saved):
    path, *_ = saved
    whole = path.read_bytes()
    for content in (b"", whole[:100], whole[:-1], b"\x80\x04" + whole):
        path.write_bytes(content)
        with pytest.raises(StoreError, match=str(path)):
            load_checkpoint(path)
    path.unlink()
    with pytest.raises(StoreError, match=str(path)):
        load_checkpoint(path)


@pytest.mark.parametrize(
    "change",
    [
        {"format": 99},
        {"model": "gone"},
        {"config": {"no such": 1}},
        {"dimensions": {"text": 5}},
        {"dimensions": None},
        {"names": None},
    ],
)
def test_a_header_that_does_not_fit_is_named(saved, change):
    path, *_ = saved
    tensors, header = read_tensors(path)
    write_tensors(path, tensors, header | change)
    with pytest.raises(StoreError, match=str(path)):
        load_checkpoint(path)


def test_other_columns_are_refused(saved, dataset):
    path, *_ = saved
    audio = dataset.modalities["audio"]
    renamed = replace(audio, names=("pitch", *audio.names[1:]))
    other = replace(dataset, modalities=dataset.modalities | {"audio": renamed})
    with pytest.raises(DataError, match=r"audio: .*c0, c1, c2.*pitch, c1, c2"):
        load_checkpoint(path).fit(other)


def test_a_modality_that_new_data_lacks_is_missing_everywhere(saved, dataset):
    path, *_ = saved
    checkpoint = load_checkpoint(path)
    fewer = replace(
        dataset, modalities={name: dataset.modalities[name] for name in ("text", "audio")}
    )
    fitted = checkpoint.fit(fewer)
    batch = fitted.batch(torch.arange(3), checkpoint.normaliser)
    assert list(batch.sequences) == ["text", "audio", "vision"]
    assert not batch.sequences["vision"].mask.any()
    scores = predict(
        model=checkpoint.model,
        normaliser=checkpoint.normaliser,
        dataset=fitted,
        index=torch.arange(3),
    )
    assert torch.isfinite(scores).all()


def test_nothing_in_common_is_refused(tmp_path, dataset):
    only = {"text": dataset.modalities["text"]}
    model = build_model("mind", SMALL, {"text": 6})
    normaliser = fit_normaliser(dataset, torch.arange(len(dataset)))
    path = tmp_path / "text.safetensors"
    save_checkpoint(path, model=model, normaliser=normaliser, names=names_of(dataset))
    checkpoint = load_checkpoint(path)
    assert list(checkpoint.fit(dataset).modalities) == ["text"]
    rest = {name: r for name, r in dataset.modalities.items() if name not in only}
    with pytest.raises(DataError, match=r"\['text'\].*\['audio', 'vision'\]"):
        checkpoint.fit(replace(dataset, modalities=rest))


def test_a_plain_configuration_has_every_default():
    whole = plain_model_config("mind", {})
    assert whole == plain_model_config("mind", MInDConfig())
    assert whole["info_weight"] == MInDConfig().info_weight
    assert json.loads(json.dumps(whole)) == whole
    assert plain_model_config("mind", {"layers": 2}) == whole | {"layers": 2}


@pytest.mark.parametrize(
    ("name", "config", "named"),
    [
        ("nope", {}, "nope.*mind"),
        ("mind", {"widht": 3}, "widht"),
        ("mind", {"width": "wide"}, "width"),
        ("mind", {"fusion_width": 3}, "fusion_width must be even"),
    ],
)
def test_a_wrong_configuration_is_named(name, config, named):
    with pytest.raises(ConfigError, match=named):
        plain_model_config(name, config)


def test_a_model_for_no_modality_is_refused():
    with pytest.raises(ConfigError, match="'mind' cannot be built"):
        build_model("mind", {}, {})


def test_tensors_that_share_memory_are_written_one_by_one(tmp_path):
    whole = torch.arange(6.0)
    write_tensors(tmp_path / "t", {"a": whole, "b": whole, "c": whole[::2]}, {"x": [1, None]})
    tensors, header = read_tensors(tmp_path / "t")
    assert header == {"x": [1, None]}
    assert tensors["b"].tolist() == whole.tolist()
    assert tensors["c"].tolist() == [0, 2, 4]
