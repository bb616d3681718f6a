import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertForMaskedLM, BertModel, BertTokenizer

from extractors.bert import Bert, find_model, weights_digest
from extractors.errors import MissingModelError
from extractors.word_pieces import context_windows

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "##ly", "film", ","]


@pytest.fixture
def tiny_bert(tmp_path: Path) -> Path:
    """A BERT of 8 positions and random weights, with the head it was 'trained' with."""
    torch.manual_seed(0)
    folder = tmp_path / "tiny"
    config = BertConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=8,
    )
    BertForMaskedLM(config).save_pretrained(folder)
    BertTokenizer(vocab={word: i for i, word in enumerate(VOCABULARY)}).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def minilm() -> Bert:
    return Bert("minilm")


def direct_forward(folder: Path, pieces: list[int]) -> np.ndarray:
    model = BertModel.from_pretrained(folder, local_files_only=True).eval()
    with torch.no_grad():
        return model(input_ids=torch.tensor([pieces])).last_hidden_state[0].numpy()


def test_states_equal_a_direct_forward_of_transformers(minilm):
    words = ["I", "don't", "like", "this", "unbelievableness,", "really."]
    tokenizer = BertTokenizer.from_pretrained(minilm.folder, local_files_only=True)
    pieces = tokenizer(" ".join(words))["input_ids"]
    encoded = minilm.encode(words)
    np.testing.assert_allclose(
        encoded.hidden_states, direct_forward(minilm.folder, pieces)[1:-1], atol=1e-5
    )
    assert encoded.word_of_piece.tolist() == [0, 1, 1, 1, 2, 3, 4, 4, 4, 5, 5]
    assert encoded.hidden_states.dtype == np.float32


def test_the_same_words_twice_give_the_same_bytes(minilm):
    words = ["a", "film", "that", "I", "would", "see", "again"]
    first, second = minilm.encode(words), minilm.encode(words)
    assert first.hidden_states.tobytes() == second.hidden_states.tobytes()


def test_a_state_depends_on_its_context(minilm):
    alone, after_not = minilm.encode(["good"]), minilm.encode(["not", "good"])
    assert np.abs(alone.hidden_states[0] - after_not.hidden_states[1]).max() > 0.1


def test_no_words_give_no_rows(minilm):
    encoded = minilm.encode([])
    assert encoded.hidden_states.shape == (0, 384)
    assert encoded.word_of_piece.shape == (0,)


def test_words_of_which_the_tokenizer_keeps_nothing(minilm):
    zero_width_space = "\u200b"
    assert minilm.encode([zero_width_space]).hidden_states.shape == (0, 384)
    encoded = minilm.encode(["good", zero_width_space, "film"])
    assert encoded.word_of_piece.tolist() == [0, 2]
    expected = minilm.encode(["good", "film"]).hidden_states
    np.testing.assert_allclose(encoded.hidden_states, expected, atol=1e-6)


def test_long_text_is_read_in_windows_that_are_full(minilm):
    rng = np.random.default_rng(0)
    vocabulary = [
        "the",
        "film",
        "was",
        "really",
        "good",
        "but",
        "I",
        "did",
        "not",
        "like",
        "its",
        "slow",
        "bad",
        "end",
        "at",
        "all",
    ]
    words = [str(word) for word in rng.choice(vocabulary, 700)]
    encoded = minilm.encode(words)
    assert encoded.word_of_piece.tolist() == list(range(700))
    # 510 pieces fit; the second window starts at 700 - 510 and they meet at (190 + 510) / 2.
    first, second = minilm.encode(words[:510]), minilm.encode(words[190:])
    np.testing.assert_allclose(encoded.hidden_states[:350], first.hidden_states[:350], atol=1e-5)
    np.testing.assert_allclose(encoded.hidden_states[350:], second.hidden_states[160:], atol=1e-5)


