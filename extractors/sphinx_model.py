"""The English acoustic model that comes with pocketsphinx: phones as mixtures of Gaussians.

A phone in the context of its neighbours (triphone) is a chain of three states. Every state has an
output distribution, its senone; senones of one phone mix the same 128 Gaussians with other weights.
"""

import functools
import importlib.util
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from extractors.errors import MissingModelError
from extractors.sequence import FloatArray

IntArray = npt.NDArray[np.int64]
SILENCE = "SIL"
STATES = 3
# Base of the logarithms in which mixture weights are stored, 8 bits of 1024 steps each.
_LOG_BASE = 1.0001
_WEIGHT_STEP = 1024
_LEAST_VARIANCE = 1e-4
# Frames scored at a time.
_BLOCK = 512
# Positions of a phone in its word.
_INSIDE, _BEGIN, _END, _SINGLE = range(4)


@dataclass(frozen=True, kw_only=True, eq=False)
class AcousticModel:
    """A semi-continuous model with one codebook a phone.

    Parameters
    ----------
    phones : tuple of str
        Names of the phones; their own senones are the first, three each.
    quadratic : ndarray of float32, shape (3, 27, n_phones * 128)
        For each stream of features, the Gaussians' log densities as linear forms of
        ``(x, x ** 2, 1)``.
    weights : ndarray of float32, shape (3, 128, n_senones)
        Mixture weights.
    codebooks : ndarray of int, shape (n_senones,)
        Phone whose Gaussians a senone mixes.
    triphones : ndarray of int, shape (n_triphones,)
        Keys, sorted.
    triphone_senones : ndarray of int, shape (n_triphones, 3)
        Of the triphones.
    stay : ndarray of float32, shape (n_phones, 3)
        Probability of staying in a state for another frame.
    """

    phones: tuple[str, ...]
    quadratic: FloatArray
    weights: FloatArray
    codebooks: IntArray
    triphones: IntArray
    triphone_senones: IntArray
    stay: FloatArray

    @property
    def phone_senones(self) -> IntArray:
        """Senones of phones whatever their context, silence and noise included."""
        return np.arange(STATES * len(self.phones))

    def phone_index(self, phone: str) -> int:
        """Give a phone's number."""
        return self.phones.index(phone)

    def word_senones(self, *, phones: Sequence[int], left: int, right: int) -> IntArray:
        """Senones of a word between two others.

        Parameters
        ----------
        phones : sequence of int
            The word's, at least one.
        left, right : int
            The phones before and after it.

        Returns
        -------
        ndarray of int, shape (len(phones), 3)
            Of the states in order.
        """
        places = [_BEGIN, *[_INSIDE] * (len(phones) - 2), _END] if len(phones) > 1 else [_SINGLE]
        before, after = [left, *phones[:-1]], [*phones[1:], right]
        return np.array(
            [
                self._senones(place=place, phone=phone, left=one, right=other)
                for place, phone, one, other in zip(places, phones, before, after, strict=True)
            ]
        )

    def _senones(self, *, place: int, phone: int, left: int, right: int) -> IntArray:
        """Senones of a triphone, of the same one elsewhere in a word, or of the bare phone."""
        for position in (place, *range(4)):
            key = _triphone_key(position, phone, left, right)
            found = int(np.searchsorted(self.triphones, key))
            if found < len(self.triphones) and self.triphones[found] == key:
                senones: IntArray = self.triphone_senones[found]
                return senones
        return np.arange(STATES * phone, STATES * (phone + 1))

    def log_likelihoods(self, *, features: FloatArray, senones: IntArray) -> FloatArray:
        """Score frames.

        Parameters
        ----------
        features : ndarray of float32, shape (3, T, 13)
            From :func:`extractors.sphinx_features.dynamic_features`.
        senones : ndarray of int, shape (S,)
            The wanted ones.

        Returns
        -------
        ndarray of float32, shape (T, S)
            Natural logarithms of densities.
        """
        scores = np.empty((features.shape[1], len(senones)), np.float32)
        for first in range(0, len(scores), _BLOCK):
            block = slice(first, first + _BLOCK)
            scores[block] = self._score_block(features[:, block], senones)
        return scores

    def _score_block(self, features: FloatArray, senones: IntArray) -> FloatArray:
        scores = np.zeros((features.shape[1], len(senones)), np.float32)
        for stream, quadratic, weights in zip(features, self.quadratic, self.weights, strict=True):
            form = np.concatenate(
                [stream, stream**2, np.ones((len(stream), 1), np.float32)], axis=1
            )
            for codebook in np.unique(self.codebooks[senones]):
                members = np.flatnonzero(self.codebooks[senones] == codebook)
                size = weights.shape[0]
                density = form @ quadratic[:, codebook * size : (codebook + 1) * size]
                highest = density.max(axis=1, keepdims=True)
                np.exp(density - highest, out=density)
                mixed = density @ weights[:, senones[members]]
                scores[:, members] += np.log(np.maximum(mixed, 1e-30)) + highest
        return scores


@functools.cache
def english_model() -> AcousticModel:
    """Read the model from pocketsphinx's package.

    Returns
    -------
    AcousticModel
        American English, 16 kHz.

    Raises
    ------
    MissingModelError
        If pocketsphinx is not installed, or without its model.
    """
    folder = model_folder() / "en-us"
    means = _gaussians(folder / "means")
    variances = np.maximum(_gaussians(folder / "variances"), _LEAST_VARIANCE)
    phones, triphones, triphone_senones, codebooks = _definition(folder / "mdef")
    return AcousticModel(
        phones=phones,
        quadratic=_quadratic_forms(means.astype(np.float64), variances.astype(np.float64)),
        weights=_mixture_weights(folder / "sendump", len(codebooks)),
        codebooks=codebooks,
        triphones=triphones,
        triphone_senones=triphone_senones,
        stay=_stay_probabilities(folder / "transition_matrices"),
    )


