import pytest

from models.base import available, get
from models.batch import MODALITIES
from models.concat import Concat, ConcatConfig
from models.mind import MInD
from models.mind_config import MInDConfig
from models.mind_presets import PRESETS
from pipeline.checkpoint import plain_model_config
from pipeline.errors import ConfigError
from pipeline.synthetic.contenders import VARIANTS, find_contender


@pytest.mark.parametrize("name", [*available(), *(variant.name for variant in VARIANTS)])
def test_every_contender_has_valid_settings_and_reads_every_frame(name):
    contender = find_contender(name)
    plain = plain_model_config(contender.model, dict(contender.settings))
    assert contender.name == name
    for stride in ("audio_stride", "vision_stride"):
        assert plain.get(stride, 1) == 1, get(contender.model)


def test_settings_follow_the_name():
    contender = find_contender("mind_task_only,width=32,muted=P,audio_stride=2")
    assert contender.model == "mind"
    expected = {"disentangle": False, "width": 32, "muted": "P", "audio_stride": 2}
    expected |= {"vision_stride": 1, "layers": 2}
    assert expected.items() <= contender.settings.items()


@pytest.mark.parametrize("name", ["nobody", "mind,width", "mind,width=[", ""])
def test_what_cannot_be_meant_is_refused(name):
    with pytest.raises(ConfigError, match="contender"):
        find_contender(name)


SEPARATING = ("mind_author", "mind_paper", "mind_strong", "misa", "mird", "dma", "concat")


@pytest.mark.parametrize("name", SEPARATING)
def test_backbones_are_of_one_size_and_learn_at_one_rate(name):
    contender = find_contender(name)
    settings = plain_model_config(contender.model, dict(contender.settings))
    sizes = (
        "width",
        *(f"{m}_width" for m in MODALITIES),
        "audio_state_width",
        "vision_state_width",
    )
    assert {settings[size] for size in sizes if size in settings} == {64}
    rates = {settings[rate] for rate in ("audio_rate", "vision_rate") if rate in settings}
    assert rates <= {1.0}


@pytest.mark.parametrize("preset", ["author", "paper", "strong"])
def test_a_preset_is_a_variant(preset):
    settings = find_contender(f"mind_{preset}").settings
    config = MInDConfig(**settings)
    assert config.preset == preset
    suited = {name: value for name, value in settings.items() if name in PRESETS[preset]}
    assert not suited
    for name, value in PRESETS[preset].items():
        assert getattr(config, name) == (64 if value is None else value)


def test_mind_and_concatenation_have_the_same_backbones():
    data = {"text": 32, "audio": 24, "vision": 20}
    mind = MInD(MInDConfig(**find_contender("mind_strong").settings), data)
    concat = Concat(ConcatConfig(**find_contender("concat").settings), data)
    for name, encoder in concat.encoders.items():
        frames, norm = mind.backbones[name]
        assert str(frames) == str(encoder)
        assert norm.normalized_shape == (64,)
