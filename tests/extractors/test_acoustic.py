import numpy as np
import pytest
import scipy.io.wavfile

from extractors.acoustic import AcousticConfig, AcousticExtractor, acoustic_features
from extractors.acoustic_columns import column_names
from extractors.errors import MediaError, MissingStreamError
from extractors.media import Media

NAMES = column_names(columns="covarep")
MCEP = slice(NAMES.index("MCEP_0"), NAMES.index("MCEP_24") + 1)
GLOTTAL = slice(NAMES.index("NAQ"), NAMES.index("MDQ") + 1)


def features(signal, **config):
    return acoustic_features(signal=np.asarray(signal, np.float32), config=AcousticConfig(**config))


def test_names_are_the_published_ones_in_order(recordings):
    assert list(NAMES) == recordings[0].output["names"].tolist()


def test_names_are_distinct():
    assert len(NAMES) == len(set(NAMES)) == 74
    urfunny = column_names(columns="urfunny")
    assert len(urfunny) == len(set(urfunny)) == 81


def test_pulse_train_is_voiced_at_200_hz():
    found = features(np.arange(32000) % 80 == 0)
    assert len(found) == 200
    np.testing.assert_allclose(found.values[found.valid, 0], 200, atol=1)
    assert (found.values[found.valid, 1] == 1).all()


def test_rows_without_a_pitch_window_are_not_valid(voice):
    found = features(voice)
    ends = np.r_[0:5, len(found) - 5 : len(found)]
    assert not found.valid[ends].any()
    assert (found.values[ends, :2] == 0).all()
    assert (found.values[ends, MCEP] != 0).all()
    assert found.valid[5:-5].all()


def test_every_column_but_creak_is_measured(voice):
    found = features(voice)
    constant = {
        name
        for name, column in zip(NAMES, found.values[20:-20].T, strict=True)
        if np.ptp(column) == 0
    }
    # below 0.95 F0 there is no phase, and bare pulses have the end of Rd's range
    assert constant <= {"VUV", "creak", "Rd", *(f"HMPDM_{i}" for i in range(8))}
    assert (found.values[:, NAMES.index("creak")] == 0).all()


def test_upside_down_recording_has_the_same_features(voice):
    np.testing.assert_array_equal(features(voice).values, features(-voice).values)


@pytest.mark.parametrize("gain", [0.125, 0.5, 2.0])
def test_gain_moves_the_first_cepstral_coefficient_alone(voice, gain):
    quiet, loud = features(voice), features(gain * voice)
    change = loud.values - quiet.values
    np.testing.assert_array_equal(change[:, :2], 0)
    # not exact: how fast the envelope's iteration runs depends on the level
    np.testing.assert_allclose(change[:, MCEP.start], np.log(gain), atol=0.05)
    np.testing.assert_allclose(change[:, MCEP.start + 1 : MCEP.stop], 0, atol=0.05)
    others = [i for i, name in enumerate(NAMES) if not name.startswith(("MCEP", "HMPD"))]
    np.testing.assert_allclose(change[:, others], 0, atol=1e-3)


def test_shift_by_whole_frames_shifts_the_rows(voice):
    whole, later = features(voice).values, features(voice[30 * 160 :]).values
    inner = slice(30, -30)
    for name in ("F0", "NAQ", "H1H2", "MDQ", "peakSlope", "Rd"):
        column = NAMES.index(name)
        ours, theirs = later[inner, column], whole[30:][inner, column]
        # the residual's scale and the median pitch are those of the whole sound
        assert (np.abs(ours - theirs) <= 1e-3 * (1 + np.abs(theirs))).mean() > 0.95, name


def test_digital_silence_is_marked_and_zero(voice):
    found = features(np.concatenate([np.zeros(16000, np.float32), voice]))
    silent = found.times[:, 1] < 0.9
    assert not found.valid[silent].any()
    assert (found.values[silent, 1] == 0).all()
    assert (found.values[silent, MCEP] == 0).all()
    assert (found.values[silent, GLOTTAL] == 0).all()
    assert found.valid[(found.times[:, 0] > 1.1) & (found.times[:, 1] < 2.9)].all()


