"""How an English word that is in no dictionary is probably pronounced."""

import functools
import importlib.util
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from extractors.errors import MissingModelError
from extractors.sequence import FloatArray

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_LETTER_OFFSET, _UNKNOWN_LETTER, _END_OF_LETTERS = 3, 1, 2
_BEGIN_OF_SOUNDS, _END_OF_SOUNDS, _SOUND_OFFSET = 2, 3, 4
_LONGEST = 20
_SOUNDS = (
    "AA0 AA1 AA2 AE0 AE1 AE2 AH0 AH1 AH2 AO0 AO1 AO2 AW0 AW1 AW2 AY0 AY1 AY2 B CH D DH "
    "EH0 EH1 EH2 ER0 ER1 ER2 EY0 EY1 EY2 F G HH IH0 IH1 IH2 IY0 IY1 IY2 JH K L M N NG "
    "OW0 OW1 OW2 OY0 OY1 OY2 P R S SH T TH UH0 UH1 UH2 UW UW0 UW1 UW2 V W Y Z ZH"
)


@functools.lru_cache(maxsize=4096)
def letter_to_sound(word: str) -> tuple[str, ...]:
    """Guess a pronunciation with the recurrent network that comes with the package ``g2p_en``.

    An encoder reads letters, a decoder says phones (gated recurrent units, Cho et al. 2014,
    eq. 5-8, with the reset gate applied after the product, as in cuDNN).

    Parameters
    ----------
    word : str
        Latin letters.

    Returns
    -------
    tuple of str
        Phones of the CMU dictionary without stress; at most 20.

    Raises
    ------
    MissingModelError
        If the package is not installed.
    """
    network = _network()
    hidden = np.zeros(network["enc_w_hh"].shape[1], np.float32)
    for letter in word.lower():
        place = _LETTERS.find(letter)
        code = _LETTER_OFFSET + place if place >= 0 else _UNKNOWN_LETTER
        hidden = _step(network, "enc", code, hidden)
    hidden = _step(network, "enc", _END_OF_LETTERS, hidden)
    sounds: list[str] = []
    code = _BEGIN_OF_SOUNDS
    while len(sounds) < _LONGEST:
        hidden = _step(network, "dec", code, hidden)
        code = int(np.argmax(network["fc_w"] @ hidden + network["fc_b"]))
        if code <= _END_OF_SOUNDS:
            break
        sounds.append(_sounds()[code - _SOUND_OFFSET])
    return tuple(sounds)


def _step(
    network: Mapping[str, FloatArray], part: str, code: int, hidden: FloatArray
) -> FloatArray:
    given = network[f"{part}_w_ih"] @ network[f"{part}_emb"][code] + network[f"{part}_b_ih"]
    kept = network[f"{part}_w_hh"] @ hidden + network[f"{part}_b_hh"]
    size = len(hidden)
    reset, update = np.split(1 / (1 + np.exp(-given[: 2 * size] - kept[: 2 * size])), 2)
    new = np.tanh(given[2 * size :] + reset * kept[2 * size :])
    after: FloatArray = (1 - update) * new + update * hidden
    return after


@functools.cache
def _sounds() -> tuple[str, ...]:
    """Phones in the network's order, without stress."""
    return tuple(sound.rstrip("012") for sound in _SOUNDS.split())


@functools.cache
def _network() -> dict[str, FloatArray]:
    # Its own module wants to download data when it is imported; the weights do not need it.
    package = importlib.util.find_spec("g2p_en")
    for place in (package.submodule_search_locations or ()) if package else ():
        with np.load(Path(place) / "checkpoint20.npz", allow_pickle=False) as stored:
            return {name: stored[name].astype(np.float32) for name in stored.files}
    raise MissingModelError(
        "pronouncing a word that is in no dictionary needs the network in the package g2p_en, "
        "which is not there; install g2p_en>=2.1",
        code="no_letter_to_sound",
    )
