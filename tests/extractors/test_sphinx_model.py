from pathlib import Path

import numpy as np
import pocketsphinx
import pytest

from extractors.errors import MissingModelError
from extractors.media import Media
from extractors.sphinx_features import dynamic_features, mel_cepstra
from extractors.sphinx_model import english_model, model_folder
from extractors.word_path import best_path, word_graph

MODEL = english_model()
SAMPLES = Path(__file__).parents[2] / "sample_videos"
SENTENCE = (0.3, 3.7, "i really loved this film from the first minute to the last")


def test_weights_and_transitions_are_probabilities():
    # 8 bits of storage leave some of the sum to rounding.
    assert MODEL.weights.sum(axis=1) == pytest.approx(0.95, abs=0.08)
    assert MODEL.stay.shape == (len(MODEL.phones), 3)
    assert ((MODEL.stay > 0) & (MODEL.stay < 1)).all()


def test_senones_belong_to_their_phone():
    number = {phone: i for i, phone in enumerate(MODEL.phones)}
    cat = [number[phone] for phone in ("K", "AE", "T")]
    senones = MODEL.word_senones(phones=cat, left=number["SIL"], right=number["S"])
    assert senones.shape == (3, 3)
    assert (MODEL.codebooks[senones] == np.array(cat)[:, None]).all()
    assert (senones >= len(MODEL.phone_senones)).all()


def test_context_changes_the_senones():
    number = {phone: i for i, phone in enumerate(MODEL.phones)}
    alone = MODEL.word_senones(phones=[number["AH"]], left=number["SIL"], right=number["SIL"])
    between = MODEL.word_senones(phones=[number["AH"]], left=number["W"], right=number["N"])
    assert (alone != between).any()


def test_densities_written_out():
    rng = np.random.default_rng(3)
    features = rng.normal(0, 5, (3, 4, 13)).astype(np.float32)
    senones = np.array([5, 700, 4000])
    found = MODEL.log_likelihoods(features=features, senones=senones)
    for frame in range(4):
        for column, senone in enumerate(senones):
            total = 0.0
            for stream in range(3):
                book = slice(128 * MODEL.codebooks[senone], 128 * MODEL.codebooks[senone] + 128)
                x = features[stream, frame].astype(float)
                form = MODEL.quadratic[stream][:, book].astype(float)
                density = np.r_[x, x**2, 1.0] @ form
                total += np.logaddexp.reduce(density + np.log(MODEL.weights[stream][:, senone]))
            assert found[frame, column] == pytest.approx(total, abs=0.05)


def pocketsphinx_segments(signal, text):
    """Where pocketsphinx's own aligner finds words, in frames."""
    folder = model_folder()
    decoder = pocketsphinx.Decoder(
        hmm=str(folder / "en-us"),
        dict=str(folder / "cmudict-en-us.dict"),
        lm=None,
        loglevel="FATAL",
        beam=1e-80,
        pbeam=1e-80,
        wbeam=1e-60,
    )
    decoder.set_align_text(text)
    decoder.start_utt()
    decoder.process_raw((signal * 32767).astype("<i2").tobytes(), full_utt=True)
    decoder.end_utt()
    return [part.start_frame for part in decoder.seg() if part.word[0] not in "<["]


def test_finds_words_where_pocketsphinx_does():
    start, end, text = SENTENCE
    signal = Media(path=SAMPLES / "sample_01.mp4").audio(sample_rate=16000)
    signal = signal[int(start * 16000) : int(end * 16000)]
    expected = pocketsphinx_segments(signal, text)
    lines = (model_folder() / "cmudict-en-us.dict").read_text("utf-8").splitlines()
    spoken = dict(line.split(" ", 1) for line in reversed(lines))
    words = [[tuple(spoken[word].split())] for word in text.split()]
    graph = word_graph(pronunciations=words, model=MODEL)
    features = dynamic_features(cepstra=mel_cepstra(signal=signal))
    scores = MODEL.log_likelihoods(features=features, senones=graph.columns)
    silence = 3 * MODEL.phones.index("SIL")
    filler = np.median(scores[:, silence : silence + 3], axis=1)
    path = best_path(
        graph=graph,
        scores=scores,
        filler=filler[:, None],
        skip_costs=(1000.0, 0.0),
        filler_costs=(5.0,),
    )
    found = [word.start for word in path]
    assert len(found) == len(expected) == len(words)
    assert np.median(np.abs(np.subtract(found, expected))) <= 2


def test_without_the_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingModelError, match="install pocketsphinx"):
        model_folder()
