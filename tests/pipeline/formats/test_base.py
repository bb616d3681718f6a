import pytest

from pipeline.errors import ConfigError, SourceError
from pipeline.formats.base import DatasetFormat, available, get, recognise, register
from pipeline.formats.mmsa import Mmsa


def test_a_name_is_taken_once():
    class Other(DatasetFormat):
        name = "mmsa"

        def recognises(self, path):
            return False

        def read(self, path):
            yield

    get("mmsa")
    with pytest.raises(ConfigError, match=r"'mmsa'.*Other is taken by.*Mmsa"):
        register(Other)
    assert register(Mmsa) is Mmsa


def test_every_module_of_the_package_is_found():
    assert available() == ("csd", "folder", "mintrec", "mmsa", "sims", "table", "urfunny")


def test_a_path_that_may_be_two_formats_is_told(tmp_path):
    (tmp_path / "label.csv").touch()
    (tmp_path / "labels.csv").touch()
    with pytest.raises(SourceError, match="may be any of folder, sims"):
        recognise(tmp_path)
