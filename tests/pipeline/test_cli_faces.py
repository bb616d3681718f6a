import numpy as np
import pytest
from skimage import data

from extractors.errors import MissingStreamError
from extractors.media import Media
from pipeline.cli import app, console
from pipeline.errors import ConfigError


@pytest.fixture
def faces(capsys, monkeypatch):
    """Call ``winnow faces`` in this process; gives what it printed."""
    monkeypatch.setattr(console, "width", 500)

    def faces(*tokens):
        app(["faces", *tokens], result_action="return_value")
        return capsys.readouterr().out.strip()

    return faces


def test_faces_are_drawn_into_a_video(faces, make_clip, tmp_path, monkeypatch):
    portrait = np.asarray(data.astronaut())[20:260, 80:400]
    path = make_clip(path="her.mp4", picture=np.stack([portrait] * 8), fps=25, seconds=0.32)
    wanted = tmp_path / "out" / "drawn.mp4"
    assert faces(str(path), "-o", str(wanted)) == f"faces: {wanted}"
    drawn = list(Media(path=wanted).frames())
    assert len(drawn) == 8
    assert drawn[0].image.shape[1] > portrait.shape[1]
    # The mesh of a face that was chosen and measured is green.
    red, green, blue = np.moveaxis(drawn[-1].image[:, :960].astype(int), -1, 0)
    assert ((green > red + 60) & (green > blue + 60)).sum() > 100
    monkeypatch.chdir(tmp_path)
    assert faces("her.mp4") == "faces: her.faces.mp4"
    assert (tmp_path / "her.faces.mp4").is_file()


def test_faces_are_measured_as_the_extractor_is_set(faces, make_clip, tmp_path):
    path = make_clip(fps=25, seconds=0.4)
    wanted = tmp_path / "drawn.mp4"
    faces(str(path), "-o", str(wanted), "--set", "fps=10", "--set", "faces=all")
    assert len(list(Media(path=wanted).frames())) == 4
    with pytest.raises(ConfigError, match=r"openface.*faces: .*speaker"):
        faces(str(path), "-o", str(wanted), "--set", "faces=mine")


def test_faces_are_not_drawn_over_the_video_itself(faces, make_clip):
    path = make_clip(seconds=0.2)
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="is the video itself"):
        faces(str(path), "-o", str(path))
    assert path.read_bytes() == before


def test_faces_need_pictures(faces, make_clip):
    with pytest.raises(MissingStreamError, match="no video stream"):
        faces(str(make_clip(path="a.wav", picture=None)), "-o", "none.mp4")
