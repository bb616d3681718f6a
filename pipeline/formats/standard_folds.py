"""Which videos of MOSI and MOSEI train, select and test: the folds that everybody reports on."""

import functools
import json
from pathlib import Path

_FILE = Path(__file__).parent / "data" / "standard_folds.json"


def standard_fold(video: str) -> str | None:
    """Look a video's fold up.

    Source: CMU-MultimodalSDK's ``standard_train_fold``, ``standard_valid_fold`` and
    ``standard_test_fold`` of CMU-MOSI and CMU-MOSEI.

    Parameters
    ----------
    video : str
        Its name; an aligned entry's ``[number]`` at the end is left out of account.

    Returns
    -------
    str or None
        ``train``, ``valid`` or ``test``; None for a video of another data set.
    """
    return _folds().get(video.partition("[")[0])


@functools.cache
def _folds() -> dict[str, str]:
    sets: dict[str, dict[str, list[str]]] = json.loads(_FILE.read_text(encoding="utf-8"))
    return {
        video: fold for folds in sets.values() for fold, videos in folds.items() for video in videos
    }
