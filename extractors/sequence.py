"""Feature values with a time span for every row."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

Seconds = float
FloatArray = npt.NDArray[np.float32]
TimeArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class FeatureSequence:
    """One modality of one clip: ``T`` rows of ``D`` named features, each with its time span.

    Parameters
    ----------
    values : ndarray of float32, shape (T, D)
        Finite feature values. ``T = 0`` is legal.
    times : ndarray of float64, shape (T, 2)
        Span ``[start, end)`` of every row, seconds from the start of the clip; starts do not
        decrease and no end lies before its start.
    names : tuple of str, length D
        One distinct name per column.
    valid : ndarray of bool, shape (T,)
        False where the row carries no measurement (no face, no voice analysis there).

    Raises
    ------
    ValueError
        If shapes, dtypes, order or finiteness are violated; the message names what was found.
    """

    values: FloatArray
    times: TimeArray
    names: tuple[str, ...]
    valid: BoolArray

    def __post_init__(self) -> None:
        self._check_shapes()
        self._check_contents()

    def _check_shapes(self) -> None:
        if self.values.ndim != 2 or self.values.dtype != np.float32:
            raise ValueError(
                f"values must be float32 of shape (T, D), got {self.values.dtype} "
                f"{self.values.shape}"
            )
        rows, columns = self.values.shape
        if self.times.shape != (rows, 2) or self.times.dtype != np.float64:
            raise ValueError(
                f"times must be float64 of shape ({rows}, 2), got {self.times.dtype} "
                f"{self.times.shape}"
            )
        if self.valid.shape != (rows,) or self.valid.dtype != np.bool_:
            raise ValueError(
                f"valid must be bool of shape ({rows},), got {self.valid.dtype} {self.valid.shape}"
            )
        if len(self.names) != columns or len(set(self.names)) != columns:
            raise ValueError(f"names must be {columns} distinct strings, got {len(self.names)}")

    def _check_contents(self) -> None:
        if not np.isfinite(self.values).all():
            column = int(np.argwhere(~np.isfinite(self.values))[0, 1])
            raise ValueError(f"values of column {self.names[column]!r} are not all finite")
        if not np.isfinite(self.times).all():
            raise ValueError("times are not all finite")
        if (np.diff(self.times[:, 0]) < 0).any() or (self.times[:, 1] < self.times[:, 0]).any():
            raise ValueError("times must have starts that do not decrease and ends after starts")

    def __len__(self) -> int:
        return len(self.values)

    @classmethod
    def empty(cls, names: tuple[str, ...]) -> Self:
        """Make a sequence of no rows.

        Parameters
        ----------
        names : tuple of str
            Column names.

        Returns
        -------
        FeatureSequence
            ``T = 0`` rows of ``len(names)`` columns.
        """
        return cls(
            values=np.zeros((0, len(names)), np.float32),
            times=np.zeros((0, 2), np.float64),
            names=names,
            valid=np.zeros(0, np.bool_),
        )

    def between(self, start: Seconds, end: Seconds) -> "FeatureSequence":
        """Take the rows whose midpoint lies in ``[start, end)``.

        A row belongs to exactly one of two adjoining spans, so nothing is used twice.

        Parameters
        ----------
        start, end : Seconds
            The span, ``start <= end``.

        Returns
        -------
        FeatureSequence
            The rows, times still counted from the start of the clip.

        Raises
        ------
        ValueError
            If ``end < start``.
        """
        if end < start:
            raise ValueError(f"span [{start}, {end}) s is reversed")
        middle = self.times.mean(axis=1)
        keep = (middle >= start) & (middle < end)
        return FeatureSequence(
            values=self.values[keep],
            times=self.times[keep],
            names=self.names,
            valid=self.valid[keep],
        )
