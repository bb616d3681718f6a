import dataclasses

import pytest
import torch

from models.base import get
from models.errors import ModelError
from models.text_only import TextOnly, TextOnlyConfig


def test_registered_by_name():
    assert get("text_only") is TextOnly


def test_nothing_but_text_is_read(make_batch, dimensions):
    model, batch, other = TextOnly(None, dimensions).eval(), make_batch(), make_batch(seed=1)
    mixed = dataclasses.replace(
        other, sequences={**other.sequences, "text": batch.sequences["text"]}
    )
    assert torch.equal(model(mixed).prediction, model(batch).prediction)
    assert not torch.allclose(model(other).prediction, model(batch).prediction, atol=1e-3)
    assert set(model(batch).parts["Z"]) == {"text"}


def test_prediction_is_linear_in_the_vector(make_batch, dimensions):
    model = TextOnly(TextOnlyConfig(width=5), dimensions).eval()
    output = model(make_batch())
    _, linear, _ = model.head
    expected = output.parts["Z"]["text"] @ linear.weight[0] + linear.bias
    torch.testing.assert_close(output.prediction, expected)


def test_data_without_text_is_refused():
    with pytest.raises(ModelError, match=r"reads text, the data has \['audio'\]"):
        TextOnly(None, {"audio": 3})


def test_a_bert_learns_the_words(make_batch, dimensions, tiny_bert):
    """Pieces 10 and 20 decide the sign of the target."""
    ids = torch.randint(30, 100, (8, 5), generator=torch.Generator().manual_seed(0))
    positive = torch.arange(8) % 2 == 0
    ids[:, 2] = torch.where(positive, 10, 20)
    batch = dataclasses.replace(
        make_batch(), token_ids=ids, target=torch.where(positive, 2.0, -2.0), sequences={}
    )
    model = TextOnly(
        TextOnlyConfig(text_model=str(tiny_bert), max_pieces=30, text_rate=0.3), {"text": 12}
    )
    optimiser = torch.optim.AdamW(list(model.parameter_groups(1e-2)))
    for _ in range(25):
        loss = model.losses(batch, model(batch), 0.5).total
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert (model.eval()(batch).prediction - batch.target).abs().max() < 1.0
