import pytest
from pydantic import TypeAdapter, ValidationError

from models.mind_config import MInDConfig

ADAPTER = TypeAdapter(MInDConfig)


def test_defaults_are_the_weights_of_the_authors_mosi_runs():
    assert MInDConfig().term_weights == {
        "noise_prediction": 1.0,
        "info": 1e-2,
        "consistency": 1e-4,
        "difference": 1e-3,
        "reconstruction": 0.1,
        "cyclic": 0.1,
    }


def test_plain_mapping_becomes_a_config():
    config = ADAPTER.validate_python({"width": 512, "info_weight": 0.02, "pooling": "mean"})
    assert config == MInDConfig(width=512, info_weight=0.02, pooling="mean")


@pytest.mark.parametrize("wrong", [{"widht": 64}, {"width": "wide"}, {"width": 7}])
def test_unknown_keys_and_wrong_values_name_the_field(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        ADAPTER.validate_python(wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"audio_stride": 0},
        {"vision_stride": -1},
        {"fusion_width": 7},
        {"statistics_width": 0},
        {"decoder_width": 0},
        {"info_weight": -1.0},
        {"cyclic_weight": float("nan")},
        {"barlow_off_diagonal": -0.1},
        {"encoder_dropout": 1.0},
        {"classifier_dropout": -0.1},
        {"regression": "huber"},
        {"muted": "N"},
    ],
)
def test_values_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        MInDConfig(**wrong)
