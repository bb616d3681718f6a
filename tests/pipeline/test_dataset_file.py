import json
import struct

import numpy as np

from pipeline.dataset_file import Stored, write_dataset
from pipeline.examples import Laid


def test_the_layout_is_that_of_safetensors(tmp_path):
    (tmp_path / "values").write_bytes(np.arange(6, dtype="<f4").tobytes())
    laid = Laid(np.array([True, False, True]), np.array([0, 1, 3]), ("a", "b"))
    write_dataset(
        tmp_path / "made" / "data",
        values={"audio": Stored(tmp_path / "values", "<f4", (3, 2))},
        laid={"audio": laid},
        labels=np.array([1.0, np.nan], np.float32),
        ids=("x", "y"),
        digest="d",
    )
    content = (tmp_path / "made" / "data").read_bytes()
    (size,) = struct.unpack("<Q", content[:8])
    assert size % 8 == 0
    header = json.loads(content[8 : 8 + size])
    about = json.loads(header.pop("__metadata__")["winnow"])
    assert about == {"ids": ["x", "y"], "names": {"audio": ["a", "b"]}, "digest": "d"}
    data = content[8 + size :]
    types = {"F32": "<f4", "I64": "<i8", "BOOL": "?"}
    found = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        assert begin % np.dtype(types[entry["dtype"]]).itemsize == 0
        found[name] = np.frombuffer(data[begin:end], types[entry["dtype"]]).reshape(entry["shape"])
    # without holes, as the format demands
    spans = sorted(entry["data_offsets"] for entry in header.values())
    assert [begin for begin, _ in spans] == [0, *(end for _, end in spans[:-1])]
    assert spans[-1][1] == len(data)
    assert found["audio/values"].tolist() == [[0, 1], [2, 3], [4, 5]]
    assert found["audio/valid"].tolist() == [True, False, True]
    assert found["audio/offsets"].tolist() == [0, 1, 3]
    assert found["labels"][0] == 1.0
    assert np.isnan(found["labels"][1])
    assert not (tmp_path / "values").exists()
