"""A packed data set that is written while its utterances come, one in memory at a time."""

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np

from pipeline.dataset_file import Stored, write_dataset
from pipeline.examples import Example, ExampleList


class DatasetWriter:
    """Write utterances into a file that :meth:`pipeline.dataset.PackedDataset.load` reads.

    A context manager. Values are kept in temporary files beside it until :meth:`finish`, so the
    disk must have room for twice their size.

    Parameters
    ----------
    folder : Path
        Of the file; made if it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.examples = ExampleList()
        self._streams: dict[str, BinaryIO] = {}
        self._open = ExitStack()

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        scratch = tempfile.TemporaryDirectory(dir=self.folder, prefix=".", suffix=".part")
        self._scratch = Path(self._open.enter_context(scratch))
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def add(self, example: Example) -> None:
        """Write the next utterance.

        Parameters
        ----------
        example : Example
            Not needed any more afterwards.

        Raises
        ------
        DataError
            If its id was there before or its columns are not those of the others.
        """
        for modality, sequence in self.examples.add(example).items():
            if modality not in self._streams:
                path = self._scratch / modality
                self._streams[modality] = self._open.enter_context(path.open("wb"))
            np.ascontiguousarray(sequence.values, "<f4").tofile(self._streams[modality])

    def finish(self, path: Path, *, digest: str) -> None:
        """Put the file together, atomically.

        Parameters
        ----------
        path : Path
            Where to.
        digest : str
            Of what the utterances were made from.

        Raises
        ------
        DataError
            If there are no utterances.
        """
        laid = self.examples.laid()
        for stream in self._streams.values():
            stream.close()
        write_dataset(
            path,
            values={
                modality: Stored(
                    self._scratch / modality, "<f4", (int(one.offsets[-1]), len(one.names))
                )
                for modality, one in laid.items()
            },
            laid=laid,
            labels=self.examples.labels,
            ids=tuple(self.examples.ids),
            digest=digest,
        )
