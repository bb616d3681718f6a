"""When the words of a known transcript are said, by a CTC model of the user's."""

import math
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from extractors.ctc_path import find_words
from extractors.errors import MissingModelError
from extractors.framing import Samples
from extractors.local_models import find_snapshot, quiet_loading
from extractors.sequence import FloatArray, Seconds
from extractors.word_gaps import share_gaps
from extractors.words import Word

Span = tuple[Seconds, Seconds]
# Sound heard at once, and the part of it at either end that only gives context.
PIECE: Seconds = 20.0
CONTEXT: Seconds = 2.0
# Sound around speech in which words are looked for too.
MARGIN: Seconds = 0.25
# Log probability of a letter where nobody speaks.
UNLIKELY = -20.0


class CtcAligner:
    """A wav2vec 2.0, HuBERT or like model with a CTC head over letters, from local files.

    On a GPU in half precision where there is one.

    Parameters
    ----------
    model : str
        Folder that ``save_pretrained`` wrote, or the name of a model in the local cache of
        huggingface_hub.
    allow_download : bool, optional
        Whether a model that is not there may be fetched; not without it.

    Raises
    ------
    MissingModelError
        If there is no such model, or it has no CTC head or no letters.

    References
    ----------
    Baevski et al. (2020), "wav2vec 2.0: A Framework for Self-Supervised Learning of Speech
    Representations", NeurIPS.
    """

    def __init__(self, model: str, *, allow_download: bool = False) -> None:
        folder = find_snapshot(model=model, allow_download=allow_download)
        if folder is None:
            raise MissingModelError(
                f"alignment model {model!r} is neither a folder nor a model in the local cache; "
                f"give the folder of a CTC model, fetch it beforehand (hf download {model}), or "
                "align with pocketsphinx, which needs none"
            )
        self._model, self._features, vocabulary = _load(folder=folder, name=model)
        self._letters = {token: i for token, i in vocabulary.items() if len(token) == 1}
        self.delimiter: int | None = self._letters.pop("|", None)
        if not any(letter.isalpha() for letter in self._letters):
            raise MissingModelError(
                f"alignment model {model!r} in {folder}: its vocabulary holds no letters; give a "
                "CTC model that writes letters"
            )
        self.blank = int(self._model.config.pad_token_id)

    @property
    def sample_rate(self) -> int:
        """Sampling rate of the sound it hears, Hz."""
        return int(self._features.sampling_rate)

    @property
    def hop(self) -> int:
        """Samples from one frame to the next."""
        return math.prod(self._model.config.conv_stride)

    def spell(self, token: str) -> list[int]:
        """Write a word with the model's letters.

        Parameters
        ----------
        token : str
            A word as written.

        Returns
        -------
        list of int
            Labels of those characters that the model knows, in the case that it knows.
        """
        text = unicodedata.normalize("NFKC", token).replace("\u2019", "'")
        cases = ((c, c.upper(), c.lower()) for c in text)
        known = [c for case in cases if (c := next((c for c in case if c in self._letters), ""))]
        return [self._letters[c] for c in known] if any(map(str.isalnum, known)) else []

    def log_probabilities(self, signal: Samples) -> FloatArray:
        """Tell what is heard, frame by frame.

        Parameters
        ----------
        signal : ndarray of float, shape (N,)
            Sound at ``sample_rate``, of any length.

        Returns
        -------
        ndarray of float32, shape (ceil(N / hop), V)
            Natural logarithms of posteriors. Long sound is heard in pieces of 20 s with 2 s of
            context on both sides.
        """
        hop = self.hop
        count = -(-len(signal) // hop)
        piece, context = (round(s * self.sample_rate) // hop for s in (PIECE, CONTEXT))
        sound = self._normalised(signal)
        found = np.empty((count, int(self._model.config.vocab_size)), np.float32)
        for first in range(0, count, piece):
            last = min(first + piece, count)
            low, high = max(0, first - context), min(last + context, count)
            heard = self._hear(sound[low * hop :], frames=high - low)
            found[first:last] = heard[first - low : last - low]
        return found

    def _normalised(self, signal: Samples) -> FloatArray:
        """Bring the whole sound to the loudness that the model knows."""
        sound = np.asarray(signal, np.float32)
        if not self._features.do_normalize or not len(sound):
            return sound
        even: FloatArray = (sound - sound.mean()) / np.sqrt(sound.var() + np.float32(1e-7))
        return even

    def _hear(self, sound: FloatArray, *, frames: int) -> FloatArray:
        """Log probabilities of the first frames; the last window ends in silence."""
        import torch

        config = self._model.config
        window, step = 1, 1
        for kernel, stride in zip(config.conv_kernel, config.conv_stride, strict=True):
            window, step = window + (kernel - 1) * step, step * stride
        length = (frames - 1) * step + window
        part = np.pad(sound[:length], (0, max(0, length - len(sound))))
        heard = torch.from_numpy(part)[None].to(self._model.device, self._model.dtype)
        with torch.inference_mode():
            logits = self._model(heard).logits[0]
        found: FloatArray = logits.float().log_softmax(-1).cpu().numpy()
        return found


def align_words_ctc(
    *,
    aligner: CtcAligner,
    tokens: Sequence[str],
    signal: Samples,
    sample_rate: int,
    spans: Sequence[Span],
) -> list[Word]:
    """Find words in sound by a CTC model.

    Parameters
    ----------
    aligner : CtcAligner
        A loaded model, for the language that is spoken.
    tokens : sequence of str
        Words as written, in the order in which they are said.
    signal : ndarray of float, shape (N,)
        The whole clip, nominally in [-1, 1].
    sample_rate : int
        The aligner's, 16000 Hz.
    spans : sequence of (start, end)
        Where somebody may say them, in time order, at least one.

    Returns
    -------
    list of Word
        One for each token, in order, inside the first span's start and the last one's end.
        ``aligned`` words carry a confidence, the mean posterior of their letters. Words of which
        the model can write no letter share the gap between their neighbours by their length and
        are ``interpolated``.

    Raises
    ------
    ValueError
        If the sampling rate is another one, or there is no span.

    References
    ----------
    Kürzinger et al. (2020), "CTC-Segmentation of Large Corpora for German End-to-End Speech
    Recognition", SPECOM; here with Viterbi's path over a minute at a time.
    """
    if sample_rate != aligner.sample_rate:
        raise ValueError(
            f"this model aligns in sound of {aligner.sample_rate} Hz, got {sample_rate} Hz; "
            "resample it"
        )
    if not spans:
        raise ValueError("no span to look for words in; give at least one (start, end)")
    begin, end = spans[0][0], max(stop for _, stop in spans)
    frame = aligner.hop / sample_rate
    first = max(0, math.floor((begin - CONTEXT) / frame))
    part = signal[first * aligner.hop : math.ceil((end + CONTEXT) / frame) * aligner.hop]
    heard = _silenced(
        aligner.log_probabilities(part), spans=spans, first=first, frame=frame, blank=aligner.blank
    )
    spelled = {i: labels for i, token in enumerate(tokens) if (labels := aligner.spell(token))}
    numbers = list(spelled)
    placed: dict[int, Word] = {}
    for found in find_words(
        log_probabilities=heard,
        words=list(spelled.values()),
        blank=aligner.blank,
        delimiter=aligner.delimiter,
    ):
        start = min(max((first + found.start) * frame, begin), end)
        placed[numbers[found.word]] = Word(
            text=tokens[numbers[found.word]],
            start=start,
            end=min(max((first + found.end) * frame, start), end),
            confidence=found.confidence,
            source="aligned",
        )
    return share_gaps(tokens=tokens, placed=placed, begin=begin, end=end)


def _silenced(
    heard: FloatArray, *, spans: Sequence[Span], first: int, frame: Seconds, blank: int
) -> FloatArray:
    """Allow nothing but blanks where nobody speaks."""
    silent = np.ones(len(heard), np.bool_)
    for start, end in spans:
        low, high = math.floor((start - MARGIN) / frame), math.ceil((end + MARGIN) / frame)
        silent[max(0, low - first) : max(0, high - first)] = False
    heard[silent] = UNLIKELY
    heard[silent, blank] = 0.0
    return heard


def _load(*, folder: Path, name: str) -> tuple[Any, Any, dict[str, int]]:
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForCTC, Wav2Vec2CTCTokenizer, Wav2Vec2FeatureExtractor

    on_gpu = torch.cuda.is_available()
    try:
        with quiet_loading():
            model, report = AutoModelForCTC.from_pretrained(
                folder,
                local_files_only=True,
                dtype=torch.float16 if on_gpu else torch.float32,
                output_loading_info=True,
            )
            features = Wav2Vec2FeatureExtractor.from_pretrained(folder, local_files_only=True)
            tokenizer = Wav2Vec2CTCTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, SafetensorError) as error:
        raise MissingModelError(
            f"alignment model {name!r} in {folder} cannot be loaded ({error}); it must be a CTC "
            "model with configuration, weights and vocabulary, as save_pretrained writes them"
        ) from error
    if any(key.startswith("lm_head") for key in report["missing_keys"]):
        raise MissingModelError(
            f"alignment model {name!r} in {folder}: has no CTC head; give one that was trained to "
            "write letters"
        )
    return model.eval().to("cuda" if on_gpu else "cpu"), features, tokenizer.get_vocab()
