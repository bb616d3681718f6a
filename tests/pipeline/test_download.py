"""Fetching, from a real HTTP server on loopback."""

from pathlib import Path

import pytest

from pipeline.download import (
    Download,
    DownloadConfig,
    choose_subtitles,
    download,
    is_address,
)
from pipeline.errors import ConfigError
from pipeline.failure_log import FailureLog
from pipeline.manifest import read_manifest


def fetch(addresses, folder, log=None, **config):
    log = FailureLog() if log is None else log
    return download(
        addresses=addresses, folder=folder, config=DownloadConfig(**config), log=log
    ), log


def test_video_and_subtitles_lie_side_by_side(site, talk, tmp_path):
    (got,), log = fetch([talk], tmp_path / "in")
    assert log.failures == []
    assert Path(got.path).read_bytes() == (site.folder / "talk.mp4").read_bytes()
    assert Path(got.path).with_suffix(".vtt").read_text() == (site.folder / "talk.vtt").read_text()
    assert got.subtitles == "given"
    assert got.page == talk
    assert got.title.startswith("A short talk")
    assert read_manifest(tmp_path / "in" / "downloads.jsonl", Download) == [got]


def test_nothing_is_fetched_twice(site, talk, tmp_path):
    first, _ = fetch([talk], tmp_path / "in")
    sent = len(site.videos_sent())
    again, log = fetch([talk], tmp_path / "in")
    assert again == first
    assert log.failures == []
    # only asked what it is
    assert len(site.videos_sent()) == sent


def test_what_was_deleted_is_fetched_again(talk, tmp_path):
    (got,), _ = fetch([talk], tmp_path / "in")
    Path(got.path).unlink()
    (again,), _ = fetch([talk], tmp_path / "in")
    assert Path(again.path).is_file()


def test_a_media_file_itself_is_fetched(site, talk, tmp_path):
    (got,), log = fetch([f"{site.address}/talk.mp4"], tmp_path / "in")
    assert log.failures == []
    assert Path(got.path).is_file()
    assert got.subtitles is None


def test_several_videos_of_a_page_are_its_members(site, talk, tmp_path, make_clip):
    make_clip(path=site.folder / "other.mp4", seconds=0.5, picture="black")
    videos = "".join(
        f'<video><source src="{name}.mp4" type="video/mp4"></video>' for name in ("talk", "other")
    )
    (site.folder / "both.html").write_text(f"<html><title>Both</title>{videos}</html>")
    got, log = fetch([f"{site.address}/both.html"], tmp_path / "in")
    assert log.failures == []
    sizes = {Path(item.path).stat().st_size for item in got}
    assert sizes == {(site.folder / f"{name}.mp4").stat().st_size for name in ("talk", "other")}


def test_one_bad_address_leaves_the_others(site, talk, tmp_path):
    missing = f"{site.address}/missing.html"
    got, log = fetch([missing, "file:///etc/passwd", talk], tmp_path / "in")
    assert len(got) == 1
    assert [(f.item, f.code) for f in log.failures] == [
        (missing, "download_failed"),
        ("file:///etc/passwd", "bad_address"),
    ]
    assert "404" in log.failures[0].detail
    assert all(f.step == "download" for f in log.failures)


def test_too_large_a_file_is_refused_and_not_kept(site, talk, tmp_path):
    (site.folder / "talk.mp4").write_bytes((site.folder / "talk.mp4").read_bytes() + bytes(300_000))
    got, log = fetch([talk], tmp_path / "in", largest_mb=0.1)
    assert got == []
    assert [f.code for f in log.failures] == ["too_large"]
    assert not [p for p in (tmp_path / "in").iterdir() if p.suffix in (".mp4", ".part")]


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("https://example.org/a", True),
        ("file:///a", True),
        ("videos", False),
        ("/tmp/videos", False),
        ("C:\\videos", False),
        ("a:b", False),
    ],
)
def test_addresses_are_told_from_paths(source, wanted):
    assert is_address(source) is wanted


@pytest.mark.parametrize("name", ["longest", "largest_mb", "height"])
def test_limits_must_be_positive(name):
    with pytest.raises(ConfigError, match="must be positive"):
        DownloadConfig(**{name: 0})


def test_too_long_a_video_is_refused_before_it_is_fetched(site, talk, tmp_path):
    facts = (
        '{"@context": "https://schema.org", "@type": "VideoObject", "name": "Long", '
        f'"duration": "PT2H", "contentUrl": "{site.address}/talk.mp4"}}'
    )
    page = f'<html><script type="application/ld+json">{facts}</script></html>'
    (site.folder / "long.html").write_text(page)
    got, log = fetch([f"{site.address}/long.html"], tmp_path / "in", longest=60)
    assert got == []
    assert [f.code for f in log.failures] == ["too_long"]
    assert "7200 s" in log.failures[0].detail
    assert not list((tmp_path / "in").glob("*.mp4"))


@pytest.mark.parametrize(
    ("given", "automatic", "languages", "wanted"),
    [
        (["de", "en"], ["en"], ["en"], ("en", "given")),
        (["en-GB", "en"], [], ["en"], ("en", "given")),
        (["en-GB"], ["en"], ["en"], ("en-GB", "given")),
        (["fr", "de"], ["en", "fr"], ["en"], ("en", "automatic")),
        (["fr", "de"], [], ["de", "fr"], ("de", "given")),
        (["fr"], [], ["en"], ("fr", "given")),
        (["fr", "de"], [], ["en"], (None, None)),
        ([], [], ["en"], (None, None)),
    ],
)
def test_hand_made_subtitles_come_first(given, automatic, languages, wanted):
    entry = {"subtitles": dict.fromkeys(given), "automatic_captions": dict.fromkeys(automatic)}
    assert choose_subtitles(entry=entry, languages=languages) == wanted
