import tomllib
from pathlib import Path

import pytest
import yaml

import pipeline.presets
from models.base import available
from pipeline.config import load_config
from pipeline.presets import find_preset, models_with_presets, presets_folder

ROOT = Path(pipeline.presets.__file__).parent.parent


@pytest.mark.parametrize("collection", ["mosi", "mosei", "sims", "urfunny", "mintrec"])
def test_presets_are_of_models_and_can_be_used(collection):
    models = models_with_presets(collection)
    assert "mind" in models or collection == "sims"
    for model in models:
        path = find_preset(model, collection)
        assert yaml.safe_load(path.read_text())["model"]["name"] == model
        assert load_config(path).model.name == model
    assert set(models) <= set(available())


def test_there_is_not_a_preset_of_everything():
    assert find_preset("concat", "mosi") is None
    assert find_preset("mind", "nothing") is None


def test_an_installed_package_has_them():
    """The wheel gets the folder where it is looked for there."""
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    included = wheel["targets"]["wheel"]["force-include"]
    assert {ROOT / ours: theirs for ours, theirs in included.items()}[presets_folder()] == (
        "pipeline/presets"
    )


def test_the_installed_copy_is_preferred(tmp_path, monkeypatch):
    (tmp_path / "presets").mkdir()
    (tmp_path / "presets" / "mind_mosi.yaml").write_text("model: {name: mind}\n")
    monkeypatch.setattr(pipeline.presets, "_HERE", tmp_path)
    assert models_with_presets("mosi") == ("mind",)
    assert find_preset("mind", "mosi") == tmp_path / "presets" / "mind_mosi.yaml"
