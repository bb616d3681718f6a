"""What was rendered into the sample videos against what the extractors measure in them."""

import json
from pathlib import Path

import numpy as np
import pytest

from extractors.facial import FacialExtractor
from extractors.media import Media

SAMPLES = Path(__file__).parents[2] / "sample_videos"
STEMS = [f"sample_{number:02d}" for number in range(1, 13)]
# Our column, the rendered track and the least correlation. AU25 takes the mouth's width into
# account, which the track does not.
TRACKS = (
    ("pose_Ry", "yaw", 0.95),
    ("AU45_r", "blink", 0.95),
    ("AU25_r", "mouth", 0.89),
    ("AU12_r", "smile", 0.9),
)
# The truth's yaw is that of the picture of the head; ours is relative to the camera's axes, and so
# also turns when the head slides sideways out of the picture.
CENTRED_MM = 20.0


@pytest.mark.slow
@pytest.mark.parametrize("stem", STEMS)
def test_measures_follow_what_was_rendered(stem):
    found = FacialExtractor().extract(Media(path=SAMPLES / f"{stem}.mp4"))
    truth = json.loads((SAMPLES / "truth" / f"{stem}.json").read_text())["frames"]
    np.testing.assert_allclose(found.times[:, 0], truth["time"], atol=2e-3)
    column = {name: found.values[:, found.names.index(name)] for name in found.names}
    sideways = column["pose_Tx"] - np.median(column["pose_Tx"][found.valid])
    seen = found.valid & (np.array(truth["face_visible"]) == 1) & (np.abs(sideways) < CENTRED_MM)
    assert seen.mean() > 0.8
    for name, track, least in TRACKS:
        correlation = np.corrcoef(column[name][seen], np.array(truth[track])[seen])[0, 1]
        assert correlation > least, (name, correlation)


def test_a_face_that_leaves_is_not_measured():
    found = FacialExtractor().extract(Media(path=SAMPLES / "sample_06.mp4"))
    truth = json.loads((SAMPLES / "truth" / "sample_06.json").read_text())["frames"]
    gone = np.array(truth["face_visible"]) == 0
    assert gone.any()
    assert not found.valid[gone].any()
    assert found.valid[~gone].mean() > 0.95
