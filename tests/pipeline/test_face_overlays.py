import numpy as np
from skimage import data

from extractors.facial import FacialConfig, FacialExtractor
from extractors.media import Media
from pipeline.face_overlays import face_overlays


def test_overlays_say_what_the_extractor_says(make_clip):
    portrait = np.asarray(data.astronaut())[20:260, 80:400]
    media = Media(path=make_clip(picture=np.stack([portrait] * 10), fps=25, sound=None))
    config = FacialConfig(stride=2)
    found = FacialExtractor(config).extract(media)
    drawn = list(face_overlays(media=media, config=config))
    assert [overlay.time for overlay in drawn] == found.times[:, 0].tolist()
    for row, overlay in enumerate(drawn):
        chosen = [face for face in overlay.faces if face.chosen]
        assert [face.valid for face in chosen] == [True]
        assert found.valid[row]
        for column, name in enumerate(found.names):
            assert chosen[0].values[name] == found.values[row, column]


def test_nobody_in_the_picture(make_clip):
    media = Media(path=make_clip(seconds=0.2))
    drawn = list(face_overlays(media=media, config=FacialConfig()))
    assert [overlay.faces for overlay in drawn] == [()] * 5
