import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open

from extractors.sequence import FeatureSequence
from pipeline.dataset import PackedDataset
from pipeline.dataset_writer import DatasetWriter
from pipeline.errors import DataError
from pipeline.examples import Example


def write(folder, examples, digest="d"):
    with DatasetWriter(folder) as writer:
        for example in examples:
            writer.add(example)
        writer.finish(folder / "data", digest=digest)
    return folder / "data"


def test_it_writes_what_packing_in_memory_saves(tmp_path, examples):
    examples = examples()
    # one without anything, and a modality that only the last one has
    rows = FeatureSequence.empty(("x",))
    examples = [
        Example(id="none", label=None, features={}),
        *(e._replace(features={m: s for m, s in e.features.items() if m != "vision"})
          for e in examples),
        Example(id="last", label=0.0, features={"vision": replace(
            rows, values=np.ones((2, 1), np.float32), times=np.array([[0.0, 1], [1, 2]]),
            valid=np.array([True, False]))}),
    ]  # fmt: skip
    PackedDataset.pack(examples, digest="d").save(tmp_path / "memory")
    path = write(tmp_path / "made", examples)
    assert path.read_bytes() == (tmp_path / "memory").read_bytes()
    assert [one.name for one in path.parent.iterdir()] == ["data"]


def test_safetensors_itself_reads_it(tmp_path, examples):
    examples = examples()
    path = write(tmp_path, examples)
    packed = PackedDataset.pack(examples, digest="d")
    with safe_open(path, framework="np") as stored:
        for name, ragged in packed.modalities.items():
            for field in ("values", "valid", "offsets"):
                found = stored.get_tensor(f"{name}/{field}")
                assert np.array_equal(found, getattr(ragged, field).numpy())
        labels = stored.get_tensor("labels")
    assert np.array_equal(labels, packed.labels.numpy(), equal_nan=True)


def test_an_error_leaves_nothing(tmp_path, examples):
    with pytest.raises(DataError, match="no utterances"):
        write(tmp_path, [])
    one = examples()[0]
    with pytest.raises(DataError, match="two utterances have the id"):
        write(tmp_path, [one, one])
    assert list(tmp_path.iterdir()) == []


MEMORY = """
import sys
import numpy as np
from pathlib import Path
from extractors.sequence import FeatureSequence
from pipeline.dataset import PackedDataset
from pipeline.dataset_writer import DatasetWriter
from pipeline.examples import Example

def memory(kind):
    return int(Path("/proc/self/status").read_text().split(kind + ":")[1].split()[0]) * 1024

path = Path(sys.argv[1])
names = tuple(f"c{n}" for n in range(1024))
before = memory("VmHWM")
with DatasetWriter(path.parent) as writer:
    for number in range(128):
        values = np.full((256, 1024), number, np.float32)
        steps = np.arange(256.0)
        audio = FeatureSequence(values=values, times=np.stack([steps, steps + 1], 1), names=names,
            valid=np.ones(256, np.bool_))
        writer.add(Example(id=str(number), label=0.0, features={"audio": audio}))
    writer.finish(path, digest="d")
print(memory("VmHWM") - before)
before = memory("RssAnon")
data = PackedDataset.load(path)
print(memory("RssAnon") - before, data.value_bytes)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_neither_writing_nor_loading_holds_the_data(tmp_path):
    told = subprocess.run(
        [sys.executable, "-c", MEMORY, str(tmp_path / "data")],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    written, loaded, size = map(int, told)
    assert size == 128 * 2**20
    assert written < size / 4
    assert loaded < size / 16
    assert torch.equal(
        PackedDataset.load(tmp_path / "data").modalities["audio"].values[::256, 0],
        torch.arange(128.0),
    )
