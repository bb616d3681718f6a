import contextlib

import pytest

from extractors.local_models import find_snapshot, quiet_loading, snapshot_digest


def test_a_folder_is_taken_as_it_is(tmp_path):
    assert find_snapshot(model=str(tmp_path)) == tmp_path


def test_a_model_in_the_local_cache_is_found_by_name(tmp_path, monkeypatch):
    import huggingface_hub.constants

    commit = "0" * 40
    entry = tmp_path / "models--someone--tiny"
    (entry / "refs").mkdir(parents=True)
    (entry / "refs" / "main").write_text(commit)
    (entry / "snapshots" / commit).mkdir(parents=True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    assert find_snapshot(model="someone/tiny") == entry / "snapshots" / commit


@pytest.mark.parametrize("model", ["nobody/nothing-here", "not a name!", "/no/such/folder"])
def test_what_is_not_there_is_none(model):
    assert find_snapshot(model=model) is None


def test_a_download_without_a_network_is_none(monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert find_snapshot(model="nobody/nothing-here", allow_download=True) is None


def test_a_digest_follows_the_files_and_not_their_folder(tmp_path):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_bytes(b"weights")
        (tmp_path / name / "vocab.json").write_text("{}")
        (tmp_path / name / "README.md").write_text(name)
    one, other = tmp_path / "one", tmp_path / "other"
    before = snapshot_digest(one)
    assert snapshot_digest(other) == before
    (other / "vocab.json").write_text("[]")
    (one / "model.safetensors").write_bytes(b"Weights!")
    assert len({before, snapshot_digest(one), snapshot_digest(other)}) == 3


def test_settings_of_transformers_are_put_back():
    import transformers.utils.logging as logging

    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    with quiet_loading():
        assert logging.get_verbosity() == logging.ERROR
        assert not logging.is_progress_bar_enabled()
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before
    with contextlib.suppress(KeyError), quiet_loading():
        raise KeyError
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before