def model_folder() -> Path:
    """Folder of pocketsphinx's English model and dictionary.

    Returns
    -------
    Path
        An existing folder.

    Raises
    ------
    MissingModelError
        If there is none.
    """
    package = importlib.util.find_spec("pocketsphinx")
    for place in (package.submodule_search_locations or ()) if package else ():
        folder = Path(place) / "model" / "en-us"
        if folder.is_dir():
            return folder
    raise MissingModelError(
        "alignment needs the English model in the package pocketsphinx, which is not there; "
        "install pocketsphinx>=5.1",
        code="no_aligner",
    )


def _triphone_key(
    place: int | IntArray, phone: int | IntArray, left: int | IntArray, right: int | IntArray
) -> int | IntArray:
    return ((place * 64 + phone) * 64 + left) * 64 + right


def _numbers(path: Path) -> tuple[bytes, int]:
    """Bytes of a file in Sphinx-3 format and where its numbers begin."""
    content = path.read_bytes()
    end = b"endhdr\n"
    begin = content.find(end) + len(end)
    if begin < len(end) or struct.unpack_from("<I", content, begin)[0] != 0x11223344:
        raise MissingModelError(f"{path}: not a little-endian file of Sphinx 3; reinstall it")
    return content, begin + 4


def _gaussians(path: Path) -> FloatArray:
    """Means or variances, shape (codebooks, streams, densities, dimensions)."""
    content, begin = _numbers(path)
    codebooks, streams, densities = struct.unpack_from("<3i", content, begin)
    begin += 12
    (width, *_) = struct.unpack_from(f"<{streams}i", content, begin)
    begin += 4 * streams + 4
    values = np.frombuffer(content, "<f4", codebooks * streams * densities * width, begin)
    return values.reshape(codebooks, streams, densities, width)


def _quadratic_forms(
    means: npt.NDArray[np.float64], variances: npt.NDArray[np.float64]
) -> FloatArray:
    constant = -0.5 * (means**2 / variances + np.log(2 * np.pi * variances)).sum(-1, keepdims=True)
    forms = np.concatenate([means / variances, -0.5 / variances, constant], axis=-1)
    # (codebooks, streams, densities, 27) to (streams, 27, codebooks * densities)
    forms = forms.transpose(1, 3, 0, 2)
    flat: FloatArray = forms.reshape(*forms.shape[:2], -1).astype(np.float32)
    return flat


def _stay_probabilities(path: Path) -> FloatArray:
    content, begin = _numbers(path)
    count, rows, columns, total = struct.unpack_from("<4i", content, begin)
    counts = np.frombuffer(content, "<f4", total, begin + 16).reshape(count, rows, columns)
    stay: FloatArray = counts[:, range(rows), range(rows)] / counts.sum(axis=-1)
    return stay


def _mixture_weights(path: Path, senones: int) -> FloatArray:
    content = path.read_bytes()
    begin = 0
    while True:
        (length,) = struct.unpack_from("<i", content, begin)
        begin += 4 + length
        if length == 0:
            break
    densities, columns = struct.unpack_from("<2i", content, begin)
    if columns != senones:
        raise MissingModelError(f"{path}: weights of {columns} senones, {senones} are defined")
    stored = np.frombuffer(content, np.uint8, offset=begin + 8).reshape(-1, densities, columns)
    powers = np.arange(256) * -(_WEIGHT_STEP * np.log(_LOG_BASE))
    weights: FloatArray = np.exp(powers).astype(np.float32)[stored]
    return weights


def _definition(path: Path) -> tuple[tuple[str, ...], IntArray, IntArray, IntArray]:
    """Phones, triphones' keys and senones, and the phone every senone is of."""
    content = path.read_bytes()
    magic, _, length = struct.unpack_from("<4s2i", content)
    if magic != b"BMDF":
        raise MissingModelError(f"{path}: not a binary model definition of Sphinx; reinstall it")
    begin = 12 + length
    counts = struct.unpack_from("<10i", content, begin)
    phone_count, all_phones, states, _, senones, _, sequences, _, tree, _ = counts
    begin += 40
    names = []
    for _ in range(phone_count):
        end = content.index(b"\0", begin)
        names.append(content[begin:end].decode("ascii"))
        begin = end + 1
    begin = -(-begin // 4) * 4 + 8 * tree
    layout = np.dtype([("sequence", "<i4"), ("matrix", "<i4"), ("context", "i1", 4)])
    phones = np.frombuffer(content, layout, all_phones, begin)
    begin += layout.itemsize * all_phones + 4
    table = np.frombuffer(content, "<i2", sequences * states, begin).reshape(sequences, states)
    of_phone = table[phones["sequence"]].astype(np.int64)
    codebooks = np.zeros(senones, np.int64)
    codebooks[of_phone] = phones["matrix"][:, None]
    contexts = phones["context"][phone_count:].astype(np.int64)
    keys = np.asarray(_triphone_key(*contexts.T))
    order = np.argsort(keys)
    return tuple(names), keys[order], of_phone[phone_count:][order], codebooks
