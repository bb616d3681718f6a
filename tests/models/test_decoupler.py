import numpy as np
import pytest
import torch
from torch import nn

from models.batch import PaddedSequence
from models.decoupler import DecoupledSteps, Decoupler
from models.losses.label_margin import label_margin_loss

LENGTHS = {"text": [3, 1, 2, 3], "audio": [5, 2, 0, 4]}
NAMES = tuple(LENGTHS)


class Encoder(nn.Module):
    """A map of steps with a bias, so that steps that are not there become something too."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, sequence):
        return torch.tanh(self.linear(sequence.values))


@pytest.fixture
def decoupler():
    return Decoupler(
        shared=Encoder(), private={name: Encoder() for name in NAMES}, width=4
    ).double()


@pytest.fixture
def steps():
    found = {}
    for name, lengths in LENGTHS.items():
        mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
        values = torch.randn(4, max(lengths), 4).double() * mask[..., None]
        found[name] = PaddedSequence(values=values, mask=mask)
    return found


def encoded(encoder, frames):
    weight, bias = (p.detach().numpy() for p in encoder.parameters())
    return np.tanh(frames @ weight.T + bias)


def frames_of(steps, name):
    """The valid steps of each clip, without padding."""
    return [steps[name].values[row, :length].numpy() for row, length in enumerate(LENGTHS[name])]


def test_codes_are_the_encoders_of_each_step(decoupler, steps):
    codes = decoupler(steps)
    for name in NAMES:
        for kind, encoder in (("shared", decoupler.shared), ("private", decoupler.private[name])):
            sequence = getattr(codes, kind)[name]
            for row, frames in enumerate(frames_of(steps, name)):
                expected = encoded(encoder, frames)
                np.testing.assert_allclose(sequence.values[row, : len(frames)].detach(), expected)
                assert not sequence.values[row, len(frames) :].any()
                mean = expected.mean(axis=0) if len(frames) else np.zeros(4)
                np.testing.assert_allclose(codes.means(kind)[name][row].detach(), mean)
    assert codes.there["audio"].tolist() == [True, True, False, True]


def test_terms_equal_loops_over_steps(decoupler, steps):
    target = torch.tensor([1.0, -2.0, 1.0, 0.0], dtype=torch.float64)
    has_target = torch.tensor([True, True, True, False])
    terms = decoupler.terms(decoupler(steps), target=target, has_target=has_target, margin=0.3)
    sums = {"reconstruction": 0.0, "cycle": 0.0, "orthogonality": 0.0}
    for name in NAMES:
        X = np.concatenate(frames_of(steps, name))
        S, P = encoded(decoupler.shared, X), encoded(decoupler.private[name], X)
        rebuilt = np.hstack([P, S]) @ decoupler.decoders[name].weight.detach().numpy().T
        again = encoded(decoupler.private[name], rebuilt)
        cosines = (S * P).sum(1) / np.sqrt((S * S).sum(1) * (P * P).sum(1))
        sums["reconstruction"] += np.square(rebuilt - X).mean()
        sums["cycle"] += np.square(again - P).mean()
        sums["orthogonality"] += np.maximum(cosines, 0.0).mean()
    for name, expected in sums.items():
        assert terms[name].item() == pytest.approx(expected), name
    # clip 3 has no label, clip 2 no audio
    rows = [("text", 0), ("text", 1), ("text", 2), ("audio", 0), ("audio", 1)]
    means = [encoded(decoupler.shared, frames_of(steps, name)[row]).mean(0) for name, row in rows]
    aligned = [
        mean @ decoupler.alignments[name].weight.detach().numpy().T
        + decoupler.alignments[name].bias.detach().numpy()
        for (name, _), mean in zip(rows, means, strict=True)
    ]
    expected = label_margin_loss(
        codes=torch.tensor(np.array(aligned)),
        labels=torch.tensor([1.0, -2.0, 1.0, 1.0, -2.0], dtype=torch.float64),
        margin=0.3,
    )
    assert expected.item() > 0.0
    assert terms["margin"].item() == pytest.approx(expected.item())


def test_means_of_codes_decode_to_the_mean_of_rebuilt_steps(decoupler, steps):
    codes = decoupler(steps)
    found = decoupler.decode(
        modality="text",
        shared=codes.means("shared")["text"],
        private=codes.means("private")["text"],
    )
    for row, length in enumerate(LENGTHS["text"]):
        every = decoupler.decode(
            modality="text",
            shared=codes.shared["text"].values[row, :length],
            private=codes.private["text"].values[row, :length],
        )
        torch.testing.assert_close(found[row], every.mean(0))


def test_tensors_and_back(decoupler, steps):
    codes = decoupler(steps)
    again = DecoupledSteps.of({**codes.tensors(), "other": torch.zeros(1)}, NAMES)
    for kind in ("steps", "shared", "private"):
        for name in NAMES:
            before, after = getattr(codes, kind)[name], getattr(again, kind)[name]
            assert torch.equal(before.values, after.values)
            assert torch.equal(before.mask, after.mask)


def test_a_modality_that_no_clip_has_trains_nothing(decoupler, steps):
    empty = torch.zeros_like(steps["audio"].mask)
    steps["audio"] = PaddedSequence(values=0 * steps["audio"].values, mask=empty)
    target, known = torch.ones(4, dtype=torch.float64), torch.ones(4, dtype=torch.bool)
    terms = decoupler.terms(decoupler(steps), target=target, has_target=known, margin=0.1)
    torch.stack(list(terms.values())).sum().backward()
    assert all(torch.isfinite(term) for term in terms.values())
    assert not decoupler.decoders["audio"].weight.grad.any()
    assert decoupler.decoders["text"].weight.grad.any()
