import dataclasses

import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from models.base import available
from models.baseline import Baseline, BaselineConfig
from models.concat import Concat, ConcatConfig
from models.errors import MissingModalityError, ModelError


def with_pieces(batch):
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(1, 100, (len(batch), 6), generator=generator)
    lengths = torch.randint(1, 7, (len(batch), 1), generator=generator)
    without = {name: s for name, s in batch.sequences.items() if name != "text"}
    ids = ids * (torch.arange(6) < lengths)
    return dataclasses.replace(batch, sequences=without, token_ids=ids)


def test_what_is_shared_is_no_model():
    assert Baseline.name not in available()


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_pieces": 0},
        {"text_rate": 0.0},
        {"regression": "huber"},
        {"width": 0},
        {"dropout": 1.0},
        {"dropout": -0.1},
    ],
)
def test_values_outside_their_range_are_named(wrong):
    (name,) = wrong
    with pytest.raises(ValueError, match=name):
        ConcatConfig(**wrong)


def test_an_unknown_setting_is_refused():
    with pytest.raises(ValidationError, match="widht"):
        TypeAdapter(BaselineConfig).validate_python({"widht": 3})


@pytest.mark.parametrize("kind", ["l1", "mse"])
def test_error_is_that_of_the_labelled_rows(make_batch, dimensions, kind):
    batch = dataclasses.replace(make_batch(), has_target=torch.arange(8) < 5)
    model = Concat(ConcatConfig(regression=kind), dimensions)
    output = model(batch)
    losses = model.losses(batch, output, 0.5)
    error = (output.prediction - batch.target)[:5]
    expected = error.abs().mean() if kind == "l1" else error.square().mean()
    torch.testing.assert_close(losses.total, expected)


def test_words_alone_train_the_bert_at_a_rate_of_its_own(make_batch, dimensions, tiny_bert):
    batch = with_pieces(make_batch())
    model = Concat(
        ConcatConfig(text_model=str(tiny_bert), max_pieces=30, text_rate=0.25), dimensions
    )
    assert model.reads_token_ids
    assert model.widths == dimensions | {"text": 32}
    rest, text = model.parameter_groups(1e-2)
    assert (rest["lr"], text["lr"]) == (1e-2, 2.5e-3)
    assert {id(p) for p in text["params"]} == {id(p) for p in model.text_reader.parameters()}
    assert len(rest["params"]) + len(text["params"]) == len(list(model.parameters()))
    model.losses(batch, model(batch), 0.5).total.backward()
    assert all(p.grad is not None for p in model.parameters())
    assert model.text_reader.bert.bert.embeddings.word_embeddings.weight.grad.any()


def test_padded_pieces_change_nothing(make_batch, dimensions, tiny_bert):
    batch = with_pieces(make_batch())
    model = Concat(ConcatConfig(text_model=str(tiny_bert), max_pieces=30), dimensions).eval()
    padded = torch.nn.functional.pad(batch.token_ids, (0, 5))
    torch.testing.assert_close(
        model(dataclasses.replace(batch, token_ids=padded)).prediction,
        model(batch).prediction,
        atol=1e-5,
        rtol=1e-4,
    )


def test_a_batch_without_pieces_is_refused(make_batch, dimensions, tiny_bert):
    model = Concat(ConcatConfig(text_model=str(tiny_bert), max_pieces=30), dimensions)
    with pytest.raises(MissingModalityError, match="as token ids"):
        model(make_batch())


def test_without_text_there_is_no_bert(make_batch, dimensions):
    del dimensions["text"]
    model = Concat(ConcatConfig(text_model="none of this name"), dimensions)
    assert not model.reads_token_ids
    assert len(list(model.parameter_groups(1e-3))) == 1
    assert set(model(make_batch()).parts["Z"]) == {"audio", "vision"}


def test_an_unknown_bert_is_refused(dimensions):
    with pytest.raises(ModelError, match="none of this name"):
        Concat(ConcatConfig(text_model="none of this name"), dimensions)
