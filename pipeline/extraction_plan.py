"""Which features are missing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from extractors.base import Extractor
from extractors.words import Word
from pipeline.fingerprint import settings_digest
from pipeline.records import Clip, Transcript
from pipeline.store import FeatureKey, FeatureStore


@dataclass(frozen=True, kw_only=True)
class ClipJob:
    """What is missing of one clip.

    Parameters
    ----------
    clip : Clip
        The clip.
    words : tuple of Word
        Its words, none without a transcript.
    missing : dict of str to FeatureKey
        Extractor name to the key that its sequence will have.
    """

    clip: Clip
    words: tuple[Word, ...]
    missing: dict[str, FeatureKey]


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
    transcripts: Iterable[Transcript],
    extractors: Mapping[str, Extractor],
    store: FeatureStore,
) -> ExtractionPlan:
    """Ask the store what is missing, before anything is decoded.

    A clip without sound is not given to an extractor of sound, and so on: that is no failure.

    Parameters
    ----------
    clips : sequence of Clip
        All clips.
    transcripts : iterable of Transcript
        Of those that have one.
    extractors : mapping of str to Extractor
        Configured, by name.
    store : FeatureStore
        What is there.

    Returns
    -------
    ExtractionPlan
        With jobs in the order of the clips.
    """
    settings = {name: store.note_extractor(extractor) for name, extractor in extractors.items()}
    words = {transcript.clip_id: transcript.words for transcript in transcripts}
    keys = {
        clip.id: {
            name: _key(clip, spoken, extractor, settings[name])
            for name, extractor in extractors.items()
            if _can_read(clip, spoken, extractor)
        }
        for clip in clips
        for spoken in [words.get(clip.id, ())]
    }
    there = store.present(key for by_name in keys.values() for key in by_name.values())
    stored = {name: sum(key.extractor == name for key in there) for name in extractors}
    jobs = []
    for clip in clips:
        missing = {name: key for name, key in keys[clip.id].items() if key not in there}
        if missing:
            spoken = words.get(clip.id, ())
            jobs.append(ClipJob(clip=clip, words=spoken, missing=missing))
    return ExtractionPlan(keys=keys, jobs=tuple(jobs), stored=stored)


def _can_read(clip: Clip, words: Sequence[Word], extractor: Extractor) -> bool:
    there = {"audio": clip.has_audio, "video": clip.has_video, "words": bool(words)}
    return there[extractor.source]


def _key(clip: Clip, words: Sequence[Word], extractor: Extractor, settings: str) -> FeatureKey:
    # What an extractor reads of a word; where its times are from changes no feature.
    read = [{"text": word.text, "start": word.start, "end": word.end} for word in words]
    return FeatureKey(
        extractor=extractor.name,
        settings=settings,
        clip_id=clip.id,
        words=settings_digest(read) if extractor.source == "words" else "",
    )
