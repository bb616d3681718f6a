import pytest
import torch
from sklearn.metrics import mean_squared_error

from models.errors import ModelError
from models.losses.reconstruction import reconstruction_loss

REBUILT, TARGET = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0)).unbind()


def test_mean_squared_error():
    loss = reconstruction_loss(reconstruction=REBUILT, target=TARGET)
    assert loss.item() == pytest.approx(mean_squared_error(TARGET, REBUILT), rel=1e-6)


def test_masked_rows_do_not_count():
    mask = torch.tensor([True, False, True, True, False])
    target = TARGET.clone()
    target[~mask] = 1e6
    loss = reconstruction_loss(reconstruction=REBUILT, target=target, mask=mask)
    assert loss.item() == pytest.approx(mean_squared_error(TARGET[mask], REBUILT[mask]), rel=1e-6)


def test_masked_steps_of_sequences():
    rebuilt, target = REBUILT.view(1, 5, 3), TARGET.view(1, 5, 3)
    mask = torch.tensor([[True, True, False, False, False]])
    loss = reconstruction_loss(reconstruction=rebuilt, target=target, mask=mask)
    assert loss.item() == pytest.approx(mean_squared_error(TARGET[:2], REBUILT[:2]), rel=1e-6)


@pytest.mark.parametrize(
    ("mask", "message"),
    [(torch.zeros(5, dtype=torch.bool), "False throughout"), (torch.ones(4) > 0, r"needs \(5,\)")],
)
def test_useless_mask_is_refused(mask, message):
    with pytest.raises(ModelError, match=message):
        reconstruction_loss(reconstruction=REBUILT, target=TARGET, mask=mask)


def test_shapes_must_agree():
    with pytest.raises(ModelError, match=r"\(5, 2\)"):
        reconstruction_loss(reconstruction=REBUILT[:, :2], target=TARGET)
