"""Find and load pretrained models, without the network unless the user allows it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from extractors.bert import files_digest

# Weights for other frameworks than PyTorch, and copies of the weights in double the size.
UNWANTED_FILES = ("*.msgpack", "*.h5", "*.ot", "*.onnx", "*.tflite", "*fp32*")
# What decides a model's output.
MODEL_FILES = ("*.safetensors", "pytorch_model*.bin", "*.json", "*.txt")


def find_snapshot(*, model: str, allow_download: bool = False) -> Path | None:
    """Find the folder of a pretrained model.

    Parameters
    ----------
    model : str
        A folder, or the name of a model in the local cache of huggingface_hub.
    allow_download : bool, optional
        Whether a model that is not there may be fetched; not without it.

    Returns
    -------
    Path or None
        Folder with configuration and weights; None if there is none.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
    )

    try:
        return Path(
            snapshot_download(
                model, local_files_only=not allow_download, ignore_patterns=list(UNWANTED_FILES)
            )
        )
    except (HFValidationError, LocalEntryNotFoundError, HfHubHTTPError, ConnectionError):
        return None


def snapshot_digest(folder: Path) -> str:
    """Digest of a pretrained model: its weights, its vocabulary and its settings.

    Parameters
    ----------
    folder : Path
        From :func:`find_snapshot`.

    Returns
    -------
    str
        Hexadecimal SHA-256, remembered until a file changes.
    """
    return files_digest([file for pattern in MODEL_FILES for file in folder.glob(pattern)])


@contextmanager
def quiet_loading() -> Iterator[None]:
    """Keep transformers from drawing a bar and from listing weights that are not wanted."""
    import transformers.utils.logging

    logging: Any = transformers.utils.logging
    verbosity, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bar:
            logging.enable_progress_bar()