def test_pitch_bounds_are_used(voice):
    found = features(voice, f0_min=200, f0_max=320)
    pitch = found.values[found.valid, 0]
    assert ((pitch >= 200) & (pitch <= 320)).all()


@pytest.mark.parametrize("bounds", [(30, 500), (50, 1501), (200, 200), (300, 200)])
def test_impossible_pitch_bounds_are_refused(bounds):
    with pytest.raises(ValueError, match=f"f0_min = {bounds[0]} and f0_max = {bounds[1]}"):
        AcousticConfig(f0_min=bounds[0], f0_max=bounds[1])


@pytest.mark.parametrize("setting", [{"columns": "egemaps"}, {"rd_flavour": "2.0"}])
def test_unknown_choices_are_refused(setting):
    with pytest.raises(ValueError, match="must be one of"):
        AcousticConfig(**setting)


def test_set_of_ur_funny_has_the_other_columns_too(voice):
    plain, more = features(voice), features(voice, columns="urfunny")
    assert more.names == column_names(columns="urfunny")
    assert len(more) == len(plain)
    for name in ("NAQ", "Rd", "MCEP_3", "HMPDD_2"):
        np.testing.assert_array_equal(
            more.values[:, more.names.index(name)], plain.values[:, NAMES.index(name)]
        )
    column = {name: more.values[:, i] for i, name in enumerate(more.names)}
    assert (column["f0"][more.valid] >= 50).all()
    assert (column["VUV"] <= plain.values[:, 1]).all()
    assert np.ptp(column["HRF"]) > 0
    assert (column["vowelSpace"] == 0).all(), "too short to tell"
    assert ((column["VAD_silero"] >= 0) & (column["VAD_silero"] <= 1)).all()
    # the voice's formants
    for name, wanted in (("F1", 600), ("F2", 1300), ("F3", 2600)):
        seen = column[name][20:-20]
        assert np.median(seen[seen > 0]) == pytest.approx(wanted, rel=0.15), name


def noise(count):
    return 0.1 * np.random.default_rng(0).standard_normal(count)


