import json

import pytest

from extractors.errors import MissingModelError
from extractors.whisper_loading import load_whisper
from tests.extractors.tiny_whisper import SPECIAL, make_model, make_tokenizer, save


@pytest.fixture
def untaught(tmp_path):
    tokenizer = make_tokenizer()
    return save(tmp_path / "tiny", model=make_model(tokenizer), tokenizer=tokenizer)


def test_special_tokens_that_the_settings_lack_come_from_the_vocabulary(untaught):
    (untaught / "generation_config.json").unlink()
    loaded = load_whisper(model=str(untaught))
    ids = dict(zip(SPECIAL, make_tokenizer().convert_tokens_to_ids(list(SPECIAL)), strict=True))
    settings = loaded.model.generation_config
    assert settings.lang_to_id == {t: ids[t] for t in ("<|de|>", "<|en|>", "<|zh|>")}
    assert settings.task_to_id["transcribe"] == ids["<|transcribe|>"]
    assert settings.no_timestamps_token_id == ids["<|notimestamps|>"]
    assert settings.is_multilingual


def test_what_the_settings_say_stays(untaught):
    file = untaught / "generation_config.json"
    said = {"lang_to_id": {"<|de|>": 278}, "forced_decoder_ids": [[1, None]], "max_length": 12}
    file.write_text(json.dumps(json.loads(file.read_text()) | said))
    settings = load_whisper(model=str(untaught)).model.generation_config
    assert settings.lang_to_id == {"<|de|>": 278}
    assert settings.forced_decoder_ids is None
    assert settings.max_length is None


def test_loading_is_quiet(untaught, capfd):
    load_whisper(model=str(untaught))
    printed = capfd.readouterr()
    assert printed.out + printed.err == ""


@pytest.mark.parametrize("model", ["nobody/nothing-here", "not a name!", "/no/such/folder"])
def test_an_absent_model_names_three_ways_out(model):
    with pytest.raises(MissingModelError, match="neither a folder nor a model in the loc") as found:
        load_whisper(model=model)
    assert found.value.code == "no_transcript"
    for way in ("put a transcript", "folder of a Whisper model", "allow its download"):
        assert way in str(found.value)
    assert "--asr pocketsphinx" in str(found.value)


def test_a_download_that_fails_is_told(monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(MissingModelError, match="could not be fetched") as found:
        load_whisper(model="nobody/nothing-here", allow_download=True)
    assert found.value.code == "no_transcript"


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json"])
def test_damaged_files_are_refused(untaught, name):
    (untaught / name).write_bytes(b"\x01" * 100)
    with pytest.raises(MissingModelError, match="cannot be loaded") as found:
        load_whisper(model=str(untaught))
    assert found.value.code == "no_transcript"


def test_a_vocabulary_without_special_tokens_is_refused(untaught):
    file = untaught / "tokenizer.json"
    tokenizer = json.loads(file.read_text())
    tokenizer["added_tokens"] = [
        t for t in tokenizer["added_tokens"] if t["content"] != "<|notimestamps|>"
    ]
    file.write_text(json.dumps(tokenizer))
    with pytest.raises(MissingModelError, match=r"lacks <\|notimestamps\|>"):
        load_whisper(model=str(untaught))


def test_another_kind_of_model_is_refused(untaught):
    file = untaught / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"model_type": "bert"}))
    with pytest.raises(MissingModelError, match="is a bert"):
        load_whisper(model=str(untaught))
