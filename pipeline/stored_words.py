"""Words of clips, left where they are written down until somebody reads them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from extractors.words import Word
from pipeline.errors import SourceError
from pipeline.fingerprint import settings_digest
from pipeline.manifest import iterate_manifest, read_line
from pipeline.records import Transcript


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredWords:
    """The words of a clip by their digest: a plan for many clips must not hold all of them.

    Parameters
    ----------
    clip_id : str
        Whose they are.
    digest : str
        Of what an extractor reads of them, as :func:`words_digest`.
    manifest : Path
        Of :class:`~pipeline.records.Transcript`.
    offset : int
        Where in it the clip's line begins, bytes; it is looked for if it does not any more.
    """

    clip_id: str
    digest: str
    manifest: Path
    offset: int

    def read(self) -> tuple[Word, ...]:
        """Read the words.

        Returns
        -------
        tuple of Word
            In time order.

        Raises
        ------
        SourceError
            With code ``changed_since_ingest`` if the clip has other words now, or none.
        StoreError
            If the clip's line is damaged.
        """
        for transcript in self._candidates():
            if (transcript.clip_id, words_digest(transcript.words)) == (self.clip_id, self.digest):
                return transcript.words
        raise SourceError(
            f"{self.manifest}: has other words of this clip than these features were planned with; "
            "run again",
            code="changed_since_ingest",
        )

    def _candidates(self) -> Iterator[Transcript]:
        """Read the line that was planned with, then what another ingest has written since."""
        if (there := read_line(self.manifest, self.offset, Transcript)) is not None:
            yield there
        for _, transcript in iterate_manifest(self.manifest, Transcript, naming=self.clip_id):
            yield transcript


def find_words(manifest: Path) -> dict[str, StoredWords]:
    """Digest the words of all clips, one clip at a time.

    Parameters
    ----------
    manifest : Path
        Of :class:`~pipeline.records.Transcript`; a file that is not there holds none.

    Returns
    -------
    dict of str to StoredWords
        By clip id, of clips with words.

    Raises
    ------
    StoreError
        If the file is damaged.
    """
    return {
        transcript.clip_id: StoredWords(
            clip_id=transcript.clip_id,
            digest=words_digest(transcript.words),
            manifest=manifest,
            offset=offset,
        )
        for offset, transcript in iterate_manifest(manifest, Transcript)
        if transcript.words
    }


def words_digest(words: Sequence[Word]) -> str:
    """Digest what an extractor reads of words; where their times are from changes no feature.

    Parameters
    ----------
    words : sequence of Word
        Of one clip.

    Returns
    -------
    str
        SHA-256, hexadecimal.
    """
    return settings_digest(
        [{"text": word.text, "start": word.start, "end": word.end} for word in words]
    )
