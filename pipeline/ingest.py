"""From folders, files and addresses to clips, transcripts, utterances and a split."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from extractors.errors import ExtractorError
from extractors.media import probe
from pipeline.download import DownloadConfig
from pipeline.errors import SourceError
from pipeline.failure_log import FailureLog, printable
from pipeline.fingerprint import file_digest
from pipeline.labels import find_labels
from pipeline.manifest import read_manifest, write_manifest, writing_manifest
from pipeline.records import Clip, Failure, Segment, Transcript
from pipeline.removals import RemovedClip, update_removals
from pipeline.segments import SegmentConfig
from pipeline.settling import settled
from pipeline.sources import find_sources
from pipeline.speech_finder import SpeechFinder
from pipeline.splits import Split, SplitConfig
from pipeline.transcription import Transcriber
from pipeline.transcripts import find_transcripts
from pipeline.utterance_cuts import KeptCuts
from pipeline.utterances import Cutter, divide, make_segments
from pipeline.word_config import WordConfig
from pipeline.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class IngestReport:
    """What was found.

    Parameters
    ----------
    clips : tuple of Clip
        Readable clips, each content once.
    transcripts : int
        How many of them have words.
    segments : tuple of Segment
        Utterances, labelled and not.
    split : Split
        Of the labelled ones.
    failures : tuple of Failure
        What could not be used, and why.
    moved : tuple of str
        Paths of clips that were found elsewhere the last time; what was made of them stays.
    removed : tuple of RemovedClip
        Clips of earlier times that were not found, each until it is found again.
    """

    clips: tuple[Clip, ...]
    transcripts: int
    segments: tuple[Segment, ...]
    split: Split
    failures: tuple[Failure, ...]
    moved: tuple[str, ...] = ()
    removed: tuple[RemovedClip, ...] = ()


def ingest(
    *,
    sources: Sequence[str | Path],
    workspace: Workspace,
    segments: SegmentConfig,
    split: SplitConfig,
    download: DownloadConfig | None = None,
    words: WordConfig | None = None,
    stable_seconds: float = 0.0,
    on_file: Callable[[str], None] = lambda name: None,
) -> IngestReport:
    """Find clips and everything beside them, and write it down.

    The manifests then describe these sources; features of other clips stay in the store. A file
    whose size and time have not changed is not read again.

    Parameters
    ----------
    sources : sequence of str or Path
        Folders, files, addresses and lists of addresses, as for
        :func:`pipeline.sources.find_sources`.
    workspace : Workspace
        Where the manifests are written, and what is fetched.
    segments : SegmentConfig
        How utterances without labels are cut.
    split : SplitConfig
        How labelled clips are divided where the label file does not say.
    download : DownloadConfig, optional
        Limits of what is fetched; the defaults without it.
    words : WordConfig, optional
        What is done about words without times and clips without words; the defaults without it.
    stable_seconds : float
        How long ago a new media file's last change must be; others are left for the next time.
    on_file : callable, optional
        Told of every address before it is fetched, and of every media file before it is read and
        before its words are looked for.

    Returns
    -------
    IngestReport
        Also written to the workspace.

    Raises
    ------
    SourceError
        If a folder is not there, or nothing at all is found.
    """
    log = FailureLog()
    found = find_sources(
        sources=sources,
        downloads=workspace.downloads,
        config=download or DownloadConfig(),
        log=log,
        on_video=on_file,
    )
    before = read_manifest(workspace.clips, Clip)
    seen = _find_clips(
        _with_waits(found.files, workspace.downloads, stable_seconds), before, log, on_file
    )
    clips = list({clip.id: clip for _, clip in seen}.values())
    speech = SpeechFinder(workspace)
    chosen = words or WordConfig()
    transcriber = Transcriber(config=chosen, workspace=workspace, speech=speech)
    files = find_transcripts((path for path, _ in seen), language=chosen.spoken)
    labels = find_labels(folders=found.folders, seen=seen, log=log)
    cutter = KeptCuts(Cutter(config=segments, speech=speech, log=log), workspace.utterances)
    removed = update_removals(
        read_manifest(workspace.removed, RemovedClip),
        before=before,
        after=clips,
        now=datetime.now(UTC),
    )
    with writing_manifest(workspace.transcripts) as write:
        keep = _Counted(write)
        spoken = _find_transcripts(seen, files, transcriber, log, keep, on_file)
        made = make_segments(spoken=spoken, labels=labels, cut=cutter)
        report = IngestReport(
            clips=tuple(clips),
            transcripts=keep.count,
            segments=tuple(made),
            split=divide(segments=made, labels=labels, config=split),
            failures=(*log.failures, *_vanished(before, clips)),
            moved=_moved(before, clips),
            removed=tuple(removed),
        )
        # first: a run that is killed in between notices the same removals again
        write_manifest(workspace.removed, report.removed)
        write_manifest(workspace.clips, report.clips)
    speech.save()
    write_manifest(workspace.segments, report.segments)
    report.split.save(workspace.split)
    write_manifest(workspace.failures, report.failures)
    cutter.save()
    return report


class _Counted:
    """Writes records and counts them."""

    def __init__(self, write: Callable[[Transcript], None]) -> None:
        self._write, self.count = write, 0

    def __call__(self, transcript: Transcript) -> None:
        self._write(transcript)
        self.count += 1


def _moved(before: Sequence[Clip], clips: Sequence[Clip]) -> tuple[str, ...]:
    """Clips that are known by content and have another path now, the old one being gone."""
    old = {clip.id: clip.path for clip in before}
    return tuple(
        clip.path
        for clip in clips
        if old.get(clip.id, clip.path) != clip.path and not Path(old[clip.id]).exists()
    )


def _vanished(before: Sequence[Clip], clips: Sequence[Clip]) -> list[Failure]:
    """Clips of the last time whose file is gone and whose content is nowhere else."""
    there = {clip.id for clip in clips}
    return [
        Failure(
            item=clip.path,
            step="ingest",
            code="vanished",
            detail=f"{clip.path}: was there the last time and is gone; its features are kept "
            "for maintenance.grace_days, in case it comes back",
            clip_id=clip.id,
        )
        for clip in before
        if clip.id not in there and not Path(clip.path).exists()
    ]


def _with_waits(
    paths: Sequence[Path], downloads: Path, stable_seconds: float
) -> list[tuple[Path, float]]:
    """How long each file must have rested; what was fetched a moment ago is whole."""
    fetched = downloads.resolve()
    return [(path, 0.0 if fetched in path.parents else stable_seconds) for path in paths]


def _find_clips(
    paths: Sequence[tuple[Path, float]],
    before: Sequence[Clip],
    log: FailureLog,
    on_file: Callable[[str], None],
) -> list[tuple[Path, Clip]]:
    """Every readable path with its clip; two paths of one content share the first's clip."""
    known = {clip.path: clip for clip in before}
    by_content: dict[str, Clip] = {}
    seen = []
    for path, stable_seconds in paths:
        on_file(str(path))
        try:
            clip = _describe(path, known.get(str(path)), stable_seconds)
        except (ExtractorError, SourceError) as error:
            log.record(error, item=str(path), step="ingest")
            continue
        first = by_content.setdefault(clip.id, clip)
        if first is not clip:
            same = SourceError(
                f"{path}: has the same bytes as {first.path}, which is used instead",
                code="duplicate",
            )
            log.record(same, item=str(path), step="ingest", clip_id=first.id)
        seen.append((path, first))
    return seen


