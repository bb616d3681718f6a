"""Videos and their subtitles from addresses, through yt-dlp; nothing is fetched twice."""

import glob
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

from extractors.sequence import Seconds
from pipeline.errors import ConfigError, SourceError
from pipeline.failure_log import FailureLog
from pipeline.manifest import read_manifest, write_manifest

#: What yt-dlp is asked for, best first; its own ending of subtitles comes last.
_SUBTITLE_FORMATS = "vtt/srt/json3/best"
_MANIFEST = "downloads.jsonl"


@dataclass(frozen=True, kw_only=True)
class DownloadConfig:
    """Limits of what is fetched.

    Parameters
    ----------
    longest : Seconds
        Longer videos are refused, > 0.
    largest_mb : float
        A file larger than this is refused, in megabytes of 10**6 bytes, > 0.
    height : int
        Pictures higher than this are fetched only if there is nothing smaller, in pixels, > 0.
    languages : tuple of str
        Of subtitles, best first; ``en`` also takes ``en-GB``.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    longest: Seconds = 4 * 3600.0
    largest_mb: float = 4000.0
    height: int = 720
    languages: tuple[str, ...] = ("en",)

    def __post_init__(self) -> None:
        if min(self.longest, self.largest_mb, self.height) <= 0:
            raise ConfigError(
                f"download: longest {self.longest} s, largest_mb {self.largest_mb} and height "
                f"{self.height} must be positive"
            )


@dataclass(frozen=True, kw_only=True)
class Download:
    """A video that was fetched, and where it is from.

    Parameters
    ----------
    key : str
        The site and its name for the video, as in yt-dlp's archive files.
    path : str
        The file.
    subtitles : str or None
        ``given`` if somebody wrote them, ``automatic`` if a machine did, None without.
    page, title, channel, licence : str
        As the site tells; empty where it does not.
    """

    key: str
    path: str
    subtitles: str | None
    page: str
    title: str
    channel: str
    licence: str


def is_address(source: str) -> bool:
    """Tell an address from the name of a file or folder.

    Parameters
    ----------
    source : str
        What a user wrote.

    Returns
    -------
    bool
        Whether it begins like ``https://``.
    """
    return re.match(r"[a-zA-Z][a-zA-Z0-9+.-]+://", source) is not None


def download(
    *,
    addresses: Sequence[str],
    folder: Path,
    config: DownloadConfig,
    log: FailureLog,
    on_video: Callable[[str], None] = lambda address: None,
) -> list[Download]:
    """Fetch videos, and the members of playlists, that have not been fetched yet.

    Hand-made subtitles are taken before automatic ones and laid beside the video. What was
    fetched is written down after every video, so an interrupted call goes on where it was.

    Parameters
    ----------
    addresses : sequence of str
        Pages, playlists or media files; ``http`` and ``https`` only.
    folder : Path
        Where the files go.
    config : DownloadConfig
        Limits.
    log : FailureLog
        Told of every address or member of a playlist that cannot be fetched.
    on_video : callable, optional
        Told of every video before it is fetched.

    Returns
    -------
    list of Download
        Of these addresses, fetched now or earlier, as far as their file is still there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    archive = {d.key: d for d in read_manifest(folder / _MANIFEST, Download)}
    archive = {key: d for key, d in archive.items() if Path(d.path).is_file()}
    found: dict[str, Download] = {}
    for address in addresses:
        try:
            for entry in _entries(_checked(address)):
                on_video(str(entry.get("webpage_url") or entry.get("url") or address))
                try:
                    item = _fetch(entry, folder=folder, config=config, archive=archive)
                except SourceError as error:
                    log.record(error, item=_page(entry) or address, step="download")
                    continue
                found[item.key] = archive[item.key] = item
                write_manifest(folder / _MANIFEST, archive.values())
        except SourceError as error:
            log.record(error, item=address, step="download")
    return list(found.values())