@pytest.mark.parametrize(
    "signal",
    [
        pytest.param(np.zeros(0), id="empty"),
        pytest.param(np.ones(1), id="one sample"),
        pytest.param(noise(79), id="no row"),
        pytest.param(noise(80), id="one row"),
        pytest.param(noise(400), id="under a frame of linear prediction"),
        pytest.param(noise(1597), id="under a frame of pitch"),
        pytest.param(noise(1598), id="one frame of pitch"),
        pytest.param(noise(1758), id="two frames of pitch"),
        pytest.param(noise(11200), id="0.7 s"),
        pytest.param(np.zeros(16000), id="digital silence"),
        pytest.param(np.full(16000, 0.3), id="constant"),
        pytest.param(np.sign(np.sin(0.05 * np.arange(16000))), id="square wave"),
        pytest.param(np.sin(2 * np.pi * 440 / 16000 * np.arange(16000)), id="pure tone"),
        pytest.param(np.arange(16000) == 8000, id="one click"),
        pytest.param(np.round(2 * noise(16000)) / 32768, id="one bit of dither"),
        pytest.param(1e-20 * noise(16000), id="next to nothing"),
        pytest.param(1e6 * noise(16000), id="out of range"),
    ],
)
@pytest.mark.parametrize("columns", ["covarep", "urfunny"])
def test_any_sound_gives_finite_aligned_rows(signal, columns):
    found = features(signal, columns=columns)
    assert len(found) == max(0, (len(signal) - 80) // 160 + 1)
    assert found.values.shape == (len(found), len(column_names(columns=columns)))
    assert found.values.dtype == np.float32
    assert np.isfinite(found.values).all()


def test_clipping_and_a_small_offset_leave_pitch_alone(voice):
    plain = features(voice)
    clipped = features(np.clip(3 * voice, -0.9, 0.9))
    offset = features(voice + 0.003)
    for changed in (clipped, offset):
        same = np.abs(changed.values[plain.valid, 0] - plain.values[plain.valid, 0]) < 3
        assert same.mean() > 0.9


def test_extractor_reads_the_first_channel(make_clip, voice):
    other = np.random.default_rng(0).standard_normal(len(voice)).astype(np.float32)
    path = make_clip(path="a.wav", picture=None, sound=np.stack([voice, 0.1 * other]))
    exact = np.round(voice * 32768) / 32768
    found, wanted = AcousticExtractor().extract(Media(path=path)), features(exact)
    agree = np.abs(found.values - wanted.values) <= 1e-3 + 1e-3 * np.abs(wanted.values)
    assert agree.mean() > 0.99


@pytest.mark.parametrize("sample_rate", [8000, 44100, 48000])
def test_other_sampling_rates_are_resampled(make_clip, sample_rate):
    pulses = np.arange(2 * sample_rate) % (sample_rate // 200) == 0
    path = make_clip(
        path="a.wav", picture=None, sound=pulses.astype(np.float32), sample_rate=sample_rate
    )
    found = AcousticExtractor().extract(Media(path=path))
    assert len(found) == 200
    exact = sample_rate / (sample_rate // 200)
    assert np.median(np.abs(found.values[found.valid, 0] - exact)) <= 1


def test_picture_without_sound_is_an_error_with_a_code(make_clip):
    path = make_clip(sound=None)
    with pytest.raises(MissingStreamError) as raised:
        AcousticExtractor().extract(Media(path=path))
    assert raised.value.code == "no_audio"


def test_text_named_mp4_is_an_error_with_a_code(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_text("not a film")
    with pytest.raises(MediaError) as raised:
        AcousticExtractor().extract(Media(path=path))
    assert raised.value.code == "not_media"


def test_pitch_and_voicing_equal_covareps(recordings):
    f0_same, vuv_same = [], []
    for recording in recordings:
        found, wanted = features(recording.signal).values, recording.output["features"]
        assert len(found) == len(wanted)
        f0_same.append(np.abs(found[:, 0] - wanted[:, 0]) <= 0.5)
        vuv_same.append(found[:, 1] == wanted[:, 1])
    assert np.concatenate(f0_same).mean() > 0.99
    assert np.concatenate(vuv_same).mean() > 0.995


def rows_of(recording):
    """Every row's glottal and harmonic columns are comparable in recordings without silence.

    In digital silence COVAREP drops frames and spreads those that are left over the whole file,
    or analyses them as a voice of 1 Hz, whose phases reach 25 rows around.
    """
    silent = (recording.output["srh_f0_raw"].ravel() == 1).any()
    return not silent


def r_of(recording, first, last):
    found = features(recording.signal).values[:, first:last]
    wanted = np.nan_to_num(recording.output["features"][:, first:last], neginf=0.0)
    return [
        np.corrcoef(ours, theirs)[0, 1]
        for ours, theirs in zip(found.T, wanted.T, strict=True)
        if np.ptp(theirs) > 0
    ]


def test_glottal_columns_and_slope_equal_covareps(recordings):
    for recording in recordings:
        assert min(r_of(recording, 2, 7)) > 0.99, recording.name
        assert min(r_of(recording, 7, 8)) > 0.999, recording.name


def test_shape_cepstra_and_phases_equal_covareps(recordings):
    clean = [recording for recording in recordings if rows_of(recording)]
    assert len(clean) >= 7
    for recording in clean:
        assert min(r_of(recording, 8, 10)) > 0.99, recording.name
        assert min(r_of(recording, 11, 36)) > 0.999, recording.name
        assert min(r_of(recording, 61, 74)) > 0.95, recording.name
        ours = features(recording.signal).values[:, 36:60]
        theirs = recording.output["features"][:, 36:60]
        assert (np.cos(ours - theirs) > 0.999).mean() > 0.999, recording.name


@pytest.mark.parametrize("name", ["glottalized", "slt_070"])
def test_recordings_on_which_covarep_fails_are_analysed(reference, name):
    _, samples = scipy.io.wavfile.read(reference / "reference" / "acoustic" / f"{name}.wav")
    found = features(samples / 32768)
    assert len(found) == (len(samples) - 80) // 160 + 1
    assert found.valid.any() == (len(samples) >= 1598 + 160)
