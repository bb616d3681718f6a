"""A BERT of the size of BERT-base with random weights, for :mod:`benchmarks.training`."""

from pathlib import Path

import torch
from transformers import BertConfig, BertModel

_SPECIAL = {0: "[PAD]", 100: "[UNK]", 101: "[CLS]", 102: "[SEP]", 103: "[MASK]"}


def write_bert_base(folder: Path) -> Path:
    """Write one, unless it is there.

    Parameters
    ----------
    folder : Path
        Receives settings, weights and a vocabulary of numbered words.

    Returns
    -------
    Path
        The same.
    """
    if not (folder / "vocab.txt").exists():
        torch.manual_seed(0)
        config = BertConfig()
        BertModel(config).save_pretrained(folder)
        words = (_SPECIAL.get(n, f"w{n}") for n in range(config.vocab_size))
        (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    return folder