def list_downloads(folder: Path) -> list[Download]:
    """Read what was fetched.

    Parameters
    ----------
    folder : Path
        Where the files went.

    Returns
    -------
    list of Download
        Whether their file is still there or not.
    """
    return read_manifest(folder / _MANIFEST, Download)


def delete_download(folder: Path, path: Path) -> None:
    """Delete a video that was fetched, and what lies beside it.

    Parameters
    ----------
    folder : Path
        Where the files went.
    path : Path
        The video's; its address is fetched again when it is named again.
    """
    # first the video: without it the rest counts for nothing and is deleted the next time
    path.unlink(missing_ok=True)
    for beside in folder.glob(f"{glob.escape(path.stem)}.*"):
        beside.unlink(missing_ok=True)
    left = [item for item in list_downloads(folder) if Path(item.path).resolve() != path.resolve()]
    write_manifest(folder / _MANIFEST, left)


def _checked(address: str) -> str:
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise SourceError(
            f"{address}: only http:// and https:// addresses are fetched", code="bad_address"
        )
    return address


def _entries(address: str) -> Iterator[dict[str, Any]]:
    """Describe every video of an address, members of playlists one by one."""
    info = _ask(address)
    if info.get("_type") not in ("playlist", "multi_video"):
        yield info
        return
    for entry in info["entries"]:
        if entry is None:
            continue
        if entry.get("_type") in ("url", "url_transparent"):
            yield from _entries(_checked(str(entry["url"])))
        else:
            yield entry


def _ask(address: str) -> dict[str, Any]:
    with _YtDlp({"extract_flat": "in_playlist", "playlistend": 10_000}, address) as tool:
        return tool.describe(address)


def _fetch(
    entry: dict[str, Any],
    *,
    folder: Path,
    config: DownloadConfig,
    archive: Mapping[str, Download],
) -> Download:
    name = _page(entry) or str(entry.get("id"))
    key = f"{entry.get('extractor_key') or entry.get('extractor')} {entry.get('id')}".lower()
    if key in archive:
        return archive[key]
    _refuse_long(entry, name, config)
    language, kind = choose_subtitles(entry=entry, languages=config.languages)
    settings = {
        "outtmpl": str(folder / "%(extractor)s-%(id).100B.%(ext)s"),
        "restrictfilenames": True,
        "format": _format(config.height),
        "writesubtitles": kind == "given",
        "writeautomaticsub": kind == "automatic",
        "subtitleslangs": [language] if language else [],
        "subtitlesformat": _SUBTITLE_FORMATS,
        "progress_hooks": [_size_limit(name, config.largest_mb)],
    }
    with _YtDlp(settings, name) as tool:
        fetched = tool.fetch(entry)
    try:
        path = Path(fetched["requested_downloads"][0]["filepath"])
    except (KeyError, IndexError, TypeError) as error:
        raise SourceError(f"{name}: nothing was fetched", code="download_failed") from error
    _refuse_long(fetched, name, config)
    return Download(
        key=key,
        path=str(path),
        subtitles=kind if _lay_beside(path, fetched.get("requested_subtitles")) else None,
        page=_page(fetched),
        title=str(fetched.get("title") or ""),
        channel=str(fetched.get("channel") or fetched.get("uploader") or ""),
        licence=str(fetched.get("license") or ""),
    )


def _page(entry: Mapping[str, Any]) -> str:
    return str(entry.get("webpage_url") or entry.get("original_url") or entry.get("url") or "")


def _refuse_long(entry: Mapping[str, Any], name: str, config: DownloadConfig) -> None:
    duration = entry.get("duration")
    if duration is not None and duration > config.longest:
        raise SourceError(
            f"{name}: lasts {duration:.0f} s, download.longest is {config.longest:.0f} s",
            code="too_long",
        )
    if entry.get("is_live"):
        raise SourceError(f"{name}: is still being broadcast; wait for its end", code="live")


