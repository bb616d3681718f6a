import os
import time

import pytest

from pipeline.errors import SourceError
from pipeline.settling import settled


@pytest.fixture
def path(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"12345")
    return tmp_path / "a.mp4"


def aged(path, seconds):
    then = time.time() - seconds
    os.utime(path, (then, then))


def read(path, *, seconds=0.0, meanwhile=lambda: None, error=None):
    with settled(path, status=path.stat(), seconds=seconds):
        meanwhile()
        if error:
            raise error
        return path.read_bytes()


@pytest.mark.parametrize("age", [60.5, 1e6, -62, -1e6])
def test_an_old_file_is_read(path, age):
    aged(path, age)
    assert read(path, seconds=60) == b"12345"


@pytest.mark.parametrize(("age", "told"), [(5, r"\d+\.\d s ago"), (-55, r"0\.0 s ago")])
def test_a_new_file_is_left(path, age, told):
    aged(path, age)
    with pytest.raises(SourceError, match=told + ", 60 s are asked.*next time") as caught:
        read(path, seconds=60, meanwhile=pytest.fail)
    assert caught.value.code == "still_changing"


def test_nothing_is_asked_of_age_by_default(path):
    assert read(path) == b"12345"


def test_a_file_that_grows_is_left(path):
    with pytest.raises(SourceError, match="from 5 to 8 bytes while it was read") as caught:
        read(path, meanwhile=lambda: path.write_bytes(b"12345678"))
    assert caught.value.code == "still_changing"


def test_a_file_that_is_written_in_place_is_left(path):
    with pytest.raises(SourceError, match="was written while it was read"):
        read(path, meanwhile=lambda: aged(path, 1000))


def test_half_a_video_is_no_damaged_one(path):
    error = ValueError("no video")
    with pytest.raises(SourceError, match="from 5 to 1 bytes") as caught:
        read(path, meanwhile=lambda: path.write_bytes(b"1"), error=error)
    assert caught.value.__context__ is error


def test_errors_of_reading_are_kept(path):
    with pytest.raises(ValueError, match="no video"):
        read(path, error=ValueError("no video"))


def test_a_file_that_goes_meanwhile(path):
    with pytest.raises(FileNotFoundError):
        read(path, meanwhile=path.unlink)
