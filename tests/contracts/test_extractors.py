"""What every registered extractor promises."""

import dataclasses
import importlib.metadata
import pickle

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from extractors.base import Extractor, available, get, register
from extractors.errors import ExtractorError, RegistryError
from extractors.media import Media
from extractors.sequence import FeatureSequence
from extractors.words import Word

WORDS = (
    Word(text="Well,", start=0.1, end=0.3),
    Word(text="unbelievable", start=0.3, end=0.9),
    Word(text="weather!", start=0.9, end=1.4),
)
# Sound is stored in packets of 1024 samples, the last of which outlasts the clip.
PACKET = 1024 / 16000


@pytest.fixture(params=available())
def extractor(request) -> type[Extractor]:
    return get(request.param)


@pytest.fixture
def media(make_clip) -> Media:
    return Media(path=make_clip(path="spoken.mp4", seconds=1.5), words=WORDS)


def test_names_of_the_package():
    assert {"bert", "covarep", "openface"} <= set(available())
    assert list(available()) == sorted(available())


def test_class_says_what_it_is(extractor):
    assert get(extractor.name) is extractor
    assert extractor.version >= 1
    assert extractor.modality in ("text", "audio", "vision")
    assert extractor.source in ("audio", "video", "words")
    for library in extractor.libraries:
        assert importlib.metadata.version(library)


def test_sequence_keeps_its_promises(extractor, media):
    found = extractor().extract(media)
    assert isinstance(found, FeatureSequence)
    assert len(found) > 0
    assert found.values.dtype == np.float32
    assert np.isfinite(found.values).all()
    assert found.values.shape == (len(found), len(found.names))
    assert len(set(found.names)) == len(found.names)
    assert (np.diff(found.times[:, 0]) > 0).all()
    assert (found.times[:, 1] > found.times[:, 0]).all()
    assert found.times[0, 0] >= 0
    assert found.times[-1, 1] <= media.info.duration + PACKET


def test_same_clip_gives_the_same_bytes(extractor, media):
    once = extractor()
    first, second, other = once.extract(media), once.extract(media), extractor().extract(media)
    for again in (second, other):
        assert again.values.tobytes() == first.values.tobytes()
        assert again.times.tobytes() == first.times.tobytes()
        assert again.valid.tobytes() == first.valid.tobytes()
        assert again.names == first.names


def test_names_do_not_depend_on_the_clip(extractor, media, make_clip):
    other = Media(path=make_clip(path="other.mp4", seconds=0.3, sound="silence"), words=WORDS[:1])
    assert extractor().extract(other).names == extractor().extract(media).names


def test_class_and_settings_go_to_other_processes(extractor):
    assert pickle.loads(pickle.dumps(extractor)) is extractor
    config = extractor.Config()
    assert pickle.loads(pickle.dumps(config)) == config


@pytest.mark.parametrize(
    "clip",
    [
        pytest.param({"seconds": 0.1}, id="0.1 s"),
        pytest.param({"picture": "black", "sound": "silence"}, id="black and silent"),
        pytest.param({"size": (16, 16)}, id="tiny picture"),
        pytest.param({"seconds": 0.5, "fps": 2}, id="one picture"),
        pytest.param({"sample_rate": 8000}, id="8 kHz"),
    ],
)
@pytest.mark.parametrize("words", [(), WORDS[:1]], ids=["no words", "one word"])
def test_poor_clips_do_not_fail(extractor, make_clip, clip, words):
    found = extractor().extract(Media(path=make_clip(**clip), words=words))
    assert np.isfinite(found.values).all()


@pytest.mark.parametrize("absent", ["picture", "sound"])
def test_only_a_missing_stream_is_an_error(extractor, make_clip, absent):
    media = Media(path=make_clip(**{absent: None}), words=WORDS)
    needed = {"video": "picture", "audio": "sound", "words": None}[extractor.source]
    if needed != absent:
        assert len(extractor().extract(media)) > 0
        return
    with pytest.raises(ExtractorError) as raised:
        extractor().extract(media)
    assert raised.value.code in ("no_video", "no_audio")
    assert str(media.path) in str(raised.value)


def test_settings_are_frozen_keyword_only_and_have_defaults(extractor):
    settings = extractor.Config.__dataclass_params__
    assert settings.frozen
    for field in dataclasses.fields(extractor.Config):
        assert field.kw_only
    assert extractor().config == extractor.Config()
    assert hash(extractor.Config()) == hash(extractor.Config())


def test_unknown_setting_is_refused(extractor):
    adapter = TypeAdapter(extractor.Config)
    assert adapter.validate_python({}) == extractor.Config()
    with pytest.raises(ValidationError, match="no_such_setting"):
        adapter.validate_python({"no_such_setting": 1})


def test_settings_of_another_class_are_refused(extractor):
    with pytest.raises(TypeError, match=f"{extractor.name}.*got dict"):
        extractor({})


def test_digest_of_weights_is_hexadecimal(extractor):
    digest = extractor().weights_digest()
    assert digest == extractor().weights_digest()
    assert digest == "" or (len(digest) == 64 and int(digest, 16) >= 0)


def test_taken_name_is_refused(extractor):
    class Impostor(extractor):
        pass

    with pytest.raises(RegistryError, match=rf"'{extractor.name}' of .*Impostor is taken by"):
        register(Impostor)
    assert get(extractor.name) is extractor


def test_registering_again_changes_nothing(extractor):
    assert register(extractor) is extractor
    assert get(extractor.name) is extractor


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(RegistryError, match=r"'mfcc'; there are: .*covarep") as raised:
        get("mfcc")
    assert raised.value.code == "registry"


def test_class_without_a_name_is_refused():
    with pytest.raises(TypeError, match="Nameless must define name, version"):

        class Nameless(Extractor):
            def extract(self, media):
                raise NotImplementedError
