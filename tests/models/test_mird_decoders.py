import math

import pytest
import torch

from models.batch import PaddedSequence
from models.mird_decoders import MIRDDecoders

WIDTHS = {"text": 6, "audio": 4}


@pytest.fixture
def codes():
    return torch.randn(3, 5), {name: torch.randn(3, 5) for name in WIDTHS}


@pytest.fixture
def sequences():
    found = {}
    for name, width in WIDTHS.items():
        mask = torch.arange(7) < torch.tensor([[7], [2], [0]])
        found[name] = PaddedSequence(values=torch.randn(3, 7, width) * mask[..., None], mask=mask)
    return found


def test_frames_are_compared_where_they_are_valid(codes, sequences):
    shared, private = codes
    decoders = MIRDDecoders(widths=WIDTHS, vocabulary_size=None, width=5)
    errors = decoders(shared=shared, private=private, sequences=sequences, token_ids=None)
    for name, width in WIDTHS.items():
        code = torch.cat([shared, private[name]], dim=1)
        rebuilt, total = decoders.decoders[name](code, 7), 0.0
        for row, length in ((0, 7), (1, 2)):
            difference = rebuilt[row, :length] - sequences[name].values[row, :length]
            total += float(difference.square().sum().detach())
        assert errors[name].item() == pytest.approx(total / (9 * width), rel=1e-5)


def test_word_pieces_are_told_apart(codes, sequences):
    shared, private = codes
    ids = torch.tensor([[3, 9, 1], [7, 0, 0], [0, 0, 0]])
    decoders = MIRDDecoders(widths=WIDTHS, vocabulary_size=11, width=5)
    del sequences["text"]
    errors = decoders(shared=shared, private=private, sequences=sequences, token_ids=ids)
    scores = decoders.decoders["text"](torch.cat([shared, private["text"]], dim=1), 3)
    chances = scores.softmax(dim=2)
    seen = [chances[0, 0, 3], chances[0, 1, 9], chances[0, 2, 1], chances[1, 0, 7]]
    expected = -sum(math.log(chance.item()) for chance in seen) / 4
    assert errors["text"].item() == pytest.approx(expected, rel=1e-5)


def test_padding_changes_nothing(codes, sequences):
    shared, private = codes
    decoders = MIRDDecoders(widths=WIDTHS, vocabulary_size=None, width=5)
    padded = {
        name: PaddedSequence(
            values=torch.nn.functional.pad(s.values, (0, 0, 0, 4)),
            mask=torch.nn.functional.pad(s.mask, (0, 4)),
        )
        for name, s in sequences.items()
    }
    plain, other = (
        decoders(shared=shared, private=private, sequences=given, token_ids=None)
        for given in (sequences, padded)
    )
    torch.testing.assert_close(other, plain)


def test_nothing_to_rebuild_is_no_error(codes, sequences):
    shared, private = codes
    sequences["audio"] = PaddedSequence(
        values=torch.zeros(3, 2, 4), mask=torch.zeros(3, 2, dtype=torch.bool)
    )
    for size, ids in ((None, None), (11, torch.zeros(3, 2, dtype=torch.int64))):
        decoders = MIRDDecoders(widths=WIDTHS, vocabulary_size=size, width=5)
        errors = decoders(shared=shared, private=private, sequences=sequences, token_ids=ids)
        assert errors["audio"] is None
        assert (errors["text"] is None) == (ids is not None)


def test_frames_are_rebuilt_from_any_codes(codes):
    _, private = codes
    shared = {name: torch.randn(3, 5) for name in WIDTHS}
    decoders = MIRDDecoders(widths=WIDTHS, vocabulary_size=None, width=5)
    found = decoders.frames(shared=shared, private=private, steps=9)
    assert set(found) == {"text", "audio"}
    for name, width in WIDTHS.items():
        assert found[name].shape == (3, 9, width)
        code = torch.cat([shared[name], private[name]], dim=1)
        torch.testing.assert_close(found[name], decoders.decoders[name](code, 9))
    words = MIRDDecoders(widths=WIDTHS, vocabulary_size=11, width=5)
    assert set(words.frames(shared=shared, private=private, steps=9)) == {"audio"}
