"""From stored features and utterances to a packed data set."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import TypeVar

from extractors.base import get as get_extractor
from extractors.sequence import FeatureSequence
from pipeline.dataset import PackedDataset
from pipeline.dataset_writer import DatasetWriter
from pipeline.disk_space import require_space, stored_bytes
from pipeline.errors import DataError, StoreError
from pipeline.examples import Example
from pipeline.failure_log import FailureLog
from pipeline.fingerprint import settings_digest
from pipeline.records import Segment
from pipeline.store import FeatureKey, FeatureStore

#: What failures and errors are known by if there is nothing to pack.
NO_FEATURES = "no_features"
#: So many clips of a bucket are read at a time, and are in memory; to wait for one takes longer
#: than to pack it.
CLIPS_AHEAD = 8
T = TypeVar("T")
R = TypeVar("R")


def pack_segments(
    *,
    segments: Sequence[Segment],
    keys: Mapping[str, Mapping[str, FeatureKey]],
    store: FeatureStore,
    folder: Path,
    log: FailureLog,
    reserve_bytes: int = 0,
) -> PackedDataset:
    """Slice the stored sequences into utterances and pack them, once for the same input.

    Parameters
    ----------
    segments : sequence of Segment
        Utterances, those of one clip together.
    keys : mapping of str to mapping of str to FeatureKey
        Clip id to extractor name to key; a key that is not stored is a missing modality.
    store : FeatureStore
        Where the sequences are.
    folder : Path
        Receives the packed file, named by the digest of what it is made from.
    log : FailureLog
        Told of utterances without any feature and of sequences that are damaged.
    reserve_bytes : int
        What is to be left free of the folder's disk.

    Returns
    -------
    PackedDataset
        On the CPU; utterances without any feature are left out.

    Raises
    ------
    DataError
        If no utterance is left.
    StoreError
        With code ``store_unreachable`` if a bucket does not answer.
    WorkspaceError
        If there is no room for the packed file.
    """
    stored = store.present(_flat(keys))
    there = {
        clip_id: {name: key for name, key in by_name.items() if key in stored}
        for clip_id, by_name in keys.items()
    }
    dataset = _load(_packed(folder, _digest(segments, there)))
    if dataset is None:
        # twice: what is written is put together from temporary files
        size = 2 * stored_bytes(_flat(there), store=store)
        require_space(folder, needed=size, reserve=reserve_bytes, purpose="packing")
        with DatasetWriter(folder) as writer:
            for example in _examples(segments, there, store, log):
                writer.add(example)
            if not len(writer.examples):
                _record_absent(segments, set(), log)
                raise DataError(
                    f"none of {len(segments)} utterances has any feature; see the recorded "
                    "failures",
                    code=NO_FEATURES,
                )
            # once more: what turned out to be damaged is no part of it
            digest = _digest(segments, there)
            writer.finish(_packed(folder, digest), digest=digest)
        dataset = PackedDataset.load(_packed(folder, digest))
    _record_absent(segments, set(dataset.ids), log)
    return dataset


def _flat(keys: Mapping[str, Mapping[str, FeatureKey]]) -> list[FeatureKey]:
    return [key for by_name in keys.values() for key in by_name.values()]


def _digest(segments: Sequence[Segment], keys: Mapping[str, Mapping[str, FeatureKey]]) -> str:
    return settings_digest(
        {
            "segments": [asdict(segment) for segment in segments],
            "features": {
                clip_id: sorted(key.path for key in by_name.values())
                for clip_id, by_name in keys.items()
            },
        }
    )


def _packed(folder: Path, digest: str) -> Path:
    return folder / f"{digest[:16]}.safetensors"


def _load(path: Path) -> PackedDataset | None:
    """Read what was packed before, and say that it is in use; what is damaged is packed again."""
    try:
        dataset = PackedDataset.load(path) if path.exists() else None
    except StoreError:
        path.unlink()
        return None
    if dataset is not None:
        os.utime(path)
    return dataset


def _record_absent(segments: Sequence[Segment], packed: set[str], log: FailureLog) -> None:
    for segment in segments:
        if segment.id not in packed:
            nothing = DataError(
                f"utterance {segment.id}: no extractor gave anything between "
                f"{segment.start:.2f} and {segment.end:.2f} s; it is left out",
                code=NO_FEATURES,
            )
            log.record(nothing, item=segment.id, step="pack", clip_id=segment.clip_id)


def _read(
    by_name: Mapping[str, FeatureKey], store: FeatureStore
) -> dict[str, FeatureSequence | StoreError]:
    """Read the sequences of a clip; a damaged one is an error in its place."""
    found: dict[str, FeatureSequence | StoreError] = {}
    for name, key in by_name.items():
        try:
            found[name] = store.get(key)
        except StoreError as error:
            if error.code == "store_unreachable":
                # nothing is damaged: to pack without it would be another data set
                raise
            found[name] = error
    return found


def _in_order(items: Sequence[T], work: Callable[[T], R], *, ahead: int) -> Iterator[R]:
    """Do work in threads, so many items before they are asked for; in this thread for none."""
    if not ahead:
        yield from map(work, items)
        return
    with ThreadPoolExecutor(ahead) as pool:
        begun: deque[Future[R]] = deque()
        try:
            for item in items:
                begun.append(pool.submit(work, item))
                if len(begun) > ahead:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            for future in begun:
                future.cancel()


def _examples(
    segments: Sequence[Segment],
    keys: dict[str, dict[str, FeatureKey]],
    store: FeatureStore,
    log: FailureLog,
) -> Iterator[Example]:
    """Utterances of one clip after the other, so that a clip is read once.

    Keys of damaged sequences are taken out of ``keys``.
    """
    groups = [
        (clip_id, list(group)) for clip_id, group in groupby(segments, key=lambda one: one.clip_id)
    ]
    wanted = [keys.get(clip_id, {}) for clip_id, _ in groups]
    ahead = 0 if store.is_local else CLIPS_AHEAD
    found = _in_order(wanted, lambda by_name: _read(by_name, store), ahead=ahead)
    for (clip_id, group), by_name in zip(groups, found, strict=True):
        sequences = {}
        for name, read in by_name.items():
            if isinstance(read, FeatureSequence):
                sequences[get_extractor(name).modality] = read
            else:
                item = keys[clip_id].pop(name).path
                log.record(read, item=item, step="pack", clip_id=clip_id)
        for segment in group:
            rows: dict[str, FeatureSequence] = {
                modality: sequence.between(segment.start, segment.end)
                for modality, sequence in sequences.items()
            }
            features = {modality: part for modality, part in rows.items() if len(part)}
            if features:
                yield Example(id=segment.id, label=segment.label, features=features)
