"""From clips, words and labels to utterances and their split."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from extractors.errors import ExtractorError
from extractors.sequence import Seconds
from extractors.words import Word
from pipeline.clip_names import clip_names
from pipeline.failure_log import FailureLog
from pipeline.labels import Label
from pipeline.records import Clip, Segment, Transcript
from pipeline.segments import SegmentConfig, segment_speech, segment_words, utterance_span
from pipeline.speech_finder import SpeechFinder
from pipeline.splits import SPLIT_NAMES, Split, SplitConfig, make_split

_WIDE = "[\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]"
_WIDE_SPACE = re.compile(f"(?<={_WIDE}) (?={_WIDE})")


def make_segments(
    *,
    spoken: Iterable[tuple[Clip, Transcript | None]],
    labels: Sequence[tuple[Label, Clip]],
    cut: Callable[[Clip, Sequence[Word], Sequence[Seconds]], list[Segment]],
) -> list[Segment]:
    """Make utterances as labelled; of clips without a label, as cut from words or speech.

    Parameters
    ----------
    spoken : iterable of (Clip, Transcript or None)
        All clips and what is said in them, of which only one at a time is held.
    labels : sequence of (Label, Clip)
        Rows of label files.
    cut : callable
        Cuts a clip without labels, as :class:`Cutter`.

    Returns
    -------
    list of Segment
        In the order of the clips.
    """
    by_clip: dict[str, list[Label]] = {}
    for row, clip in labels:
        by_clip.setdefault(clip.id, []).append(row)
    made = []
    for clip, transcript in spoken:
        words = transcript.words if transcript else ()
        if clip.id in by_clip:
            made += [_labelled(clip, row, words) for row in by_clip[clip.id]]
        else:
            made += cut(clip, words, transcript.barriers if transcript else ())
    return made


@dataclass(frozen=True, kw_only=True)
class Cutter:
    """Cuts a clip that has no labels.

    Parameters
    ----------
    config : SegmentConfig
        Where an utterance ends.
    speech : SpeechFinder
        For clips without words.
    log : FailureLog
        Told if their sound cannot be decoded.
    """

    config: SegmentConfig
    speech: SpeechFinder
    log: FailureLog

    def __call__(
        self, clip: Clip, words: Sequence[Word], barriers: Sequence[Seconds] = ()
    ) -> list[Segment]:
        """Cut one clip.

        Parameters
        ----------
        clip : Clip
            The clip.
        words : sequence of Word
            Its words, none without a transcript.
        barriers : sequence of Seconds, optional
            Times across which no utterance goes.

        Returns
        -------
        list of Segment
            Without labels.
        """
        if words:
            parts = segment_words(words=words, config=self.config, barriers=barriers)
            return [_from_words(clip, part, barriers) for part in parts]
        try:
            spans = self.speech.spans(clip)
        except ExtractorError as error:
            self.log.record(error, item=clip.path, step="speech", clip_id=clip.id)
            spans = ()
        cut = segment_speech(
            spans=spans, duration=clip.duration, config=self.config, barriers=barriers
        )
        return [_segment(clip, start, end, "") for start, end in cut]


def _segment(
    clip: Clip, start: float, end: float, text: str, label: float | None = None
) -> Segment:
    return Segment(
        id=f"{clip.id[:16]}:{start:.3f}-{end:.3f}",
        clip_id=clip.id,
        start=start,
        end=end,
        text=text,
        label=label,
    )


def _labelled(clip: Clip, row: Label, words: tuple[Word, ...]) -> Segment:
    start, end = row.span(clip)
    inside = [w for w in words if start <= (w.start + w.end) / 2 < end]
    return _segment(clip, start, end, row.text or _written(inside), row.label)


def _from_words(clip: Clip, words: Sequence[Word], barriers: Sequence[Seconds]) -> Segment:
    start, end = utterance_span(words=words, barriers=barriers)
    # A word of no length still needs a span that holds its middle.
    return _segment(clip, start, max(start + 1e-3, end), _written(words))


def _written(words: Sequence[Word]) -> str:
    """Write words side by side; Chinese and Japanese know no spaces."""
    return _WIDE_SPACE.sub("", " ".join(word.text for word in words))


def divide(
    *, segments: Sequence[Segment], labels: Sequence[tuple[Label, Clip]], config: SplitConfig
) -> Split:
    """Divide labelled utterances as the label file says, and the rest by a draw.

    Parameters
    ----------
    segments : sequence of Segment
        All utterances.
    labels : sequence of (Label, Clip)
        Rows of label files.
    config : SplitConfig
        For clips whose rows name no split.

    Returns
    -------
    Split
        With ``source`` ``given`` if any row names a split.
    """
    given = {clip.id: row.split for row, clip in labels if row.split}
    drawn = make_split(
        [segment for segment in segments if segment.clip_id not in given],
        shares=config.shares,
        seed=config.seed,
    )
    places: dict[str, list[str]] = {name: list(getattr(drawn, name)) for name in SPLIT_NAMES}
    for segment in segments:
        if segment.clip_id in given and segment.label is not None:
            places[str(given[segment.clip_id])].append(segment.id)
    return Split(
        train=tuple(places["train"]),
        valid=tuple(places["valid"]),
        test=tuple(places["test"]),
        source="given" if given else "made",
        seed=config.seed,
        given=tuple(dict.fromkeys(clip_names([s.id for s in segments if s.clip_id in given]))),
    )
