from collections.abc import Mapping

import pytest
import torch
import torch.nn.functional as F

from models.base import available, get, with_classes
from models.batch import Batch, PaddedSequence
from models.class_output import check_classes, last_layers, scores_of, task_loss, task_output
from models.errors import ModelError
from models.losses.regression import regression_loss

WIDTHS = {"text": 6, "audio": 4, "vision": 3}
NAMES = ("agree", "ask", "leave", "praise")


def make_batch(*, targets, known=None):
    torch.manual_seed(0)
    size = len(targets)
    sequences = {
        name: PaddedSequence(
            values=torch.randn(size, 5, width), mask=torch.ones(size, 5, dtype=torch.bool)
        )
        for name, width in WIDTHS.items()
    }
    return Batch(
        sequences=sequences,
        target=torch.tensor(targets),
        has_target=torch.tensor([True] * size if known is None else known),
        index=torch.arange(size),
    )


def build(name, classes, settings: Mapping | None = None):
    torch.manual_seed(1)
    model = get(name)
    return model(model.Config(classes=classes, **(settings or {})), WIDTHS)


def test_baselines_of_mintrec_predict_classes():
    assert {"text_only", "concat", "mind", "misa", "mult", "mag_bert"} == set(with_classes())


@pytest.mark.parametrize("name", with_classes())
def test_models_have_one_score_a_class(name):
    batch = make_batch(targets=[0.0, 3.0, 1.0, 2.0, 0.0, 1.0])
    model = build(name, NAMES).eval()
    output = model(batch)
    scores = scores_of(output)
    assert scores.shape == (6, 4)
    assert torch.equal(output.prediction, scores.argmax(dim=1).float())
    losses = model.losses(batch, output, 0.5)
    expected = F.cross_entropy(scores, batch.target.long())
    torch.testing.assert_close(losses.terms["task"], expected)
    losses.total.backward()
    last = max(
        (p for n, p in model.named_parameters() if p.shape[0] == 4 and "noise" not in n),
        key=lambda p: p.ndim,
    )
    assert last.grad.abs().sum() > 0


@pytest.mark.parametrize("name", with_classes())
def test_models_learn_classes(name):
    """12 utterances of 4 classes, told by the mean of their features, are learned by heart."""
    batch = make_batch(targets=[float(number % 4) for number in range(12)])
    for sequence in batch.sequences.values():
        sequence.values[:, :, 0] += 3.0 * (batch.target[:, None] - 1.5)
    model = build(name, NAMES)
    optimiser = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(25):
        optimiser.zero_grad()
        model.losses(batch, model(batch), 0.5).terms["task"].backward()
        optimiser.step()
    found = model.eval()(batch).prediction
    assert (found == batch.target).float().mean() > 0.9


@pytest.mark.parametrize("name", sorted(set(available()) - set(with_classes())))
def test_other_models_refuse(name):
    model = get(name)
    if "classes" not in model.Config.__dataclass_fields__:
        assert not model.predicts_classes
        return
    with pytest.raises(ModelError, match=r"predicts a score, not classes; choose one of .*mind"):
        model(model.Config(classes=NAMES), WIDTHS)


@pytest.mark.parametrize("name", with_classes())
def test_without_classes_there_is_a_score(name):
    output = build(name, ()).eval()(make_batch(targets=[0.5, -0.5]))
    assert output.prediction.shape == (2,)
    assert output.prediction.requires_grad
    assert "class_scores" not in output.extras


def test_rows_without_a_target_do_not_count():
    scores = torch.randn(3, 4, requires_grad=True)
    batch = make_batch(targets=[1.0, 0.0, 2.0], known=[True, False, True])
    loss = task_loss(scores=scores, batch=batch, kind="l1")
    expected = F.cross_entropy(scores[[0, 2]], torch.tensor([1, 2]))
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert scores.grad[1].abs().max() == 0
    nothing = make_batch(targets=[0.0, 0.0, 0.0], known=[False] * 3)
    assert task_loss(scores=scores, batch=nothing, kind="l1").item() == 0


def test_a_score_has_the_error_of_regression():
    batch = make_batch(targets=[1.0, -2.0])
    scores = torch.tensor([0.5, 0.0])
    for kind in ("l1", "mse", "logistic"):
        expected = regression_loss(
            prediction=scores, target=batch.target, has_target=batch.has_target, kind=kind
        )
        assert task_loss(scores=scores, batch=batch, kind=kind) == expected
    assert scores_of(task_output(scores, parts={})) is scores


def test_last_layers():
    vector = torch.randn(5, 3)
    assert torch.nn.Sequential(*last_layers(width=3, classes=()))(vector).shape == (5,)
    assert torch.nn.Sequential(*last_layers(width=3, classes=NAMES))(vector).shape == (5, 4)


@pytest.mark.parametrize("classes", [("one",), ("a", "b", "a")])
def test_names_are_checked(classes):
    with pytest.raises(ValueError, match="two or more distinct names"):
        check_classes(classes)
    with pytest.raises(ValueError, match="two or more distinct names"):
        get("concat").Config(classes=classes)
