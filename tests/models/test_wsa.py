import numpy as np
import pytest
import torch

from models.batch import PaddedSequence
from models.text_transformer import EmbeddedText
from models.word_alignment import proportional_alignment
from models.wsa import WordwiseAttention

WIDTH, FRAMES = 6, {"audio": 4, "vision": 3}


def build(attention="sparsemax", *, beta=1.0, dropout=0.0, frames=FRAMES):
    return WordwiseAttention(
        width=WIDTH, frame_widths=frames, attention=attention, beta=beta, dropout=dropout
    )


@pytest.fixture
def text():
    mask = torch.arange(5) < torch.tensor([[5], [3]])
    return EmbeddedText(values=torch.randn(2, 5, WIDTH), mask=mask, pieces=mask)


@pytest.fixture
def frames():
    sequences = {}
    for name, width in FRAMES.items():
        mask = torch.arange(8) < torch.tensor([[8], [5]])
        mask[0, 2] = False
        sequences[name] = PaddedSequence(
            values=torch.randn(2, 8, width) * mask[..., None], mask=mask
        )
    return sequences


def simplex_by_bisection(scores):
    """The threshold tau at which max(z - tau, 0) adds up to 1."""
    low, high = scores.max() - 1, scores.max()
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if np.maximum(scores - middle, 0).sum() > 1 else (low, middle)
    return np.maximum(scores - low, 0)


def softmax(scores):
    raised = np.exp(scores - scores.max())
    return raised / raised.sum()


def shifted_by_hand(module, text, frames, weigh):
    """The formula, word by word."""
    arrays = {name: value.detach().double().numpy() for name, value in module.state_dict().items()}
    result = np.zeros((2, 5, WIDTH))
    for row in range(2):
        for place in range(5):
            e = text.values[row, place].double().numpy()
            h = np.zeros(WIDTH)
            for name, sequence in frames.items():
                valid = sequence.mask[row].numpy()
                x = sequence.values[row].double().numpy()[valid]
                a = weigh(arrays[f"keys.{name}.weight"], e, x) @ x
                inner = arrays[f"gates.{name}.weight"] @ np.concatenate([a, e])
                gate = np.maximum(inner + arrays[f"gates.{name}.bias"], 0)
                h += gate * (arrays[f"values.{name}.weight"] @ a)
            rho = min(module.beta * np.linalg.norm(e) / (np.linalg.norm(h) + 1e-6), 1)
            moved = e + rho * h
            result[row, place] = (moved - moved.mean()) / np.sqrt(moved.var() + 1e-5)
    return result


@pytest.mark.parametrize("beta", [1.0, 0.01])
@pytest.mark.parametrize(
    ("attention", "project"), [("sparsemax", simplex_by_bisection), ("softmax", softmax)]
)
def test_shift_is_the_formula_word_by_word(text, frames, attention, project, beta):
    module = build(attention, beta=beta)
    expected = shifted_by_hand(module, text, frames, lambda keys, e, x: project((x @ keys.T) @ e))
    found = module(text, frames).detach()
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_aligned_words_take_their_share_of_the_frames(text, frames):
    module = build("aligned")
    assert not any(name.startswith("keys") for name, _ in module.named_parameters())
    expected = proportional_alignment(steps=text.pieces, frames=frames["audio"].mask)
    assert torch.equal(module.weights("audio", text, frames["audio"]), expected)


@pytest.mark.parametrize("attention", ["sparsemax", "softmax"])
def test_weights_add_up_to_one_over_valid_frames(text, frames, attention):
    weights = build(attention).weights("audio", text, frames["audio"])
    torch.testing.assert_close(weights.sum(dim=2), torch.ones(2, 5))
    assert not weights.transpose(1, 2)[~frames["audio"].mask].any()
    zeros = int((weights == 0).sum()) - 5 * int((~frames["audio"].mask).sum())
    assert (zeros > 0) == (attention == "sparsemax")


@pytest.mark.parametrize("attention", ["sparsemax", "softmax", "aligned"])
def test_without_frames_nothing_is_added(text, frames, attention):
    module = build(attention)
    empty = {
        name: PaddedSequence(values=torch.zeros_like(s.values), mask=torch.zeros_like(s.mask))
        for name, s in frames.items()
    }
    plain = torch.nn.functional.layer_norm(text.values, (WIDTH,))
    found = module(text, empty)
    torch.testing.assert_close(found, plain)
    found.square().sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in module.parameters() if p.grad is not None)
    torch.testing.assert_close(build(attention, frames={})(text, {}), plain)


@pytest.mark.parametrize("attention", ["sparsemax", "softmax", "aligned"])
def test_padding_changes_nothing(text, frames, attention):
    module = build(attention)
    padded = {
        name: PaddedSequence(
            values=torch.nn.functional.pad(s.values, (0, 0, 0, 4)),
            mask=torch.nn.functional.pad(s.mask, (0, 4)),
        )
        for name, s in frames.items()
    }
    torch.testing.assert_close(module(text, padded), module(text, frames))


@pytest.mark.parametrize("beta", [0.5, 2.0])
def test_shift_is_never_longer_than_beta_embeddings(text, frames, beta):
    module = build(beta=beta)
    seen = []
    module.norm.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    with torch.no_grad():
        for layer in module.values.values():
            layer.weight.mul_(100.0)
        module(text, frames)
    lengths = (seen[0] - text.values).norm(dim=-1) / text.values.norm(dim=-1)
    assert lengths.max() == pytest.approx(beta, rel=1e-4)


def test_gradients_are_those_of_finite_differences(text, frames):
    module = build().double()
    wide = EmbeddedText(values=text.values.double(), mask=text.mask, pieces=text.pieces)
    others = {
        name: PaddedSequence(values=s.values.double(), mask=s.mask) for name, s in frames.items()
    }
    keys = module.keys["audio"].weight

    def outcome(weight):
        changed = {"keys.audio.weight": weight}
        return torch.func.functional_call(module, changed, (wide, others))

    assert torch.autograd.gradcheck(outcome, (keys.detach().requires_grad_(),))


def test_dropout_acts_in_training_alone(text, frames):
    module = build(dropout=0.5)
    assert (module(text, frames) == 0).float().mean() > 0.3
    module.eval()
    assert torch.equal(module(text, frames), module(text, frames))
