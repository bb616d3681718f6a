"""Which clip an utterance is of, told by its name."""

import re
from collections.abc import Sequence

# Winnow's own names end in a span of seconds; MMSA's have the video's name before this mark.
_UTTERANCE = re.compile(r"(?s)(?P<clip>.+?)(?:\$_\$.*|:\d+(?:\.\d+)?-\d+(?:\.\d+)?)")


def clip_names(ids: Sequence[str]) -> list[str]:
    """Tell the clips of utterances.

    Parameters
    ----------
    ids : sequence of str
        Names of utterances: ``<clip>:<start>-<end>``, or ``<video>$_$<clip>`` as MMSA writes them.

    Returns
    -------
    list of str
        One for each; what is named otherwise is a clip of its own.
    """
    return [found["clip"] if (found := _UTTERANCE.fullmatch(name)) else name for name in ids]
