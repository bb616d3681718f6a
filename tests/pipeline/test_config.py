from pathlib import Path

import pytest
import yaml

from extractors.errors import RegistryError
from pipeline.config import RunConfig, build_extractors, load_config
from pipeline.errors import ConfigError
from pipeline.workspace import Workspace

ROOT = Path(__file__).parents[2]


@pytest.fixture
def write(tmp_path):
    def write(content):
        path = tmp_path / "config.yaml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_everything_has_a_default():
    config = load_config(None)
    assert config == RunConfig()
    assert set(config.extractors) == {"covarep", "openface", "bert"}
    assert config.model.name == "mind"


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda p: p.name)
def test_the_configurations_of_this_project_are_valid(path):
    assert load_config(path) != RunConfig()


def test_a_file_says_what_differs(write):
    path = write(
        "training: {max_epochs: 7, seeds: [4, 5]}\nsegments: {pause: 0.5}\n"
        "split: {train: 0.5, valid: 0.25, test: 0.25}\nextractors: {covarep: {f0_min: 60}}\n"
    )
    config = load_config(path)
    assert (config.training.max_epochs, config.training.seeds) == (7, (4, 5))
    assert config.segments.pause == 0.5
    assert config.segments.longest == RunConfig().segments.longest
    assert config.split.shares == {"train": 0.5, "valid": 0.25, "test": 0.25}
    assert build_extractors(config.extractors)["covarep"].config.f0_min == 60


def test_settings_override_the_file(write):
    path = write("training: {max_epochs: 7, batch_size: 8}\njobs: 3\n")
    config = load_config(path, {"training.max_epochs": 2, "jobs": 1, "model.settings": {}})
    assert (config.training.max_epochs, config.training.batch_size, config.jobs) == (2, 8, 1)


def test_an_empty_file_is_all_defaults(write):
    assert load_config(write("# nothing\n")) == RunConfig()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("learning_rate: 1", "learning_rate"),
        ("training: {learning_rat: 1}", r"training\.learning_rat\b"),
        ("segments: {pauses: 1}", r"segments\.pauses"),
        ("split: {dev: 0.1}", r"split\.dev"),
        ("model: {nam: mind}", r"model\.nam\b"),
        ("model: {settings: {widht: 3}}", "widht"),
        ("model: {name: mynd}", "mynd"),
        ("extractors: {covarep: {f0: 3}}", "covarep.*f0"),
        ("extractors: {covarap: {}}", "unknown extractor 'covarap'; there are: .*covarep"),
        ("extractors: {covarep: {f0_min: 900}}", "covarep.*f0_min = 900"),
        ("extractors: {}", "at least one"),
        ("extractors: {covarep: }", "extractors.covarep"),
        ("training: {max_epochs: many}", r"training\.max_epochs"),
        ("training: {max_epochs: 0}", "max_epochs"),
        ("segments: {pause: -1}", "pause -1"),
        ("split: {train: 0.9}", "sum to 1"),
        ("jobs: -1", "jobs"),
        ("training: 3", "training"),
        ("- a\n- b", "holds a list"),
        ("just words", "holds a str"),
        ("a: [1", "cannot be read as YAML"),
        ("a: {b: 1", "cannot be read as YAML"),
        (b"a: caf\xe9", "cannot be read as YAML"),
    ],
)
def test_what_is_wrong_is_named(write, content, told):
    with pytest.raises(ConfigError, match=told) as caught:
        load_config(write(content))
    assert caught.value.code == "bad_config"


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"training.max_epoch": 3}, r"training\.max_epoch\b"),
        ({"jobs.now": 3}, "'jobs' holds a value"),
        ({"trainings.x": 3}, "trainings"),
        ({"": 3}, "settings: "),
    ],
)
def test_a_wrong_setting_is_named(write, settings, told):
    with pytest.raises(ConfigError, match=told):
        load_config(write("jobs: 2") if "jobs.now" in settings else None, settings)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot be read"):
        load_config(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path)


def test_two_extractors_of_one_modality(write, monkeypatch):
    import extractors.base

    covarep = extractors.base.get("covarep")
    other = type("Other", (covarep,), {"name": "other"})
    monkeypatch.setitem(extractors.base._REGISTRY, "other", other)
    with pytest.raises(ConfigError, match="'covarep' and 'other' both give audio; choose one"):
        load_config(write("extractors: {covarep: {}, other: {}}"))


def test_extractors_are_built_by_name():
    built = build_extractors({"covarep": {"f0_max": 400}, "openface": {}})
    assert {name: extractor.name for name, extractor in built.items()} == {
        "covarep": "covarep",
        "openface": "openface",
    }
    assert built["covarep"].config.f0_max == 400
    with pytest.raises(RegistryError, match="nothing"):
        build_extractors({"nothing": {}})


def test_the_store_lies_in_the_workspace_unless_it_is_named(tmp_path):
    workspace = Workspace(root=tmp_path)
    assert load_config(None).store_root(workspace) == str(workspace.features)
    assert load_config(None, {"store": "memory://x"}).store_root(workspace) == "memory://x"


def test_defaults_are_not_changed_by_settings():
    load_config(None, {"extractors.covarep.f0_min": 70})
    assert load_config(None).extractors["covarep"] == {}


def test_a_setting_of_one_extractor_keeps_the_others():
    chosen = load_config(None, {"extractors.covarep.f0_min": 70}).extractors
    assert chosen == {"covarep": {"f0_min": 70}, "openface": {}, "bert": {}}


def test_a_configuration_can_be_written_and_read(write):
    config = load_config(None, {"training.max_epochs": 9, "store": "memory://x"})
    assert load_config(write(yaml.safe_dump(config.model_dump(mode="json")))) == config
