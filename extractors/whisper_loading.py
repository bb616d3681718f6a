"""Load a Whisper model from local files."""

import re
from pathlib import Path
from typing import Any, NamedTuple

from extractors.errors import MissingModelError
from extractors.local_models import find_snapshot, quiet_loading

LANGUAGE_TOKEN = re.compile(r"<\|([a-z]{2,3})\|>")
# Vocabulary of the models that know English alone; one token smaller than the others'.
ENGLISH_VOCABULARY = 51864
NEEDED_TOKENS = (
    *("<|endoftext|>", "<|startoftranscript|>", "<|notimestamps|>"),
    *("<|transcribe|>", "<|translate|>"),
)


class LoadedWhisper(NamedTuple):
    """A Whisper that is ready to hear.

    Attributes
    ----------
    folder : Path
        Where it was read from.
    model : transformers.WhisperForConditionalGeneration
        With settings that name all its special tokens.
    tokenizer : transformers.WhisperTokenizer
        Its tokens.
    features : transformers.WhisperFeatureExtractor
        What it makes of sound.
    """

    folder: Path
    model: Any
    tokenizer: Any
    features: Any


def load_whisper(*, model: str, allow_download: bool = False) -> LoadedWhisper:
    """Load a Whisper from local files, onto the GPU in half precision where there is one.

    Parameters
    ----------
    model : str
        Folder that ``save_pretrained`` wrote, or the name of a model in the local cache of
        huggingface_hub.
    allow_download : bool, optional
        Whether a model that is not there may be fetched; not without it.

    Returns
    -------
    LoadedWhisper
        Settings that older or home-made models lack are taken from their vocabulary.

    Raises
    ------
    MissingModelError
        With code ``no_transcript``, if there is no such model, or it is no Whisper.
    """
    folder = find_snapshot(model=model, allow_download=allow_download)
    if folder is None:
        raise _missing(
            f"speech model {model!r} is neither a folder nor a model in the local cache"
            + (", and could not be fetched" if allow_download else "")
        )
    loaded, tokenizer, features = _load(folder=folder, name=model)
    lacking = [token for token in NEEDED_TOKENS if token not in tokenizer.get_vocab()]
    if lacking:
        raise _missing(f"speech model {model!r} in {folder}: its vocabulary lacks {lacking[0]}")
    _complete(model=loaded, tokenizer=tokenizer)
    return LoadedWhisper(folder, loaded, tokenizer, features)


def _missing(what: str) -> MissingModelError:
    return MissingModelError(
        f"{what}. Three ways to words: put a transcript (.srt, .vtt, .txt) beside the clip; give "
        "the folder of a Whisper model (words.whisper_model), or allow its download "
        "(words.allow_download=true); or ask for --asr pocketsphinx, which is poor",
        code="no_transcript",
    )


def _load(*, folder: Path, name: str) -> tuple[Any, Any, Any]:
    import torch
    from safetensors import SafetensorError
    from transformers import (
        AutoConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
        WhisperTokenizer,
    )

    on_gpu = torch.cuda.is_available()
    try:
        with quiet_loading():
            config = AutoConfig.from_pretrained(folder, local_files_only=True)
            if config.model_type != "whisper":
                raise _missing(f"speech model {name!r} in {folder} is a {config.model_type}")
            loaded: Any = WhisperForConditionalGeneration.from_pretrained(
                folder,
                local_files_only=True,
                dtype=torch.float16 if on_gpu else torch.float32,
            )
            tokenizer = WhisperTokenizer.from_pretrained(folder, local_files_only=True)
            features = WhisperFeatureExtractor.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, SafetensorError) as error:
        raise _missing(f"speech model {name!r} in {folder} cannot be loaded ({error})") from error
    return loaded.eval().to("cuda" if on_gpu else "cpu"), tokenizer, features


def _complete(*, model: Any, tokenizer: Any) -> None:
    """Fill in what older or home-made models do not say about their special tokens."""
    settings = model.generation_config
    vocabulary = tokenizer.get_vocab()
    known = {
        "decoder_start_token_id": vocabulary["<|startoftranscript|>"],
        "eos_token_id": vocabulary["<|endoftext|>"],
        "pad_token_id": vocabulary["<|endoftext|>"],
        "no_timestamps_token_id": vocabulary["<|notimestamps|>"],
        "is_multilingual": model.config.vocab_size != ENGLISH_VOCABULARY,
        "lang_to_id": {t: i for t, i in vocabulary.items() if LANGUAGE_TOKEN.fullmatch(t)},
        "task_to_id": {t: vocabulary[f"<|{t}|>"] for t in ("transcribe", "translate")},
    }
    for name, value in known.items():
        if getattr(settings, name, None) is None:
            setattr(settings, name, value)
    if not settings.is_multilingual:
        # With these at hand, transformers asks for a language that the model cannot tell.
        for name in ("lang_to_id", "task_to_id"):
            delattr(settings, name)
    # Old settings that would overrule language and task, or the room for the text.
    settings.forced_decoder_ids = None
    settings.max_length = None
