"""Where somebody speaks in a clip, found once."""

from pathlib import Path

from extractors.media import Media
from extractors.sequence import Seconds
from extractors.speech import speech_spans
from pipeline.manifest import read_manifest, write_manifest
from pipeline.records import Clip, SpeechSpans
from pipeline.workspace import Workspace

#: Sampling rate of the voice activity detector, Hz.
SPEECH_RATE = 16_000


class SpeechFinder:
    """Speech spans of clips, found when they are asked for and kept for the next time.

    Parameters
    ----------
    workspace : Workspace
        Where the spans of earlier runs are.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._path = workspace.speech
        self._found = {s.clip_id: s for s in read_manifest(workspace.speech, SpeechSpans)}

    def spans(self, clip: Clip) -> tuple[tuple[Seconds, Seconds], ...]:
        """Find where somebody speaks.

        Parameters
        ----------
        clip : Clip
            A clip, with or without sound.

        Returns
        -------
        tuple of (start, end)
            In time order; none without sound.

        Raises
        ------
        MediaError
            If the sound cannot be decoded.
        """
        if clip.id not in self._found:
            found: list[tuple[Seconds, Seconds]] = []
            if clip.has_audio:
                signal = Media(path=Path(clip.path)).audio(sample_rate=SPEECH_RATE)
                found = speech_spans(signal=signal, sample_rate=SPEECH_RATE)
            self._found[clip.id] = SpeechSpans(clip_id=clip.id, spans=tuple(found))
        return self._found[clip.id].spans

    def save(self) -> None:
        """Keep what was found for the next time."""
        write_manifest(self._path, self._found.values())
