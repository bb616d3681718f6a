import pytest
from pydantic import TypeAdapter, ValidationError

from models.mind_config import MInDConfig
from models.mind_presets import PRESETS

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
        {"mute_mode": "gone"},
        {"preset": "weak"},
        {"backbone": "lstm"},
        {"code_encoder": "deep"},
        {"noise_source": "camera"},
        {"reduction": "max"},
        {"consistency": "cosine"},
        {"barlow_off_diagonal": "half"},
        {"difference_kernel": "cubic"},
        {"difference_pairs": "none"},
        {"difference_warm_up": 1.5},
        {"negatives": "permuted"},
        {"reversal": "late"},
        {"temperature": 0.0},
        {"shared_width": 0},
        {"private_width": -1},
        {"max_pieces": 0},
    ],
)
def test_values_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        MInDConfig(**wrong)


def test_a_preset_is_a_set_of_defaults_that_settings_override():
    config = ADAPTER.validate_python({"preset": "strong", "shared_width": 5})
    assert config.shared_width == 5
    assert config.private_width == PRESETS["strong"]["private_width"]
    assert config.consistency == "info_nce"
    assert MInDConfig(preset="strong", consistency="barlow_twins").consistency == "barlow_twins"


@pytest.mark.parametrize("preset", PRESETS)
def test_every_setting_is_a_plain_value_that_survives_a_checkpoint(preset):
    config = ADAPTER.validate_python({"preset": preset, "width": 32, "difference_weight": 0.25})
    plain = ADAPTER.dump_python(config, mode="json")
    assert None not in [value for name, value in plain.items() if name != "text_model"]
    assert plain["difference_weight"] == 0.25
    assert ADAPTER.validate_python(plain) == config


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_name_the_same_settings(preset):
    assert PRESETS[preset].keys() == PRESETS["author"].keys() <= vars(MInDConfig()).keys()


def test_codes_of_published_presets_are_as_wide_as_the_backbones():
    for preset in ("author", "paper"):
        config = MInDConfig(preset=preset, width=64)
        assert (config.shared_width, config.private_width) == (64, 64)


@pytest.mark.parametrize(
    ("settings", "parts", "features"),
    [
        ({}, "SPN", "SP"),
        ({"noise_source": "none"}, "SP", "SP"),
        ({"muted": "S"}, "SPN", "SP"),
        ({"muted": "S", "mute_mode": "remove"}, "PN", "P"),
        ({"muted": "P", "mute_mode": "remove", "noise_source": "none"}, "S", "S"),
        ({"mute_mode": "remove"}, "SPN", "SP"),
    ],
)
def test_parts(settings, parts, features):
    config = MInDConfig(**settings)
    assert (config.parts, config.features) == (tuple(parts), tuple(features))
