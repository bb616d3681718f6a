import json
import shutil

import pytest
import torch
from transformers import BertModel, BertTokenizer

from models.batch import Batch
from models.bert import BertTransformer, _find_folder, add_special_tokens
from models.errors import ModelError

CLS, SEP = 101, 102
IDS = torch.tensor([[7, 8, 9, 10, 11], [5, 0, 0, 0, 0], [12, 13, 14, 0, 0], [0, 0, 0, 0, 0]])


def batch_of(token_ids):
    size = len(IDS) if token_ids is None else len(token_ids)
    return Batch(
        sequences={},
        target=torch.zeros(size),
        has_target=torch.ones(size, dtype=torch.bool),
        index=torch.arange(size),
        token_ids=token_ids,
    )


def load(folder, *, max_pieces=10, pooler=False):
    return BertTransformer(str(folder), max_pieces=max_pieces, pooler=pooler).eval()


def encode(bert, token_ids):
    text = bert.embed(batch_of(token_ids))
    return bert.encode(text.values, text.mask), text


@pytest.fixture
def copied(tiny_bert, tmp_path):
    return shutil.copytree(tiny_bert, tmp_path / "copy")


def test_the_two_halves_are_the_whole_bert(tiny_bert):
    ours, theirs = load(tiny_bert, pooler=True), BertModel.from_pretrained(tiny_bert).eval()
    assert ours.width == 32
    hidden, text = encode(ours, IDS)
    pooled = ours.pool(hidden, text.mask)
    for row, ids in enumerate(IDS.tolist()):
        whole = [CLS, *(number for number in ids if number), SEP]
        expected = theirs(input_ids=torch.tensor([whole]))
        assert text.mask[row].tolist() == [step < len(whole) for step in range(7)]
        assert text.pieces[row].tolist() == [0 < step < len(whole) - 1 for step in range(7)]
        found = hidden[row, : len(whole)]
        torch.testing.assert_close(found, expected.last_hidden_state[0], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(pooled[row], expected.pooler_output[0], atol=1e-5, rtol=1e-4)
    assert (pooled[0] - pooled[1]).abs().max() > 1e-2


def test_without_a_pooler_the_state_at_cls_is_taken(tiny_bert):
    bert = load(tiny_bert)
    hidden, text = encode(bert, IDS)
    assert torch.equal(bert.pool(hidden, text.mask), hidden[:, 0])
    assert not any("pooler" in name for name, _ in bert.named_parameters())


def test_padding_changes_nothing(tiny_bert):
    bert = load(tiny_bert)
    plain, padded = (
        encode(bert, ids)[0][:, 0] for ids in (IDS, torch.nn.functional.pad(IDS, (0, 4)))
    )
    torch.testing.assert_close(padded, plain, atol=1e-5, rtol=1e-4)


def test_special_tokens_are_those_of_the_tokenizer():
    tokenizer = BertTokenizer.from_pretrained(_find_folder("minilm"), local_files_only=True)
    texts = ["what a wonderfully unpretentious film", "no", ""]
    pieces = [tokenizer.encode(text, add_special_tokens=False) for text in texts]
    ids = torch.nn.utils.rnn.pad_sequence(list(map(torch.tensor, pieces)), batch_first=True)
    whole, mask, words = add_special_tokens(
        token_ids=ids.long(), cls=tokenizer.cls_token_id, sep=tokenizer.sep_token_id
    )
    expected = tokenizer(texts, padding=True, return_tensors="pt")
    assert torch.equal(whole, expected["input_ids"])
    assert torch.equal(mask, expected["attention_mask"].bool())
    assert words.sum(dim=1).tolist() == list(map(len, pieces))


def test_embedded_model_is_loaded_by_name():
    bert = BertTransformer("minilm", max_pieces=8, pooler=False)
    assert (bert.width, bert.cls, bert.sep) == (384, CLS, SEP)
    assert bert.vocabulary_size == 30522


def test_pieces_beyond_the_limit_are_not_read(tiny_bert):
    bert = load(tiny_bert, max_pieces=3)
    assert torch.equal(bert.token_ids(batch_of(IDS)), IDS[:, :3])
    assert torch.equal(encode(bert, IDS)[0], encode(bert, IDS[:, :3])[0])


def test_batch_without_any_piece_is_cls_and_sep(tiny_bert):
    bert = load(tiny_bert)
    hidden, text = encode(bert, torch.zeros(2, 0, dtype=torch.int64))
    assert text.mask.sum(dim=1).tolist() == [2, 2]
    assert not text.pieces.any()
    torch.testing.assert_close(hidden[0, 0], encode(bert, IDS)[0][3, 0], atol=1e-5, rtol=1e-4)


def test_every_parameter_is_trained_and_dropout_acts(tiny_bert):
    bert = load(tiny_bert, pooler=True).train()
    hidden, text = encode(bert, IDS)
    assert not torch.equal(hidden, encode(bert, IDS)[0])
    bert.pool(hidden, text.mask).square().sum().backward()
    assert all(parameter.grad is not None for parameter in bert.parameters())
    assert all(torch.isfinite(parameter.grad).all() for parameter in bert.parameters())


def test_vocabulary_file_says_which_are_cls_and_sep(copied):
    words = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]", *map(chr, range(97, 123))]
    (copied / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    bert = load(copied)
    assert (bert.cls, bert.sep) == (1, 2)


def test_loading_prints_nothing(tiny_bert, capfd):
    load(tiny_bert)
    printed = capfd.readouterr()
    assert printed.out + printed.err == ""


def test_no_token_ids_are_refused(tiny_bert):
    with pytest.raises(ModelError, match="no token ids; extract the text with 'bert_tokens'"):
        load(tiny_bert).embed(batch_of(None))


@pytest.mark.parametrize(("wrong", "message"), [(120, "to 120, "), (-1, "from -1 ")])
def test_ids_outside_the_vocabulary_are_refused(tiny_bert, wrong, message):
    ids = IDS.clone()
    ids[0, 0] = wrong
    with pytest.raises(ModelError, match=message):
        load(tiny_bert).embed(batch_of(ids))


@pytest.mark.parametrize("max_pieces", [0, 39])
def test_more_pieces_than_positions_are_refused(tiny_bert, max_pieces):
    with pytest.raises(ModelError, match=f"reads 1 to 38 word pieces, max_pieces is {max_pieces}"):
        load(tiny_bert, max_pieces=max_pieces)


def test_unknown_model_is_refused():
    with pytest.raises(ModelError, match="'winnow/no-such-bert' is neither a folder nor a model"):
        load("winnow/no-such-bert")


def test_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(ModelError, match="cannot be loaded"):
        load(tmp_path)


def test_another_kind_of_model_is_refused(copied):
    config = json.loads((copied / "config.json").read_text(encoding="utf-8"))
    config["model_type"] = "roberta"
    (copied / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(ModelError, match="is a 'roberta'; give the folder of a BERT"):
        load(copied)


def test_missing_weights_are_refused_instead_of_drawn(tiny_bert, tmp_path):
    BertModel.from_pretrained(tiny_bert, add_pooling_layer=False).save_pretrained(tmp_path)
    assert load(tmp_path).width == 32
    with pytest.raises(ModelError, match=r"lacks 2 weights, first 'pooler.dense.bias'"):
        load(tmp_path, pooler=True)


def test_small_vocabulary_without_its_file_is_refused(tmp_path, tiny_bert):
    config = BertModel.from_pretrained(tiny_bert).config
    config.vocab_size = 50
    BertModel(config).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="50 vocabulary entries and no vocabulary file"):
        load(tmp_path)
