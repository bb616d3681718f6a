"""What a user names as videos: folders, files, addresses and lists of addresses."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.download import DownloadConfig, download, is_address
from pipeline.errors import SourceError
from pipeline.failure_log import FailureLog

_PICTURES = "mp4|m4v|mov|mkv|webm|avi|wmv|asf|flv|f4v|mpg|mpeg|mpe|vob|ts|mts|m2ts|3gp|3g2|ogv|mxf"
_SOUNDS = "wav|flac|mp3|m4a|aac|ogg|oga|opus|wma|mka|aif|aiff|caf|au|amr|ac3"
#: What is taken for a clip in a folder; everything else there is left alone. A file that is named
#: itself may be called anything.
MEDIA_SUFFIXES = frozenset(f".{suffix}" for suffix in f"{_PICTURES}|rm|divx|{_SOUNDS}".split("|"))
_LIST_SUFFIXES = frozenset((".txt", ".list", ".urls"))


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Where clips are.

    Parameters
    ----------
    files : tuple of Path
        Media files, each once, in the order of the sources and in a folder by name.
    folders : tuple of Path
        Folders that were named, in which label files are looked for.
    """

    files: tuple[Path, ...]
    folders: tuple[Path, ...]


def find_sources(
    *,
    sources: Sequence[str | Path],
    downloads: Path,
    config: DownloadConfig,
    log: FailureLog,
    on_video: Callable[[str], None] = lambda address: None,
) -> Sources:
    """Find the media files of everything that was named, and fetch what has to be fetched.

    Parameters
    ----------
    sources : sequence of str or Path
        Folders, searched with their subfolders; media files; ``http`` or ``https`` addresses of
        videos and playlists; text files with an address a line, where ``#`` begins a comment.
    downloads : Path
        Folder for what is fetched; with addresses it counts as named.
    config : DownloadConfig
        Limits of what is fetched.
    log : FailureLog
        Told of addresses that cannot be fetched, and of named files that are not there.
    on_video : callable, optional
        Told of every video before it is fetched.

    Returns
    -------
    Sources
        At least one file.

    Raises
    ------
    SourceError
        If a folder is not there, or nothing at all is found.
    """
    addresses: list[str] = []
    files: dict[Path, None] = {}
    folders: list[Path] = []
    for source in sources:
        if is_address(str(source)):
            addresses.append(str(source))
        elif (path := Path(source)).is_file() and path.suffix.lower() in _LIST_SUFFIXES:
            addresses += _listed(path)
        elif path.is_file():
            files[path.resolve()] = None
        else:
            folders.append(path.resolve())
            files |= dict.fromkeys(_media_files(path))
    if addresses:
        fetched = download(
            addresses=addresses, folder=downloads, config=config, log=log, on_video=on_video
        )
        folders.append(downloads.resolve())
        files |= dict.fromkeys(Path(item.path).resolve() for item in fetched)
    if not files and not log.failures:
        raise SourceError(
            f"{', '.join(map(str, sources))}: holds no media file "
            f"({', '.join(sorted(MEDIA_SUFFIXES))})",
            code="empty_folder",
        )
    return Sources(files=tuple(files), folders=tuple(folders))


def _listed(path: Path) -> list[str]:
    """Read a list of addresses."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path}: cannot be read as a list ({error})", code="bad_list") from error
    found = []
    for number, line in enumerate(lines, start=1):
        address = line.split(" #")[0].strip()
        if not address or address.startswith("#"):
            continue
        if not is_address(address):
            raise SourceError(
                f"{path}, line {number}: {address!r} is not an address such as "
                "https://example.org/talk; a list holds one a line",
                code="bad_list",
            )
        found.append(address)
    return found


def _media_files(folder: Path) -> Iterator[Path]:
    """Find media by their names, hidden folders left out."""
    if not folder.is_dir():
        raise SourceError(
            f"{folder}: no such folder or file; name a folder that holds videos, a video, or an "
            "address that begins with https://",
            code="missing_folder",
        )
    folder = folder.resolve()
    return iter(
        sorted(
            path
            for path in folder.rglob("*")
            if path.suffix.lower() in MEDIA_SUFFIXES
            and not any(part.startswith(".") for part in path.relative_to(folder).parts)
            and _may_be_file(path)
        )
    )


def _may_be_file(path: Path) -> bool:
    """Ask; what cannot be asked, or leads nowhere, is taken for a file and fails as one."""
    try:
        return path.is_file() or not path.exists()
    except OSError:
        return True
