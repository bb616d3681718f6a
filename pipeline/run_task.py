"""What a run predicts, sentiment or classes, and how that is scored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from pipeline.bootstrap import Interval, bootstrap_intervals
from pipeline.category_metrics import (
    CATEGORY_NAMES,
    CategoryMetrics,
    category_metrics,
    category_scoring,
)
from pipeline.metrics import METRIC_NAMES, SENTIMENT, SentimentMetrics, sentiment_metrics
from pipeline.score_totals import Floats, Scoring

Metrics = SentimentMetrics | CategoryMetrics

_TWO = ("0", "1")
_SIGNS = ("not positive", "positive")


@dataclass(frozen=True, kw_only=True)
class RunTask:
    """What a run predicts.

    Parameters
    ----------
    classes : tuple of str
        Names of the classes; none where a score is predicted.
    numbered : bool
        Whether labels are the classes' numbers. Otherwise there are two, and what is above 0 is of
        the second.
    log_odds : bool
        Whether the scores of two classes are log odds of the second. Otherwise what is above 0.5 is
        taken for it.
    """

    classes: tuple[str, ...] = ()
    numbered: bool = False
    log_odds: bool = False

    @classmethod
    def of(
        cls,
        model_config: Mapping[str, Any],
        *,
        labels: npt.ArrayLike = (),
        classes: Sequence[str] = (),
    ) -> "RunTask":
        """Tell by settings and labels.

        Parameters
        ----------
        model_config : mapping
            Of the run: ``classes`` names some, ``regression: logistic`` predicts log odds.
        labels : array_like, shape (n,)
            All labels of the data set, finite: where they are 0 and 1 there are two classes.
        classes : sequence of str
            Their names, if they are known already.

        Returns
        -------
        RunTask
            Names are those of the settings, or of labels: 0 and 1, or their signs.
        """
        log_odds = model_config.get("regression") == "logistic"
        named = tuple(model_config.get("classes", ()))
        if named:
            return cls(classes=named, numbered=True)
        values = set(np.unique(np.asarray(labels, np.float64)).tolist())
        if not classes and (log_odds or values == {0.0, 1.0}):
            classes = _TWO if values <= {0.0, 1.0} else _SIGNS
        return cls(classes=tuple(classes), log_odds=log_odds)

    @property
    def class_numbers(self) -> tuple[str, ...]:
        """Names of the classes whose numbers are the labels; none where labels are scores."""
        return self.classes if self.numbered else ()

    @property
    def metric_names(self) -> tuple[str, ...]:
        """The metrics, in the order of a table's columns."""
        return CATEGORY_NAMES if self.classes else METRIC_NAMES

    @property
    def scoring(self) -> Scoring:
        """Of what :meth:`said` returns."""
        return category_scoring(len(self.classes)) if self.classes else SENTIMENT

    def target(self, labels: Floats) -> Floats:
        """Take labels for what is scored against.

        Parameters
        ----------
        labels : ndarray, shape (n,)
            Finite.

        Returns
        -------
        ndarray of float64, shape (n,)
            The same, or numbers of classes.
        """
        return labels if self.numbered or not self.classes else (labels > 0).astype(np.float64)

    def said(self, by_seed: Floats) -> Floats:
        """Tell what every seed says.

        Parameters
        ----------
        by_seed : ndarray, shape (s, n)
            What the models predict.

        Returns
        -------
        ndarray of float64, shape (s, n)
            Scores, or numbers of classes.
        """
        if self.numbered or not self.classes:
            return by_seed
        return (by_seed > (0.0 if self.log_odds else 0.5)).astype(np.float64)

    def probabilities(self, by_seed: Floats) -> Floats:
        """Tell how probable each of two classes is.

        Parameters
        ----------
        by_seed : ndarray, shape (s, n)
            Scores. Those that are no log odds are taken for the probability of the second class,
            cut off at 0 and 1.

        Returns
        -------
        ndarray of float64, shape (s, n, 2)
            Probabilities.
        """
        second = expit(by_seed) if self.log_odds else np.clip(by_seed, 0, 1)
        return np.stack([1 - second, second], axis=-1)

    def together(self, by_seed: Floats, probabilities: Floats | None = None) -> Floats:
        """Tell what the seeds say together.

        Parameters
        ----------
        by_seed : ndarray, shape (s, n)
            What the models predict.
        probabilities : ndarray, shape (n, classes), optional
            Mean over the seeds; of two classes they follow from the scores.

        Returns
        -------
        ndarray of float64, shape (n,)
            The mean score, or the number of the class with the largest mean probability.
        """
        if not self.classes:
            mean: Floats = by_seed.mean(axis=0)
            return mean
        if probabilities is None:
            probabilities = self.probabilities(by_seed).mean(axis=0)
        most: Floats = probabilities.argmax(axis=1).astype(np.float64)
        return most

    def constant(self, known: Floats) -> float:
        """Find the best constant guess.

        Parameters
        ----------
        known : ndarray, shape (n,)
            Labels of the training split, at least one.

        Returns
        -------
        float
            Their median, which minimises the mean absolute error, or the number of the commonest
            class.
        """
        if not self.classes:
            return float(np.quantile(known, 0.5))
        return float(np.bincount(self.target(known).astype(np.int64)).argmax())

    def metrics(self, prediction: Floats, labels: Floats) -> Metrics:
        """Score.

        Parameters
        ----------
        prediction : ndarray, shape (n,)
            Of a seed as :meth:`said`, or :meth:`together`.
        labels : ndarray, shape (n,)
            Finite.

        Returns
        -------
        SentimentMetrics or CategoryMetrics
            Over all utterances.

        Raises
        ------
        DataError
            If there are no utterances, the shapes differ, or a value is not finite.
        """
        target = self.target(labels)
        if self.classes:
            return category_metrics(predicted=prediction, target=target, classes=len(self.classes))
        return sentiment_metrics(prediction=prediction, target=target)

    def intervals(
        self, prediction: Floats, labels: Floats, *, clips: Sequence[str]
    ) -> dict[str, Interval]:
        """Tell how far metrics would move with other clips.

        Parameters
        ----------
        prediction : ndarray, shape (n,) or (s, n)
            As for :meth:`metrics`; of several seeds the mean is meant.
        labels : ndarray, shape (n,)
            Finite.
        clips : sequence of str, length n
            Which clip each utterance is of.

        Returns
        -------
        dict of str to Interval
            Metric to its 95 % interval, by the bootstrap over clips.
        """
        return bootstrap_intervals(
            predictions=prediction, target=self.target(labels), clips=clips, scoring=self.scoring
        )
