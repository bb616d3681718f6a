import pickle
import tracemalloc
import warnings

import numpy as np
import pytest

from pipeline.formats.mmsa_writing import write_mmsa
from pipeline.formats.utterance import Utterance, rows_of


@pytest.mark.slow
def test_memory_is_that_of_one_utterance(tmp_path):
    def utterances():
        for number in range(2000):
            rows = rows_of(np.full((375, 35), float(number + 1), np.float32), modality="vision")
            yield Utterance(video=str(number), split="train", label=0.5, features={"vision": rows})

    class Again:
        def __iter__(self):
            return utterances()

    path = tmp_path / "large.pkl"
    tracemalloc.start()
    write_mmsa(path, Again())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert path.stat().st_size > 2000 * 375 * 35 * 4
    assert peak < 0.1 * path.stat().st_size
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "numpy.core", DeprecationWarning)
        vision = pickle.loads(path.read_bytes())["train"]["vision"]
    assert vision.shape == (2000, 375, 35)
    np.testing.assert_array_equal(vision[:, 374, 34], np.arange(1, 2001))
