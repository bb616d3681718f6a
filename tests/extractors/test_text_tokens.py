from pathlib import Path

import numpy as np
import pytest
from transformers import BertTokenizer

from extractors.base import get
from extractors.bert import find_model
from extractors.errors import MissingModelError
from extractors.media import Media
from extractors.text import TextConfig, TextExtractor
from extractors.text_tokens import TokenExtractor
from extractors.words import Word

SPOKEN = Media(
    path=Path("never-opened.mp4"),
    words=(
        Word(text="Unbelievableness,", start=0.0, end=0.8),
        Word(text="really?", start=1.0, end=1.4),
    ),
)


def test_is_registered_as_bert_tokens():
    assert get("bert_tokens") is TokenExtractor
    assert TokenExtractor.modality == "text"


def test_ids_are_those_of_the_text_without_special_tokens():
    tokenizer = BertTokenizer.from_pretrained(find_model("minilm"), local_files_only=True)
    wanted = tokenizer("Unbelievableness, really?")["input_ids"][1:-1]
    found = TokenExtractor().extract(SPOKEN)
    assert found.names == ("token_id",)
    assert found.values[:, 0].astype(int).tolist() == wanted
    assert found.valid.all()


def test_rows_are_those_of_the_hidden_states():
    tokens, states = TokenExtractor().extract(SPOKEN), TextExtractor().extract(SPOKEN)
    np.testing.assert_array_equal(tokens.times, states.times)


def test_no_words_give_no_rows():
    assert len(TokenExtractor().extract(Media(path=Path("never-opened.mp4")))) == 0


def test_digest_does_not_read_weights_and_follows_the_vocabulary(tmp_path):
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\ngood\n")
    extractor = TokenExtractor(TextConfig(model=str(tmp_path)))
    before = extractor.weights_digest()
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\ngood\nbad\n")
    assert extractor.weights_digest() != before


def test_an_absent_model_is_named():
    with pytest.raises(MissingModelError, match="nobody/nothing-here"):
        TokenExtractor(TextConfig(model="nobody/nothing-here")).extract(SPOKEN)
