import pytest

from models.mind import MInD
from models.mind_ablations import ABLATIONS
from models.mind_config import MInDConfig

SMALL = {"width": 16, "statistics_width": 32, "decoder_width": 24, "audio_stride": 4}


def build(dimensions, settings, modalities):
    config = MInDConfig(**SMALL | settings)
    return MInD(config, {name: dimensions[name] for name in modalities})


def test_thirteen_of_the_table():
    assert len(ABLATIONS) == 13
    assert {name for name, a in ABLATIONS.items() if len(a.modalities) == 2} == {
        "without_text",
        "without_audio",
        "without_vision",
    }


@pytest.mark.parametrize("preset", ["author", "paper"])
@pytest.mark.parametrize("name", sorted(ABLATIONS))
def test_an_ablation_changes_what_it_says_alone(make_batch, dimensions, name, preset):
    ablation, batch = ABLATIONS[name], make_batch()
    model = build(dimensions, {"preset": preset} | ablation.settings, ablation.modalities)
    full = build(dimensions, {"preset": preset}, dimensions)
    losses = model.losses(batch, model(batch), 0.5)
    losses.total.backward()
    gone = {m for m in dimensions if m not in ablation.modalities}
    named = [key for key, _ in model.named_parameters()]
    assert not any(part in gone for key in named for part in key.split("."))
    if name == "nondisentangled":
        assert losses.terms.keys() == {"task"}
        return
    assert set(named) == {
        key for key, _ in full.named_parameters() if not gone & set(key.split("."))
    }
    weights = {"task": 1.0} | full.config.term_weights
    silenced = set(weights) - {"task"} if name == "task_only" else {name.removeprefix("without_")}
    assert losses.weights == {
        term: 0.0 if term in silenced else weight for term, weight in weights.items()
    }
    changed = {key for key, value in vars(model.config).items() if vars(full.config)[key] != value}
    assert changed == set(ablation.settings)


@pytest.mark.parametrize(("name", "part"), [("without_shared", "S"), ("without_private", "P")])
def test_a_muted_part_still_trains(make_batch, dimensions, name, part):
    model = build(dimensions, ABLATIONS[name].settings, dimensions)
    batch = make_batch()
    output = model(batch)
    assert output.parts[part]["text"].any()
    model.losses(batch, output, 0.5).terms["info"].backward()
    assert any(p.grad is not None and p.grad.any() for p in model.private_encoders.parameters())
    assert any(p.grad is not None and p.grad.any() for p in model.shared_encoder.parameters())
