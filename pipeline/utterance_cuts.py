"""Utterances that were cut before are not cut again."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from extractors.sequence import Seconds
from extractors.words import Word
from pipeline.fingerprint import settings_digest
from pipeline.manifest import read_manifest, write_manifest
from pipeline.records import Clip, Segment
from pipeline.utterances import Cutter

# Changes whenever the same words and settings would give other utterances.
_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class CutClip:
    """The utterances of a clip.

    Parameters
    ----------
    made_from : str
        Digest of the clip, its words and the settings.
    segments : tuple of Segment
        Without labels.
    """

    made_from: str
    segments: tuple[Segment, ...]


class KeptCuts:
    """Cuts clips without labels, each only once for the same words and settings.

    Parameters
    ----------
    cut : Cutter
        Cuts a clip that is not known.
    path : Path
        Manifest of :class:`CutClip`.
    """

    def __init__(self, cut: Cutter, path: Path) -> None:
        self._cut, self._path = cut, path
        self._known = {cut.made_from: cut for cut in read_manifest(path, CutClip)}
        self._used: dict[str, CutClip] = {}

    def __call__(
        self, clip: Clip, words: Sequence[Word], barriers: Sequence[Seconds] = ()
    ) -> list[Segment]:
        """Cut one clip, as :class:`~pipeline.utterances.Cutter` does."""
        if not words:
            # from speech, which is kept itself
            return self._cut(clip, words, barriers)
        read = [[word.text, word.start, word.end] for word in words]
        config = asdict(self._cut.config)
        made_from = settings_digest([_VERSION, clip.id, config, list(barriers), read])
        if made_from not in self._known:
            segments = tuple(self._cut(clip, words, barriers))
            self._known[made_from] = CutClip(made_from=made_from, segments=segments)
        self._used[made_from] = self._known[made_from]
        return list(self._known[made_from].segments)

    def save(self) -> None:
        """Keep what was asked for, for the next time."""
        write_manifest(self._path, self._used.values())
