"""What the extractor ``openface`` makes of a clip, laid over its pictures."""

from collections.abc import Callable, Iterator

from extractors.face_rows import ROW_NAMES
from extractors.facial import FacialConfig, clip_faces, seen_pictures
from extractors.media import Media
from pipeline.face_video import DrawnFace, FaceOverlay


def face_overlays(
    *, media: Media, config: FacialConfig, on_picture: Callable[[], None] = lambda: None
) -> Iterator[FaceOverlay]:
    """Measure a clip, then go through its pictures again with what was measured.

    Parameters
    ----------
    media : Media
        A clip with moving pictures.
    config : FacialConfig
        Settings of the extractor; ``columns`` is of no matter.
    on_picture : callable
        Called twice for each picture: when it was measured and when its overlay was drawn.

    Yields
    ------
    FaceOverlay
        One for every ``stride``-th picture: all faces in it, with values where chosen.

    Raises
    ------
    ExtractorError
        As :meth:`extractors.facial.FacialExtractor.extract`.
    """
    found = clip_faces(media=media, config=config, on_picture=on_picture)
    keys = zip(found.table.picture.tolist(), found.table.face_id.tolist(), strict=True)
    row_of = {key: row for row, key in enumerate(keys)}
    for number, picture in enumerate(seen_pictures(media=media, config=config)):
        faces = []
        for face in picture.faces:
            row = row_of[number, face.face_id]
            values = found.values[row].tolist() if found.values[row].any() else []
            faces.append(
                DrawnFace(
                    face_id=face.face_id,
                    landmarks=face.landmarks,
                    chosen=bool(found.chosen[row]),
                    valid=bool(found.valid[row]),
                    values=dict(zip(ROW_NAMES, values, strict=False)),
                )
            )
        yield FaceOverlay(
            time=picture.time, image=picture.image, shot=picture.shot, faces=tuple(faces)
        )
        on_picture()
