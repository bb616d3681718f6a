import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from skimage import data

from extractors.blendshapes import BLENDSHAPES
from extractors.errors import MissingModelError
from extractors.face_landmarker import FaceLandmarker, landmarked
from extractors.face_mesh import FaceMesh

MODEL_VARIABLE = "WINNOW_FACE_LANDMARKER"


def test_a_missing_model_is_named(tmp_path):
    path = tmp_path / "face_landmarker.task"
    with pytest.raises(
        MissingModelError, match=r"no face landmarker model at .*model zoo"
    ) as caught:
        FaceLandmarker(model=path).__enter__()
    assert caught.value.code == "missing_model"


def test_a_folder_is_no_model(tmp_path):
    with pytest.raises(MissingModelError, match="no face landmarker model"):
        FaceLandmarker(model=tmp_path).__enter__()


def bundle(path, **files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(f"{name}.tflite", content)


@pytest.mark.parametrize("kind", ["text", "other bundle", "damaged bundle"])
def test_another_file_is_refused_by_name(tmp_path, kind, capfd):
    path = tmp_path / "face_landmarker.task"
    if kind == "text":
        path.write_text("not a model")
    elif kind == "other bundle":
        bundle(path, hand_detector="x", hand_landmarks_detector="x")
    else:
        bundle(path, face_detector="x", face_landmarks_detector="x", face_blendshapes="x")
    with pytest.raises(
        MissingModelError, match=r"face_landmarker\.task is not mediapipe's .*model zoo"
    ) as caught:
        FaceLandmarker(model=path).__enter__()
    assert caught.value.code == "unusable_model"
    assert caught.value.__cause__ is not None
    assert capfd.readouterr().err == ""


def test_scores_are_read_by_name_and_the_first_face_counts():
    from mediapipe.tasks.python.components.containers.category import Category
    from mediapipe.tasks.python.components.containers.landmark import NormalizedLandmark
    from mediapipe.tasks.python.vision import FaceLandmarkerResult

    faces = [
        [NormalizedLandmark(x=face + i / 478, y=0.5, z=-0.1) for i in range(478)]
        for face in range(2)
    ]
    shapes = [
        Category(index=i, score=i / 100, display_name="", category_name=name)
        for i, name in enumerate(BLENDSHAPES)
    ]
    result = FaceLandmarkerResult(faces, [shapes[::-1], shapes], [])
    found = landmarked(result=result)
    assert found is not None
    assert found.landmarks.shape == (478, 3)
    np.testing.assert_allclose(found.landmarks[:, 0], np.arange(478) / 478, rtol=1e-6)
    np.testing.assert_allclose(found.scores, np.arange(52) / 100, rtol=1e-6)
    assert landmarked(result=FaceLandmarkerResult([], [], [])) is None


@pytest.mark.slow
def test_the_model_finds_the_face_that_the_mesh_finds():
    path = Path(os.environ.get(MODEL_VARIABLE, ""))
    if not path.is_file():
        pytest.skip(f"{MODEL_VARIABLE} names no face_landmarker.task")
    image = np.asarray(data.astronaut())[:260, 80:340].copy()
    with FaceLandmarker(model=path) as landmarker, FaceMesh() as mesh:
        found = landmarker.find(image=image, time=0.0)
        again = landmarker.find(image=image, time=0.0)
        expected = mesh.find(image)
        assert landmarker.find(image=np.zeros_like(image), time=1.0) is None
    assert found is not None
    assert again is not None
    assert expected is not None
    assert np.abs(found.landmarks[:468, :2] - expected[:468, :2]).max() < 0.05
    assert found.scores.shape == (52,)
    assert ((found.scores >= 0) & (found.scores <= 1)).all()
