"""Words without times, found in the sound of their clip."""

from collections.abc import Sequence
from functools import cached_property, lru_cache
from pathlib import Path

from extractors.alignment import align_words, is_alignable
from extractors.ctc_alignment import CtcAligner, align_words_ctc
from extractors.errors import ExtractorError
from extractors.framing import Samples
from extractors.media import Media
from extractors.words import Word
from pipeline.passages import Span, spread_words
from pipeline.records import Clip, Repair
from pipeline.speech_finder import SPEECH_RATE
from pipeline.word_config import WordConfig

#: A word that is found with less confidence is doubtful.
SURE = 0.5
# A transcript of which less is found is probably not of this clip.
_POOR_SHARE = 0.5


class ClipAligner:
    """Finds words in the sound of one clip, which is decoded when it is first needed.

    Words of other languages than the aligner's, and those of a clip whose sound cannot be decoded,
    share their time by their length; an instance is a :data:`pipeline.passages.Aligner`.

    Parameters
    ----------
    clip : Clip
        Where to look.
    path : Path
        The transcript, for messages.
    config : WordConfig
        How.
    text : sequence of str
        All words of the transcript, which together tell its language: a line alone may be made of
        names, or of words that two languages share.
    has_times : bool
        Whether the transcript tells at least when its lines are said.
    """

    def __init__(
        self,
        *,
        clip: Clip,
        path: Path,
        config: WordConfig,
        text: Sequence[str],
        has_times: bool = True,
    ) -> None:
        self._clip, self._path, self._config, self._text = clip, path, config, text
        self._has_times = has_times
        self._searched: list[Word] = []
        self._deaf = "" if clip.has_audio else "the clip has no sound"

    def __call__(self, tokens: Sequence[str], spans: Sequence[Span]) -> Sequence[Word]:
        """Place words.

        Parameters
        ----------
        tokens : sequence of str
            The words as written.
        spans : sequence of (start, end)
            Where to look, in time order.

        Returns
        -------
        sequence of Word
            One for each token, in order.

        Raises
        ------
        MissingModelError
            If the chosen CTC model is not there.
        """
        if not self._deaf and self._is_alignable:
            try:
                signal = self._signal
            except ExtractorError as error:
                self._deaf = str(error)
            else:
                words = self._align(tokens, signal, spans)
                self._searched += words
                return words
        return spread_words(tokens, spans)

    def repairs(self) -> tuple[Repair, ...]:
        """Tell what is doubtful about the words that were looked for.

        Returns
        -------
        tuple of Repair
            ``not_aligned`` if the sound could not be decoded, or if the transcript has no times
            at all and there is no sound, or nobody said that it is in another language;
            ``poor_alignment`` if most words were not found for sure.
        """
        made = []
        if self._deaf and (self._clip.has_audio or not self._has_times):
            made.append(
                Repair(
                    code="not_aligned",
                    detail=f"{self._path}: its words share their time by their length, for the "
                    f"sound cannot be searched ({self._deaf})",
                )
            )
        elif not self._has_times and self._seems_foreign:
            made.append(
                Repair(
                    code="not_aligned",
                    detail=f"{self._path}: its words share the time of all speech by their length, "
                    "for it seems not to be English; set words.language to what it is, and "
                    "words.alignment=ctc with a model of that language for better times",
                )
            )
        sure = sum((word.confidence or 0.0) >= SURE for word in self._searched)
        if sure < _POOR_SHARE * len(self._searched):
            made.append(
                Repair(
                    code="poor_alignment",
                    detail=f"{self._path}: only {sure} of {len(self._searched)} words were found "
                    "in the clip's sound for sure; is it another clip's transcript, in another "
                    "language than English, or are its times wrong?",
                )
            )
        return tuple(made)

    @cached_property
    def _signal(self) -> Samples:
        return Media(path=Path(self._clip.path)).audio(sample_rate=SPEECH_RATE)

    @property
    def _seems_foreign(self) -> bool:
        is_told = self._config.alignment != "pocketsphinx" or self._config.language is not None
        return not is_told and not self._is_alignable

    @cached_property
    def _is_alignable(self) -> bool:
        if self._config.alignment == "pocketsphinx" and self._config.spoken is not None:
            return self._config.spoken == "en"
        if self._config.alignment == "pocketsphinx":
            return is_alignable(tokens=self._text)
        return self._config.alignment == "ctc"

    def _align(
        self, tokens: Sequence[str], signal: Samples, spans: Sequence[Span]
    ) -> Sequence[Word]:
        if self._config.alignment == "ctc":
            return align_words_ctc(
                aligner=_ctc_aligner(str(self._config.ctc_model), self._config.allow_download),
                tokens=tokens,
                signal=signal,
                sample_rate=SPEECH_RATE,
                spans=spans,
            )
        return align_words(tokens=tokens, signal=signal, sample_rate=SPEECH_RATE, spans=spans)


@lru_cache(maxsize=1)
def _ctc_aligner(model: str, allow_download: bool) -> CtcAligner:
    return CtcAligner(model, allow_download=allow_download)
