"""Which features are missing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from extractors.base import Extractor
from extractors.words import Word
from pipeline.fingerprint import settings_digest
from pipeline.records import Clip
from pipeline.store import FeatureKey, FeatureStore, describe_extractor
from pipeline.stored_words import StoredWords


@dataclass(frozen=True, kw_only=True)
class ClipJob:
    """What is missing of one clip.

    Parameters
    ----------
    clip : Clip
        The clip.
    words : StoredWords or tuple of Word
        Its words, or where they are; none without a transcript.
    missing : dict of str to FeatureKey
        Extractor name to the key that its sequence will have.
    """

    clip: Clip
    words: StoredWords | tuple[Word, ...]
    missing: dict[str, FeatureKey]

    def read_words(self) -> tuple[Word, ...]:
        """Read the words, if they are not here.

        Returns
        -------
        tuple of Word
            In time order.

        Raises
        ------
        SourceError, StoreError
            As :meth:`~pipeline.stored_words.StoredWords.read`.
        """
        return self.words if isinstance(self.words, tuple) else self.words.read()


@dataclass(frozen=True, kw_only=True)
class ExtractionPlan:
    """What is there and what is missing.

    Parameters
    ----------
    keys : dict of str to dict of str to FeatureKey
        Clip id to extractor name to key, of everything that the clips can give.
    jobs : tuple of ClipJob
        Clips of which something is missing.
    stored : dict of str to int
        Extractor name to how many sequences are there already.
    """

    keys: dict[str, dict[str, FeatureKey]]
    jobs: tuple[ClipJob, ...]
    stored: dict[str, int]


def plan_extraction(
    *,
    clips: Sequence[Clip],
    words: Mapping[str, StoredWords],
    extractors: Mapping[str, Extractor],
    store: FeatureStore,
    note: bool = True,
) -> ExtractionPlan:
    """Ask the store what is missing, before anything is decoded.

    A clip without sound is not given to an extractor of sound, and so on: that is no failure.

    Parameters
    ----------
    clips : sequence of Clip
        All clips.
    words : mapping of str to StoredWords
        Clip id to its words, where there are any, as :func:`pipeline.stored_words.find_words`.
    extractors : mapping of str to Extractor
        Configured, by name.
    store : FeatureStore
        What is there.
    note : bool
        Whether the store is told that these settings are in use; otherwise nothing is written.

    Returns
    -------
    ExtractionPlan
        With jobs in the order of the clips.
    """
    settings = {
        name: store.note_extractor(extractor)
        if note
        else settings_digest(describe_extractor(extractor))
        for name, extractor in extractors.items()
    }
    keys = {
        clip.id: {
            name: _key(clip, spoken, extractor, settings[name])
            for name, extractor in extractors.items()
            if _can_read(clip, spoken, extractor)
        }
        for clip in clips
        for spoken in [words.get(clip.id)]
    }
    there = store.present(key for by_name in keys.values() for key in by_name.values())
    stored = {name: sum(key.extractor == name for key in there) for name in extractors}
    jobs = []
    for clip in clips:
        missing = {name: key for name, key in keys[clip.id].items() if key not in there}
        if missing:
            jobs.append(ClipJob(clip=clip, words=words.get(clip.id, ()), missing=missing))
    return ExtractionPlan(keys=keys, jobs=tuple(jobs), stored=stored)


def _can_read(clip: Clip, words: StoredWords | None, extractor: Extractor) -> bool:
    there = {"audio": clip.has_audio, "video": clip.has_video, "words": words is not None}
    return there[extractor.source]


def _key(clip: Clip, words: StoredWords | None, extractor: Extractor, settings: str) -> FeatureKey:
    return FeatureKey(
        extractor=extractor.name,
        settings=settings,
        clip_id=clip.id,
        words=words.digest if words and extractor.source == "words" else "",
    )
