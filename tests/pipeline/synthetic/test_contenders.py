import pytest

from models.base import available, get
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