def _describe(path: Path, known: Clip | None, stable_seconds: float) -> Clip:
    if printable(path) != str(path):
        raise SourceError(f"{path}: its name is not UTF-8; rename the file", code="bad_name")
    try:
        status = path.stat()
        unchanged = (status.st_size, status.st_mtime_ns)
        if known is not None and (known.size, known.modified_ns) == unchanged:
            return known
        with settled(path, status=status, seconds=stable_seconds):
            return _probe(path, status)
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error})", code="unreadable") from error


def _probe(path: Path, status: os.stat_result) -> Clip:
    info = probe(path)
    return Clip(
        id=file_digest(path),
        path=str(path),
        duration=info.duration,
        fps=info.fps,
        sample_rate=info.sample_rate,
        size=status.st_size,
        modified_ns=status.st_mtime_ns,
    )


def _find_transcripts(
    seen: Sequence[tuple[Path, Clip]],
    files: Mapping[Path, Path],
    transcriber: Transcriber,
    log: FailureLog,
    keep: Callable[[Transcript], None],
    on_file: Callable[[str], None],
) -> Iterator[tuple[Clip, Transcript | None]]:
    # A transcript may lie beside any path of the same content; the first's counts most.
    chosen: dict[Clip, Path] = {}
    for path, clip in seen:
        if clip not in chosen or (path in files and chosen[clip] not in files):
            chosen[clip] = path
    for first, path in chosen.items():
        clip = replace(first, path=str(path))
        on_file(clip.path)
        try:
            transcript = transcriber.transcribe(clip, files.get(path))
        except (ExtractorError, SourceError) as error:
            log.record(error, item=clip.path, step="transcript", clip_id=clip.id)
            yield first, None
            continue
        for repair in transcript.repairs:
            mended = SourceError(repair.detail, code=repair.code)
            log.record(mended, item=clip.path, step="transcript", clip_id=clip.id)
        keep(transcript)
        yield first, transcript