def choose_subtitles(
    *, entry: Mapping[str, Any], languages: Sequence[str]
) -> tuple[str | None, str | None]:
    """Choose subtitles: any that somebody wrote before any that a machine did.

    Parameters
    ----------
    entry : mapping
        What yt-dlp knows of a video: ``subtitles`` and ``automatic_captions`` by language.
    languages : sequence of str
        Wanted ones, best first.

    Returns
    -------
    language : str or None
        As the site names it; the only hand-made ones are taken whatever their language.
    kind : str or None
        ``given`` or ``automatic``.
    """
    for kind, field in (("given", "subtitles"), ("automatic", "automatic_captions")):
        there = entry.get(field) or {}
        for wanted in languages:
            for language in sorted(there, key=lambda name: (name != wanted, name)):
                if language == wanted or language.startswith(f"{wanted}-"):
                    return language, kind
    if len(only := list(entry.get("subtitles") or {})) == 1:
        return only[0], "given"
    return None, None


def _format(height: int) -> str:
    """Ask for sound and picture in one file where no ffmpeg is there to join two."""
    whole = f"b[height<={height}]/b/ba"
    return f"bv*[height<={height}]+ba/{whole}" if shutil.which("ffmpeg") else whole


def _size_limit(name: str, largest_mb: float) -> Callable[[Mapping[str, Any]], None]:
    def check(progress: Mapping[str, Any]) -> None:
        known = [progress.get("total_bytes") or 0, progress.get("downloaded_bytes") or 0]
        if max(known) > largest_mb * 1e6:
            partial = progress.get("tmpfilename")
            if partial:
                Path(partial).unlink(missing_ok=True)
            raise SourceError(
                f"{name}: has {max(known) / 1e6:.1f} MB or more, download.largest_mb is "
                f"{largest_mb:g}",
                code="too_large",
            )

    return check


def _lay_beside(path: Path, subtitles: Mapping[str, Any] | None) -> bool:
    """Give subtitles the video's name, without the language that yt-dlp puts into it."""
    for item in (subtitles or {}).values():
        written = Path(item.get("filepath") or "")
        if written.is_file():
            written.replace(path.with_suffix(written.suffix))
            return True
    return False


class _Silent:
    """yt-dlp's messages go nowhere: its errors are raised."""

    def debug(self, message: str) -> None: ...

    info = warning = error = debug


class _YtDlp:
    """yt-dlp with settings that are always the same, its errors turned into ours."""

    _FIXED: ClassVar[dict[str, Any]] = {
        "quiet": True,
        "no_warnings": True,
        "noprogress": True,
        "logger": _Silent(),
        "cachedir": False,
        "ignoreerrors": False,
        "retries": 3,
        "fragment_retries": 3,
        "socket_timeout": 30,
        "allowed_extractors": ["default"],
    }

    def __init__(self, settings: Mapping[str, Any], name: str) -> None:
        from yt_dlp import YoutubeDL

        self._name = name
        self._tool = YoutubeDL({**self._FIXED, **settings})

    def __enter__(self) -> "_YtDlp":
        return self

    def __exit__(self, *exception: object) -> None:
        self._tool.close()

    def describe(self, address: str) -> dict[str, Any]:
        return self._run(lambda: self._tool.extract_info(address, download=False))

    def fetch(self, entry: dict[str, Any]) -> dict[str, Any]:
        return self._run(lambda: self._tool.process_ie_result(entry, download=True))

    def _run(self, work: Callable[[], Any]) -> dict[str, Any]:
        from yt_dlp.utils import YoutubeDLError

        try:
            info = work()
        except (YoutubeDLError, OSError) as error:
            text = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).removeprefix("ERROR: ")
            raise SourceError(
                f"{self._name}: cannot be fetched ({text.splitlines()[0] if text else error!r})",
                code="download_failed",
            ) from error
        if not info:
            raise SourceError(f"{self._name}: holds no video", code="download_failed")
        return dict(info)
