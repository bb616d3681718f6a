import dataclasses

import torch

from models.almt_config import ALMTConfig
from models.batch import PaddedSequence
from models.modality_embedding import ModalityEmbedding
from models.transformer import sinusoidal_positions

SMALL = ALMTConfig(
    width=8, tokens=3, heads=2, head_width=4, feedforward_width=6, embedding_layers=2
)


def sequences(length=7, lengths=(7, 4, 1)):
    mask = torch.arange(length) < torch.tensor(lengths)[:, None]
    return PaddedSequence(values=torch.randn(len(lengths), length, 5) * mask[..., None], mask=mask)


def test_tokens_of_each_clip_alone_stand_in_front_of_its_steps():
    embedding, given = ModalityEmbedding(SMALL, input_width=5).double(), sequences()
    given = PaddedSequence(values=given.values.double(), mask=given.mask)
    found = embedding(given)
    assert found.shape == (3, 3, 8)
    for row, length in enumerate((7, 4, 1)):
        steps = embedding.projection(given.values[row, :length])
        steps = steps + sinusoidal_positions(length=length, width=8, like=steps)
        hidden = torch.cat([embedding.tokens, steps])[None]
        assert len(embedding.layers) == 2
        for layer in embedding.layers:
            hidden = layer(hidden)
        torch.testing.assert_close(found[row], hidden[0, :3])


def test_steps_are_averaged_first():
    embedding = ModalityEmbedding(SMALL, input_width=5, stride=2)
    given = sequences()
    first = given.values[:1]
    windows = [first[:, 0:2], first[:, 2:4], first[:, 4:6], first[:, 6:]]
    pairs = torch.stack([window.mean(dim=1) for window in windows], dim=1)
    averaged = PaddedSequence(values=pairs, mask=torch.ones(1, 4, dtype=torch.bool))
    plain = ModalityEmbedding(SMALL, input_width=5)
    plain.load_state_dict(embedding.state_dict())
    torch.testing.assert_close(embedding(given)[:1], plain(averaged))


def test_a_clip_without_steps_has_the_tokens_alone():
    embedding = ModalityEmbedding(SMALL, input_width=5)
    given = sequences()
    empty = dataclasses.replace(given, mask=torch.zeros_like(given.mask))
    found = embedding(empty)
    hidden = embedding.tokens[None]
    for layer in embedding.layers:
        hidden = layer(hidden)
    torch.testing.assert_close(found, hidden.expand(3, -1, -1))