def test_a_model_is_loaded_by_path_and_quietly(tiny_bert, capfd):
    bert = Bert(str(tiny_bert))
    encoded = bert.encode(["good", "badly"])
    printed = capfd.readouterr()
    assert printed.out + printed.err == ""
    assert bert.hidden_size == 8
    ids = [VOCABULARY.index(p) for p in ("[CLS]", "good", "bad", "##ly", "[SEP]")]
    np.testing.assert_allclose(
        encoded.hidden_states, direct_forward(tiny_bert, ids)[1:-1], atol=1e-6
    )
    assert encoded.word_of_piece.tolist() == [0, 1, 1]


def test_windows_follow_the_models_own_size(tiny_bert):
    # 8 positions hold 6 pieces; windows of 20 pieces start at 0, 4, 8, 12, 14.
    words = ["good", "film", ",", "bad"] * 5
    encoded = Bert(str(tiny_bert)).encode(words)
    ids = [VOCABULARY.index(word) for word in words]
    cls, sep = VOCABULARY.index("[CLS]"), VOCABULARY.index("[SEP]")
    last = direct_forward(tiny_bert, [cls, *ids[14:], sep])[1:-1]
    np.testing.assert_allclose(encoded.hidden_states[16:], last[2:], atol=1e-6)


def test_windows_read_together_equal_those_read_alone(tiny_bert):
    words = [VOCABULARY[5 + i] for i in np.random.default_rng(0).integers(0, 5, 200)]
    words = [word.removeprefix("##") for word in words]
    encoded = Bert(str(tiny_bert)).encode(words)
    cls, sep = VOCABULARY.index("[CLS]"), VOCABULARY.index("[SEP]")
    for window in context_windows(pieces=len(encoded.token_ids), size=6, stride=4):
        ids = encoded.token_ids[window.start : window.end].tolist()
        alone = direct_forward(tiny_bert, [cls, *ids, sep])[1:-1]
        kept = slice(window.keep_start - window.start, window.keep_end - window.start)
        np.testing.assert_allclose(
            encoded.hidden_states[window.keep_start : window.keep_end], alone[kept], atol=1e-6
        )


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_digest_follows_everything_that_decides_the_values(tiny_bert, name):
    before = weights_digest(tiny_bert)
    assert weights_digest(tiny_bert) == before
    file = tiny_bert / name
    file.write_bytes(file.read_bytes() + b" ")
    assert weights_digest(tiny_bert) != before


def test_digest_does_not_depend_on_the_folders_name(tiny_bert, tmp_path):
    before = weights_digest(tiny_bert)
    assert weights_digest(tiny_bert.rename(tmp_path / "other")) == before


def test_a_model_in_the_local_cache_is_found_by_name(tiny_bert, tmp_path, monkeypatch):
    import huggingface_hub.constants

    cache, commit = tmp_path / "hub", "0" * 40
    entry = cache / "models--someone--tiny"
    (entry / "refs").mkdir(parents=True)
    (entry / "refs" / "main").write_text(commit)
    (entry / "snapshots").mkdir()
    tiny_bert.rename(entry / "snapshots" / commit)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache))
    assert find_model("someone/tiny") == entry / "snapshots" / commit
    assert Bert("someone/tiny").hidden_size == 8


@pytest.mark.parametrize("model", ["nobody/nothing-here", "not a name!", "/no/such/folder"])
def test_an_absent_model_says_what_to_do(model):
    with pytest.raises(MissingModelError, match="neither a folder nor a model in the local cache"):
        Bert(model)


def test_a_folder_without_weights_is_refused(tiny_bert):
    (tiny_bert / "model.safetensors").unlink()
    with pytest.raises(MissingModelError, match="holds no"):
        Bert(str(tiny_bert))
    with pytest.raises(MissingModelError, match="holds no"):
        weights_digest(tiny_bert)


def test_damaged_weights_are_refused(tiny_bert):
    (tiny_bert / "model.safetensors").write_bytes(b"\x01" * 100)
    with pytest.raises(MissingModelError, match="cannot be loaded"):
        Bert(str(tiny_bert))


def test_another_kind_of_model_is_refused(tiny_bert):
    file = tiny_bert / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"model_type": "roberta"}))
    with pytest.raises(MissingModelError, match="is a roberta; give a BERT"):
        Bert(str(tiny_bert))
