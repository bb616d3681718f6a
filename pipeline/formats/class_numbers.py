"""Names of classes as the numbers that are trained on."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from pipeline.errors import DataError
from pipeline.formats.utterance import Utterance


def class_names(utterances: Iterable[Utterance]) -> tuple[str, ...]:
    """List the classes of a data set.

    Parameters
    ----------
    utterances : iterable of Utterance
        Gone through once.

    Returns
    -------
    tuple of str
        Distinct names in alphabetical order; none where no utterance is of a class.
    """
    return tuple(sorted({utterance.category for utterance in utterances} - {""}))


def with_class_numbers(
    utterances: Iterable[Utterance], *, classes: Sequence[str]
) -> Iterator[Utterance]:
    """Make labels of classes.

    Parameters
    ----------
    utterances : iterable of Utterance
        With ``category``, those that are labelled.
    classes : sequence of str
        All names; the first is number 0.

    Yields
    ------
    Utterance
        In the same order, the label being the class's number, or None.

    Raises
    ------
    DataError
        If an utterance is of another class.
    """
    numbers = {name: float(number) for number, name in enumerate(classes)}
    for utterance in utterances:
        if utterance.category and utterance.category not in numbers:
            raise DataError(
                f"utterance {utterance.id!r} is of class {utterance.category!r}, which is not "
                f"among {', '.join(classes)}"
            )
        yield replace(utterance, label=numbers.get(utterance.category))
