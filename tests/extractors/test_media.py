import dataclasses
from fractions import Fraction

import av
import numpy as np
import pytest

from extractors.errors import MediaError, MissingStreamError
from extractors.media import Media, probe


def code_of(call):
    with pytest.raises(MediaError) as raised:
        call()
    return raised.value.code


def grey(levels, *, height=48, width=64):
    """One plain picture per grey level."""
    levels = np.asarray(levels, np.uint8)[:, None, None, None]
    return np.broadcast_to(levels, (len(levels), height, width, 3)).copy()


def times_of(path):
    return [frame.time for frame in Media(path=path).frames()]


def spoil(path, *, damaged):
    """Overwrite the contents of some packets, and leave the container whole."""
    content = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        packets = [bytes(packet) for packet in container.demux() if packet.size]
    for i, packet in enumerate(packets):
        if i in damaged:
            at = content.find(packet)
            assert at >= 0
            content[at : at + len(packet)] = b"\x55" * len(packet)
    path.write_bytes(bytes(content))


def tone(seconds, rate=16000):
    return (0.5 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate)) / rate)).astype(
        np.float32
    )


# --- probing ---------------------------------------------------------------------------------


def test_probe_of_an_ordinary_clip(make_clip):
    info = probe(make_clip(seconds=2, fps=25, sample_rate=44100))
    assert info.duration == pytest.approx(2, abs=0.05)
    assert info.fps == pytest.approx(25)
    assert (info.width, info.height, info.sample_rate, info.rotation) == (64, 48, 44100, 0)
    assert info.has_video
    assert info.has_audio


def test_probe_of_sound_alone(make_clip):
    info = probe(make_clip(path="a.wav", picture=None, seconds=1.5))
    assert info.duration == pytest.approx(1.5)
    assert not info.has_video
    assert info.has_audio
    assert info.width is None


def test_probe_of_pictures_alone(make_clip):
    info = probe(make_clip(sound=None))
    assert info.has_video
    assert not info.has_audio


def test_probe_is_made_once(make_clip):
    path = make_clip()
    media = Media(path=path)
    first = media.info
    path.unlink()
    assert media.info is first


def test_average_rate_of_uneven_pictures(make_clip):
    path = make_clip(picture=grey([10, 90, 200]), pts=[0, 0.5, 0.8], sound=None)
    assert probe(path).fps == pytest.approx(2 / 0.8, rel=1e-3)


def test_missing_file(tmp_path):
    assert code_of(lambda: probe(tmp_path / "none.mp4")) == "missing_file"
    assert code_of(lambda: Media(path=tmp_path / "none.mp4").audio(sample_rate=16000)) == (
        "missing_file"
    )


def test_empty_file(tmp_path):
    path = tmp_path / "a.mp4"
    path.touch()
    assert code_of(lambda: probe(path)) == "empty_file"


@pytest.mark.parametrize("content", [b"this is no film\n" * 50, bytes(range(256)) * 40])
def test_something_else_named_mp4(tmp_path, content):
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    assert code_of(lambda: probe(path)) == "not_media"
    with pytest.raises(MediaError, match=r"a\.mp4"):
        list(Media(path=path).frames())


