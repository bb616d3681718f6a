"""The words of a clip: read from a file beside it, found in its sound, or recognised there."""

from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from extractors.errors import MissingModelError
from extractors.local_models import find_snapshot, snapshot_digest
from extractors.media import Media
from pipeline.clip_aligner import ClipAligner
from pipeline.errors import SourceError, StoreError
from pipeline.fingerprint import file_digest, settings_digest
from pipeline.manifest import read_manifest, write_manifest
from pipeline.passages import speaker_changes
from pipeline.recognisers import recognise_words, require_recogniser
from pipeline.records import Clip, Repair, Transcript
from pipeline.speech_finder import SPEECH_RATE, SpeechFinder
from pipeline.transcripts import load_transcript, place_words, words_of
from pipeline.word_config import WordConfig
from pipeline.workspace import Workspace

# Changes whenever the same files and settings would give other words.
_VERSION = 5
_LIBRARIES = ("pocketsphinx", "silero-vad", "transformers")


class Transcriber:
    """Gives clips their words, each only once for the same files and settings.

    Parameters
    ----------
    config : WordConfig
        What is done about words without times, and about clips without words.
    workspace : Workspace
        Where transcripts of earlier runs are, and where new ones are kept as soon as they are made.
    speech : SpeechFinder
        Knows where somebody speaks.
    """

    def __init__(self, *, config: WordConfig, workspace: Workspace, speech: SpeechFinder) -> None:
        self._config = config
        self._folder = workspace.words
        self._speech = speech
        self._digests: dict[Path, str] = {}
        self._descriptions: dict[bool, dict[str, object]] = {}

    def transcribe(self, clip: Clip, path: Path | None) -> Transcript:
        """Read or recognise what is said in a clip.

        Parameters
        ----------
        clip : Clip
            The clip.
        path : Path or None
            The transcript beside it; None if there is none.

        Returns
        -------
        Transcript
            All words with times; ``repairs`` tell what is doubtful.

        Raises
        ------
        SourceError
            If the file cannot be used, or there is none and nothing is recognised.
        ExtractorError
            If the sound cannot be decoded or the recogniser's weights are not there.
        """
        digest = clip.id if path is None else self._digest(path)
        description = self._description(recognised=path is None)
        made = settings_digest([clip.id, _kind(clip, path), digest, description])
        kept = self._folder / f"{made[:32]}.jsonl"
        transcript = _kept(kept)
        if transcript is None:
            transcript = self._recognise(clip) if path is None else self._read(clip, path, digest)
            write_manifest(kept, [transcript])
        if not transcript.words:
            raise SourceError(
                f"{clip.path}: has no transcript, and {self._config.asr} hears no words in it",
                code="no_words",
            )
        return _moved(transcript, str(path or clip.path))

    def _digest(self, path: Path) -> str:
        """Digest a transcript, which may be that of many clips."""
        if path not in self._digests:
            try:
                self._digests[path] = file_digest(path)
            except OSError as error:
                raise SourceError(f"{path}: cannot be read ({error})", code="unreadable") from error
        return self._digests[path]

    def _description(self, *, recognised: bool) -> dict[str, object]:
        """Everything besides the files that decides the words; the same for all clips."""
        if recognised not in self._descriptions:
            self._descriptions[recognised] = self._describe(recognised=recognised)
        return self._descriptions[recognised]

    def _describe(self, *, recognised: bool) -> dict[str, object]:
        config = self._config
        method = config.asr if recognised else config.alignment
        model = {"whisper": config.whisper_model, "ctc": config.ctc_model}.get(method)
        folder = None if model is None else find_snapshot(model=model)
        return {
            "version": _VERSION,
            "method": method,
            "language": config.language,
            "weights": "" if folder is None else snapshot_digest(folder),
            "libraries": {name: version(name) for name in _LIBRARIES},
        }

    def _read(self, clip: Clip, path: Path, digest: str) -> Transcript:
        read = load_transcript(path, duration=clip.duration, video=Path(clip.path).stem)
        text = [token for passage in read.passages for token in passage.tokens]
        aligner = ClipAligner(
            clip=clip, path=path, config=self._config, text=text, has_times=read.has_times
        )
        passages = place_words(read, speech=lambda: self._speech.spans(clip), aligner=aligner)
        return Transcript(
            clip_id=clip.id,
            path=str(path),
            digest=digest,
            words=words_of(passages),
            repairs=(*read.repairs, *aligner.repairs()),
            barriers=speaker_changes(passages),
        )

    def _recognise(self, clip: Clip) -> Transcript:
        if not clip.has_audio:
            raise SourceError(
                f"{clip.path}: has neither a transcript nor sound; its pictures are used all the "
                "same",
                code="no_transcript",
            )
        if self._config.asr == "none":
            raise SourceError(
                f"{clip.path}: has no transcript, and recognition is off; put a .srt, .vtt or .txt "
                "file of the same name beside it, or set words.asr. Its sound and pictures are "
                "used all the same",
                code="no_transcript",
            )
        try:
            require_recogniser(config=self._config)
        except MissingModelError as error:
            raise MissingModelError(
                f"{clip.path}: has no transcript, and {error}. Its sound and pictures are used "
                "all the same",
                code=error.code,
            ) from error
        recognised = recognise_words(
            config=self._config,
            signal=Media(path=Path(clip.path)).audio(sample_rate=SPEECH_RATE),
            spans=self._speech.spans(clip),
        )
        return Transcript(
            clip_id=clip.id,
            path=clip.path,
            digest=clip.id,
            words=recognised.words,
            repairs=tuple(
                Repair(code=doubt.code, detail=f"{clip.path}: {doubt.detail}")
                for doubt in recognised.doubts
            ),
            language=recognised.language,
        )


def _kept(path: Path) -> Transcript | None:
    """Read what was made in an earlier run; what cannot be read is made again."""
    try:
        return next(iter(read_manifest(path, Transcript)), None)
    except StoreError:
        return None


def _kind(clip: Clip, path: Path | None) -> str:
    """Tell what a file's path decides: how it is read, not where it lies."""
    suffix = "" if path is None else path.suffix.lower()
    # A file of many videos' words is read by the clip's name.
    return f"{Path(clip.path).stem}{suffix}" if suffix == ".csd" else suffix


def _moved(transcript: Transcript, path: str) -> Transcript:
    """Say where the same file lies now."""
    repairs = tuple(
        replace(repair, detail=path + repair.detail.removeprefix(transcript.path))
        if repair.detail.startswith(transcript.path)
        else repair
        for repair in transcript.repairs
    )
    return replace(transcript, path=path, repairs=repairs)
