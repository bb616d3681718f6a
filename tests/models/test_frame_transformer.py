import torch

from models.batch import PaddedSequence
from models.frame_transformer import FrameTransformer
from models.transformer import sinusoidal_positions


def build(stride=1, dropout=0.0):
    return FrameTransformer(
        input_width=5, width=8, heads=2, layers=2, dropout=dropout, stride=stride
    )


def sequences(lengths=(7, 4, 0)):
    mask = torch.arange(7) < torch.tensor(lengths)[:, None]
    return PaddedSequence(values=torch.randn(len(lengths), 7, 5) * mask[..., None], mask=mask)


def by_hand(encoder, frames):
    """Post-norm layers on one clip, from their parts."""
    steps = torch.cat([encoder.token[None], encoder.projection(frames)])
    hidden = steps + sinusoidal_positions(length=len(steps), width=8, like=steps)
    for layer in encoder.transformer.layers:
        projected = hidden @ layer.self_attn.in_proj_weight.T + layer.self_attn.in_proj_bias
        heads = []
        for head in range(2):
            query, key, value = (
                part[:, 4 * head : 4 * head + 4] for part in projected.chunk(3, dim=1)
            )
            heads.append(torch.softmax(query @ key.T / 2, dim=1) @ value)
        hidden = layer.norm1(hidden + layer.self_attn.out_proj(torch.cat(heads, dim=1)))
        inside = torch.nn.functional.gelu(layer.linear1(hidden))
        hidden = layer.norm2(hidden + layer.linear2(inside))
    return encoder.transformer.norm(hidden).mean(0)


def test_vector_is_the_mean_over_token_and_frames_of_each_clip_alone():
    given = sequences()
    for encoder in (build(), build().eval()):
        found = encoder(given)
        for row, length in enumerate((7, 4, 0)):
            expected = by_hand(encoder, given.values[row, :length])
            torch.testing.assert_close(found[row], expected, atol=1e-5, rtol=1e-4)


def test_inference_without_gradients_gives_the_same():
    encoder, given = build().eval(), sequences()
    with torch.no_grad():
        fast = encoder(given)
    torch.testing.assert_close(fast, encoder(given), atol=1e-5, rtol=1e-4)


def test_frames_are_averaged_first():
    encoder, given = build(stride=2), sequences()
    frames = given.values[0]
    windows = [frames[0:2], frames[2:4], frames[4:6], frames[6:]]
    averaged = torch.stack([window.mean(0) for window in windows])
    torch.testing.assert_close(encoder(given)[0], by_hand(encoder, averaged), atol=1e-5, rtol=1e-4)


def test_dropout_acts_in_training_only():
    encoder, given = build(dropout=0.5), sequences()
    assert not torch.equal(encoder(given), encoder(given))
    encoder.eval()
    assert torch.equal(encoder(given), encoder(given))