def test_truncated_file_with_its_index_in_front(make_clip):
    path = make_clip(seconds=10, faststart=True)
    whole = path.read_bytes()
    assert whole.index(b"moov") < whole.index(b"mdat")
    path.write_bytes(whole[: len(whole) // 2])
    assert code_of(lambda: probe(path)) == "truncated"


def test_truncated_file_with_its_index_at_the_end(make_clip):
    path = make_clip(seconds=3)
    path.write_bytes(path.read_bytes()[:-2000])
    assert code_of(lambda: probe(path)) == "not_media"


def test_file_with_subtitles_alone_holds_nothing(tmp_path):
    path = tmp_path / "a.srt"
    path.write_text("1\n00:00:00,000 --> 00:00:01,000\nhello\n\n")
    assert code_of(lambda: probe(path)) == "no_streams"


def test_sound_with_a_cover_picture_has_no_video(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        sound = container.add_stream("aac", rate=16000)
        picture = av.VideoFrame.from_ndarray(grey([128])[0], format="rgb24")
        container.mux(cover.encode(picture))
        container.mux(cover.encode(None))
        frame = av.AudioFrame.from_ndarray(tone(1)[None], format="fltp", layout="mono")
        frame.sample_rate, frame.time_base, frame.pts = 16000, Fraction(1, 16000), 0
        container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    with av.open(str(path)) as container:
        assert container.streams.video, "the cover must really be in the file"
    assert not probe(path).has_video
    assert probe(path).has_audio
    with pytest.raises(MissingStreamError) as raised:
        list(Media(path=path).frames())
    assert raised.value.code == "no_video"


# --- pictures --------------------------------------------------------------------------------


def test_uneven_pictures_keep_their_own_times(make_clip):
    pts = [0.0, 0.04, 0.2, 0.21, 1.5]
    path = make_clip(picture=grey([0, 50, 100, 150, 200]), pts=pts, sound=None)
    frames = list(Media(path=path).frames())
    assert [f.time for f in frames] == pytest.approx(pts, abs=1e-3)
    means = [f.image.mean() for f in frames]
    assert means == pytest.approx([0, 50, 100, 150, 200], abs=6)


def test_pictures_that_start_later_than_the_sound(make_clip):
    pts = 0.5 + np.arange(10) / 25
    path = make_clip(path="a.mkv", picture=grey(range(0, 200, 20)), pts=pts, seconds=1)
    assert times_of(path)[0] == pytest.approx(0.5, abs=0.002)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_rotation_is_applied(make_clip, rotation):
    image = np.zeros((48, 64, 3), np.uint8)
    image[:16, :16] = 255
    path = make_clip(picture=np.stack([image] * 3), rotation=rotation, sound=None)
    wanted = np.rot90(image, k=rotation // 90)
    shown = next(Media(path=path).frames()).image
    assert shown.shape == wanted.shape
    assert np.abs(shown.astype(int) - wanted).mean() < 10
    assert shown.flags.c_contiguous
    info = probe(path)
    assert (info.height, info.width) == wanted.shape[:2]


def test_damaged_pictures_are_left_out_without_shifting_the_others(make_clip):
    path = make_clip(path="a.mkv", seconds=2, fps=25, sound=None)
    spoil(path, damaged=range(20, 25))
    times = np.array(times_of(path))
    assert 40 <= len(times) < 50
    np.testing.assert_allclose(times * 25, np.round(times * 25), atol=0.05)
    assert (np.diff(times) > 0).all()
    assert times[-1] == pytest.approx(49 / 25, abs=0.01)


def test_sound_alone_has_no_pictures(make_clip):
    path = make_clip(path="a.wav", picture=None)
    assert code_of(lambda: list(Media(path=path).frames())) == "no_video"


# --- sound -----------------------------------------------------------------------------------


def test_samples_are_those_of_the_file(make_clip):
    wanted = tone(1)
    got = Media(path=make_clip(path="a.wav", picture=None, sound=wanted)).audio(sample_rate=16000)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, wanted, atol=1.5 / 32768)


def test_first_channel_is_read(make_clip):
    both = np.stack([tone(1), -0.2 * tone(1)])
    got = Media(path=make_clip(path="a.wav", picture=None, sound=both)).audio(sample_rate=16000)
    np.testing.assert_allclose(got, both[0], atol=1.5 / 32768)


@pytest.mark.parametrize("rate", [8000, 22050, 48000])
def test_resampling_keeps_length_and_tone(make_clip, rate):
    path = make_clip(path="a.wav", picture=None, sound=tone(1, rate), sample_rate=rate)
    got = Media(path=path).audio(sample_rate=16000)
    assert len(got) == 16000
    np.testing.assert_allclose(got[1000:-1000], tone(1)[1000:-1000], atol=0.01)


@pytest.mark.parametrize("rate", [16000, 44100])
def test_pieces_of_sound_are_short_and_together_the_sound(make_clip, rate):
    path = make_clip(path="a.wav", picture=None, sound=tone(5, rate), sample_rate=rate)
    pieces = list(Media(path=path).audio_pieces(16000))
    assert max(map(len, pieces)) < 8000
    np.testing.assert_allclose(np.concatenate(pieces)[1000:-1000], tone(5)[1000:-1000], atol=0.01)


def test_late_sound_is_preceded_by_silence(make_clip):
    path = make_clip(path="a.mkv", sound=tone(1), sound_start=0.3, seconds=1)
    got = Media(path=path).audio(sample_rate=16000)
    assert len(got) == pytest.approx(1.3 * 16000, abs=20)
    assert (got[:4780] == 0).all()
    np.testing.assert_allclose(got[4800:20000], tone(1)[:15200], atol=0.01)


def test_late_sound_in_mp4_is_in_step_with_the_pictures(make_clip):
    click = np.zeros(16000, np.float32)
    click[8000:8040] = 0.9
    path = make_clip(sound=click, sound_start=0.3, seconds=1.3)
    got = Media(path=path).audio(sample_rate=16000)
    assert np.argmax(np.abs(got)) / 16000 == pytest.approx(0.8, abs=0.01)


def test_hole_in_the_sound_becomes_silence(make_clip):
    path = make_clip(path="a.mkv", sound=tone(2), sound_hole=(1.0, 0.5), seconds=2)
    got = Media(path=path).audio(sample_rate=16000)
    assert len(got) == pytest.approx(2.5 * 16000, abs=20)
    np.testing.assert_allclose(got[:16000], tone(2)[:16000], atol=0.01)
    assert (got[16020:23980] == 0).all()
    np.testing.assert_allclose(got[24000:40000], tone(2)[16000:], atol=0.01)


def test_small_jitter_of_timestamps_is_no_hole(make_clip):
    path = make_clip(path="a.mkv", sound=tone(2), sound_hole=(1.0, 0.02), seconds=2)
    got = Media(path=path).audio(sample_rate=16000)
    np.testing.assert_allclose(got, tone(2), atol=0.01)


def test_damaged_sound_does_not_shift_the_rest(make_clip):
    wanted = tone(4)
    path = make_clip(path="a.mkv", picture=None, sound=wanted, sound_codec="flac")
    spoil(path, damaged=[3, 4])
    got = Media(path=path).audio(sample_rate=16000)
    assert len(got) == pytest.approx(len(wanted), abs=20)
    hole = slice(3 * 1152, 5 * 1152)  # two packets
    assert (got[hole] == 0).all()
    np.testing.assert_allclose(got[: hole.start], wanted[: hole.start], atol=0.01)
    np.testing.assert_allclose(got[hole.stop :], wanted[hole.stop :], atol=0.01)


def test_sound_of_which_nothing_can_be_decoded(make_clip):
    path = make_clip(path="a.mkv", picture=None, seconds=1, sound_codec="flac")
    spoil(path, damaged=range(1000))
    assert code_of(lambda: Media(path=path).audio(sample_rate=16000)) == "undecodable"
    assert code_of(lambda: probe(path)) == "undecodable"


def test_pictures_alone_have_no_sound(make_clip):
    path = make_clip(sound=None)
    assert code_of(lambda: Media(path=path).audio(sample_rate=16000)) == "no_audio"


def test_media_cannot_be_changed(make_clip):
    media = Media(path=make_clip())
    with pytest.raises(dataclasses.FrozenInstanceError):
        media.path = None


def test_a_single_picture_without_a_length_is_no_clip(tmp_path):
    path = tmp_path / "one.flv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("flv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
        container.mux(stream.encode(frame.reformat(format="yuv420p")))
        container.mux(stream.encode(None))
    with pytest.raises(MediaError) as caught:
        probe(path)
    assert caught.value.code == "no_duration"
