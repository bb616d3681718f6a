import dataclasses

import torch

from models.text_reader import TextReader


def test_stored_features_are_passed_on(make_batch):
    batch = make_batch()
    reader = TextReader(None, max_pieces=5, input_width=12)
    text = reader(batch)
    assert reader.width == 12
    assert torch.equal(text.values, batch.sequences["text"].values)
    assert torch.equal(text.mask, batch.sequences["text"].mask)
    assert torch.equal(text.pieces, text.mask)
    assert not list(reader.parameters())


def test_hidden_states_are_those_of_the_bert(make_batch, tiny_bert):
    from transformers import BertModel

    reader = TextReader(str(tiny_bert), max_pieces=4, input_width=12).eval()
    bert = BertModel.from_pretrained(tiny_bert, add_pooling_layer=False).eval()
    ids = torch.tensor([[7, 8, 9, 10, 11], [12, 13, 0, 0, 0], [0, 0, 0, 0, 0]])
    text = reader(dataclasses.replace(make_batch(size=3), token_ids=ids))
    read = [[101, 7, 8, 9, 10, 102], [101, 12, 13, 102], [101, 102]]
    assert reader.width == 32
    for row, pieces in enumerate(read):
        expected = bert(input_ids=torch.tensor([pieces])).last_hidden_state[0]
        found = text.values[row][text.mask[row]]
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
        assert text.pieces[row].sum() == len(pieces) - 2
