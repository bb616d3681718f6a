from pathlib import Path

import pytest

from pipeline.download import DownloadConfig
from pipeline.errors import SourceError
from pipeline.failure_log import FailureLog
from pipeline.sources import find_sources


@pytest.fixture
def find(tmp_path):
    def run(*sources, log=None):
        return find_sources(
            sources=sources,
            downloads=tmp_path / "downloads",
            config=DownloadConfig(),
            log=FailureLog() if log is None else log,
        )

    return run


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path.resolve()


def test_folder_is_searched_with_its_subfolders_in_order_of_names(find, tmp_path):
    wanted = [touch(tmp_path / "in" / name) for name in ("a.mp4", "b/c.MKV", "d.wav")]
    touch(tmp_path / "in" / "a.srt")
    touch(tmp_path / "in" / ".hidden" / "e.mp4")
    found = find(tmp_path / "in")
    assert list(found.files) == sorted(wanted)
    assert found.folders == ((tmp_path / "in").resolve(),)


def test_a_named_file_may_be_called_anything_and_counts_once(find, tmp_path):
    odd = touch(tmp_path / "in" / "talk.video")
    film = touch(tmp_path / "in" / "a.mp4")
    found = find(odd, str(film), tmp_path / "in")
    assert found.files == (odd, film)


def test_a_link_that_leads_nowhere_is_kept_to_be_reported(find, tmp_path):
    touch(tmp_path / "in" / "a.mp4")
    (tmp_path / "in" / "b.mp4").symlink_to(tmp_path / "gone.mp4")
    assert [path.name for path in find(tmp_path / "in").files] == ["a.mp4", "b.mp4"]


def test_an_address_is_fetched(find, talk, tmp_path):
    found = find(talk)
    assert len(found.files) == 1
    assert found.files[0].parent == (tmp_path / "downloads").resolve()
    assert found.files[0].with_suffix(".vtt").is_file()
    assert found.folders == ((tmp_path / "downloads").resolve(),)


def test_a_list_of_addresses_is_fetched(find, site, talk, tmp_path):
    listed = tmp_path / "talks.txt"
    listed.write_text(f"# my talks\n\n{talk} # the best\n{site.address}/missing.html\n")
    log = FailureLog()
    found = find(listed, log=log)
    assert len(found.files) == 1
    assert [f.code for f in log.failures] == ["download_failed"]


def test_nothing_but_failures_is_no_error(find, site):
    log = FailureLog()
    assert find(f"{site.address}/missing.html", log=log).files == ()
    assert len(log.failures) == 1


def test_a_line_that_is_no_address_is_named(find, tmp_path):
    (tmp_path / "talks.txt").write_text("https://example.org/a\nmy talk\n")
    with pytest.raises(SourceError, match=r"talks.txt, line 2: 'my talk'"):
        find(tmp_path / "talks.txt")


def test_a_list_that_is_no_text_is_refused(find, tmp_path):
    (tmp_path / "talks.txt").write_bytes(b"\xff\xfe\x00\xd8")
    with pytest.raises(SourceError, match="cannot be read as a list"):
        find(tmp_path / "talks.txt")


def test_what_is_not_there_is_an_error(find, tmp_path):
    with pytest.raises(SourceError, match="no such folder or file") as raised:
        find(tmp_path / "none")
    assert raised.value.code == "missing_folder"


def test_a_folder_without_media_is_an_error(find, tmp_path):
    touch(tmp_path / "in" / "notes.md")
    with pytest.raises(SourceError, match="holds no media file") as raised:
        find(tmp_path / "in")
    assert raised.value.code == "empty_folder"
