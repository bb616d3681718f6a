import dataclasses
from itertools import permutations

import pytest
import torch

from models.base import get
from models.batch import PaddedSequence
from models.mult import MulT
from models.mult_config import MulTConfig

SMALL = MulTConfig(
    step_width=8,
    heads=2,
    layers=2,
    self_attention_layers=1,
    text_kernel=2,
    audio_kernel=3,
    vision_kernel=1,
    audio_stride=1,
    vision_stride=1,
    output_dropout=0.0,
)
MODALITIES = ("text", "audio", "vision")


def test_registered_by_name():
    assert get("mult") is MulT


def test_every_ordered_pair_has_a_transformer(dimensions):
    config = dataclasses.replace(
        SMALL, text_attention_dropout=0.3, audio_attention_dropout=0.2, vision_attention_dropout=0.1
    )
    model = MulT(config, dimensions)
    assert set(model.crossmodal) == {f"{a}_to_{b}" for a, b in permutations(MODALITIES, 2)}
    rates = {"text": 0.3, "audio": 0.2, "vision": 0.1}
    for name, transformer in model.crossmodal.items():
        assert len(transformer.layers) == 2
        assert transformer.layers[0].attention_dropout == rates[name.split("_")[0]]
    for transformer in model.self_attention.values():
        assert (len(transformer.layers), transformer.width) == (1, 16)
        assert transformer.layers[0].attention_dropout == 0.3


def test_prediction_follows_the_wiring_of_each_clip_alone(make_batch, dimensions):
    batch, model = make_batch(), MulT(SMALL, dimensions).double().eval()
    batch = dataclasses.replace(
        batch,
        sequences={
            name: PaddedSequence(values=s.values.double(), mask=s.mask)
            for name, s in batch.sequences.items()
        },
    )
    output = model(batch)
    for row in range(8):
        steps = {}
        for name, s in batch.sequences.items():
            frames = s.values[row][s.mask[row]]
            convolution = model.convolutions[name].convolution
            size = convolution.kernel_size[0]
            missing = max(0, size - len(frames))
            frames = torch.nn.functional.pad(frames, (0, 0, 0, missing))
            values = convolution(frames.T[None]).transpose(1, 2)
            mask = torch.ones(values.shape[:2], dtype=torch.bool)
            steps[name] = PaddedSequence(values=values, mask=mask)
        last = []
        for target in MODALITIES:
            retold = [
                model.crossmodal[f"{source}_to_{target}"](steps[target], steps[source])
                for source in MODALITIES
                if source != target
            ]
            joined = PaddedSequence(values=torch.cat(retold, dim=2), mask=steps[target].mask)
            last.append(model.self_attention[target](joined)[0, -1])
            torch.testing.assert_close(output.parts["Z"][target][row], last[-1])
        joint = torch.cat(last)
        one, _, _, two = model.block
        hidden = joint + two(torch.relu(one(joint)))
        expected = hidden @ model.output.weight[0] + model.output.bias[0]
        torch.testing.assert_close(output.prediction[row], expected)


def test_every_frame_reaches_the_prediction(make_batch, dimensions):
    batch, model = make_batch(), MulT(SMALL, dimensions).double().eval()
    sequences = {
        name: PaddedSequence(values=s.values.double().requires_grad_(), mask=s.mask)
        for name, s in batch.sequences.items()
    }
    model(dataclasses.replace(batch, sequences=sequences)).prediction.sum().backward()
    for name, sequence in sequences.items():
        reached = sequence.values.grad.abs().amax(dim=2) > 0
        assert torch.equal(reached, sequence.mask), name


def test_a_modality_that_a_clip_lacks_takes_no_part(make_batch, dimensions):
    batch, model = make_batch(), MulT(SMALL, dimensions).eval()
    audio = batch.sequences["audio"]
    mask = audio.mask.clone()
    mask[:3] = False
    lacking = PaddedSequence(values=audio.values * mask[..., None], mask=mask)
    batch = dataclasses.replace(batch, sequences={**batch.sequences, "audio": lacking})
    Z = model(batch).parts["Z"]
    assert not Z["audio"][:3].any()
    assert Z["audio"][3:].any(dim=1).all()
    assert Z["text"].any(dim=1).all()


@pytest.mark.parametrize(("modalities", "width"), [(("text", "audio"), 8), (("vision",), 8)])
def test_fewer_modalities(make_batch, dimensions, modalities, width):
    model = MulT(SMALL, {name: dimensions[name] for name in modalities})
    batch = make_batch()
    output = model(batch)
    assert {name: z.shape for name, z in output.parts["Z"].items()} == dict.fromkeys(
        modalities, (8, width)
    )
    model.losses(batch, output, 0.5).total.backward()
    assert all(p.grad is not None for p in model.parameters())


@pytest.mark.parametrize("name", ["text_dropout", "output_dropout"])
def test_dropouts_of_the_ends_act_in_training_only(make_batch, dimensions, name):
    quiet = dict.fromkeys((n for n in vars(SMALL) if n.endswith("dropout")), 0.0)
    model, batch = (
        MulT(dataclasses.replace(SMALL, **{**quiet, name: 0.5}), dimensions),
        make_batch(),
    )
    assert not torch.equal(model(batch).prediction, model(batch).prediction)
    model.eval()
    assert torch.equal(model(batch).prediction, model(batch).prediction)


def test_bert_inside_is_read_and_trained(make_batch, tiny_bert):
    batch = make_batch()
    ids = torch.randint(1, 100, (8, 6)) * (torch.arange(6) < torch.arange(1, 9)[:, None])
    batch = dataclasses.replace(batch, token_ids=ids)
    config = dataclasses.replace(SMALL, text_model=str(tiny_bert), max_pieces=10)
    model = MulT(config, {"text": 1, "audio": 5, "vision": 4})
    model.losses(batch, model(batch), 0.5).total.backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())
    assert model.text_reader.bert.bert.embeddings.word_embeddings.weight.grad.any()
