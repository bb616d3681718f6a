"""Whisper from local files: sounds in, tokens with their probabilities and onsets out."""

import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from extractors.attention_alignment import token_onsets
from extractors.framing import Float64Array, Samples
from extractors.local_models import quiet_loading
from extractors.sequence import Seconds
from extractors.token_words import UNSPACED_LANGUAGES, TokenWord, words_of_tokens
from extractors.whisper_loading import load_whisper
from extractors.word_pieces import IndexArray

SAMPLES_PER_FRAME = 320
#: Text that packs better than this repeats itself (Radford et al., section 4.5).
COMPRESSION_LIMIT = 2.4
# Runs of tokens that may not come twice when a text that repeats itself is written anew.
REPEATED_TOKENS = 5


@dataclass(frozen=True, kw_only=True)
class HeardText:
    """What Whisper wrote for one sound.

    Parameters
    ----------
    text : str
        All of it.
    words : tuple of TokenWord
        The words and the tokens of each.
    probabilities : ndarray of float64, shape (N,)
        Of each of the N tokens, given those before it.
    onsets : ndarray of int, shape (N + 1,)
        Frame of 20 ms at which each token begins, and at which the text ends.
    mean_log_probability : float
        Over the tokens, the one that ends the text included.
    no_speech : float
        Probability that nobody speaks, in [0, 1].
    """

    text: str
    words: tuple[TokenWord, ...]
    probabilities: Float64Array
    onsets: IndexArray
    mean_log_probability: float
    no_speech: float

    @property
    def compression(self) -> float:
        """How much shorter the text is when packed: large if it repeats itself."""
        return compression_ratio(self.text)


class WhisperRecogniser:
    """Whisper, read from local files; on a GPU in half precision where there is one.

    Parameters
    ----------
    model : str
        Folder that ``save_pretrained`` wrote, or the name of a model in the local cache of
        huggingface_hub.
    allow_download : bool, optional
        Whether a model that is not there may be fetched; not without it.
    batch_size : int, optional
        Sounds that are heard at once, >= 1.

    Raises
    ------
    MissingModelError
        With code ``no_transcript``, if there is no such model, or it is no Whisper.
    ValueError
        If the batch size is not positive.

    References
    ----------
    Radford et al. (2023), "Robust Speech Recognition via Large-Scale Weak Supervision", ICML.
    """

    def __init__(self, model: str, *, allow_download: bool = False, batch_size: int = 8) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        self.batch_size = batch_size
        self.folder, self._model, self._tokenizer, self._features = load_whisper(
            model=model, allow_download=allow_download
        )

    @property
    def sample_rate(self) -> int:
        """Sampling rate of the sounds it hears, Hz."""
        return int(self._features.sampling_rate)

    @property
    def longest(self) -> Seconds:
        """Longest sound that it hears at once."""
        return float(self._features.n_samples / self._features.sampling_rate)

    @property
    def languages(self) -> tuple[str, ...]:
        """Codes of the languages it knows, ISO 639."""
        if not self._settings.is_multilingual:
            return ("en",)
        return tuple(sorted(token[2:-2] for token in self._settings.lang_to_id))

    @property
    def _settings(self) -> Any:
        return self._model.generation_config

    def detect_language(self, sounds: Sequence[Samples]) -> str:
        """Tell the language that some sounds have in common.

        Parameters
        ----------
        sounds : sequence of ndarray, shape (N,)
            At least one, each no longer than ``longest``.

        Returns
        -------
        str
            The language of the greatest product of probabilities over the sounds.
        """
        languages = self.languages
        if len(languages) == 1:
            return languages[0]
        ids = [self._settings.lang_to_id[f"<|{language}|>"] for language in languages]
        votes = sum(
            self._first_log_probabilities(self._encode(batch))[:, ids].sum(axis=0)
            for batch in self._batches(sounds)
        )
        return languages[int(np.argmax(votes))]

    def hear(self, sounds: Sequence[Samples], *, language: str) -> list[HeardText]:
        """Write down what is said in some sounds.

        Parameters
        ----------
        sounds : sequence of ndarray, shape (N,)
            Each no longer than ``longest``.
        language : str
            One of ``languages``.

        Returns
        -------
        list of HeardText
            One for each sound, the same whatever is heard together with it. A text that repeats
            itself is written anew, without runs of tokens that come twice.

        Raises
        ------
        ValueError
            If the model does not know the language.
        """
        if language not in self.languages:
            raise ValueError(
                f"language {language!r} is not known to the model in {self.folder}; it knows "
                f"{', '.join(self.languages)}"
            )
        heard = []
        for batch in self._batches(sounds):
            states = self._encode(batch)
            written = self._write(states, language=language)
            no_speech = np.exp(self._first_log_probabilities(states)[:, self._no_speech_id])
            for i, (sound, tokens) in enumerate(zip(batch, written, strict=True)):
                frames = max(1, -(-len(sound) // SAMPLES_PER_FRAME))
                heard.append(
                    self._describe(
                        tokens=tokens,
                        states=states[i : i + 1, :],
                        frames=min(frames, states.shape[1]),
                        language=language,
                        no_speech=float(no_speech[i]),
                    )
                )
        return heard

    @property
    def _no_speech_id(self) -> int:
        """The token before <|notimestamps|>, which has had two names."""
        return int(self._settings.no_timestamps_token_id) - 1

    def _batches(self, sounds: Sequence[Samples]) -> Iterator[Sequence[Samples]]:
        for first in range(0, len(sounds), self.batch_size):
            yield sounds[first : first + self.batch_size]

    def _encode(self, sounds: Sequence[Samples]) -> Any:
        """Encode sounds, filled up to the longest with silence, to states of shape (B, T, D)."""
        import torch

        features = self._features(
            [np.asarray(sound, np.float32) for sound in sounds],
            sampling_rate=self.sample_rate,
            return_tensors="pt",
        ).input_features
        with torch.inference_mode():
            encoder = self._model.get_encoder()
            return encoder(features.to(self._model.device, self._model.dtype)).last_hidden_state

    def _first_log_probabilities(self, states: Any) -> Float64Array:
        """Log probabilities of the first token after <|startoftranscript|>, shape (B, V)."""
        import torch

        start = torch.full(
            (len(states), 1), self._settings.decoder_start_token_id, device=states.device
        )
        with torch.inference_mode():
            logits = self._model(encoder_outputs=(states,), decoder_input_ids=start).logits
        found: Float64Array = logits[:, 0].double().log_softmax(-1).cpu().numpy()
        return found

    def _write(self, states: Any, *, language: str) -> list[list[int]]:
        """Text tokens for every sound, by greedy search; anew for those that repeat themselves."""
        written = self._generate(states, language=language)
        looping = [
            i
            for i, tokens in enumerate(written)
            if compression_ratio(self._decode(tokens)) > COMPRESSION_LIMIT
        ]
        if looping:
            anew = self._generate(
                states[looping], language=language, no_repeat_ngram_size=REPEATED_TOKENS
            )
            for i, tokens in zip(looping, anew, strict=True):
                written[i] = tokens
        return written

    def _generate(self, states: Any, *, language: str, **settings: Any) -> list[list[int]]:
        import torch
        from transformers.modeling_outputs import BaseModelOutput

        if self._settings.is_multilingual:
            settings |= {"language": f"<|{language}|>", "task": "transcribe"}
        room = self._model.config.max_target_positions - len(self._prompt(language))
        with torch.inference_mode(), quiet_loading():
            rows = self._model.generate(
                encoder_outputs=BaseModelOutput(last_hidden_state=states),
                return_timestamps=False,
                do_sample=False,
                num_beams=1,
                max_new_tokens=room,
                **settings,
            )
        end = self._settings.eos_token_id
        # Special tokens come after the one that ends the text.
        return [[token for token in row if token < end] for row in rows.tolist()]

    def _prompt(self, language: str) -> list[int]:
        settings = self._settings
        start, end = settings.decoder_start_token_id, settings.no_timestamps_token_id
        if not settings.is_multilingual:
            return [start, end]
        spoken = settings.lang_to_id[f"<|{language}|>"]
        return [start, spoken, settings.task_to_id["transcribe"], end]

    def _decode(self, tokens: Sequence[int]) -> str:
        text: str = self._tokenizer.decode(list(tokens), clean_up_tokenization_spaces=False)
        return text

    def _describe(
        self, *, tokens: list[int], states: Any, frames: int, language: str, no_speech: float
    ) -> HeardText:
        """Read a text once more against its sound, for probabilities and onsets of its tokens."""
        log_probabilities, attention = self._read(tokens=tokens, states=states, language=language)
        return HeardText(
            text=self._decode(tokens),
            words=tuple(
                words_of_tokens(
                    tokens=tokens,
                    decode=self._decode,
                    spaced=language not in UNSPACED_LANGUAGES,
                )
            ),
            probabilities=np.exp(log_probabilities[:-1]),
            onsets=token_onsets(attention=attention[:, :, :frames]),
            mean_log_probability=float(log_probabilities.mean()),
            no_speech=no_speech,
        )

    def _read(
        self, *, tokens: list[int], states: Any, language: str
    ) -> tuple[Float64Array, Float64Array]:
        """Log probabilities, shape (N + 1,), and attention, shape (H, N + 1, T).

        The last row is that of the token that ends the text. Only text tokens and that one count
        as what might have been written.
        """
        import torch

        prompt = self._prompt(language)
        read = torch.tensor([prompt + tokens], device=states.device)
        end = self._settings.eos_token_id
        with torch.inference_mode(), self._visible_attention():
            output = self._model(
                encoder_outputs=(states,), decoder_input_ids=read, output_attentions=True
            )
        rows = slice(len(prompt) - 1, None)
        logits = output.logits[0, rows, : end + 1].double().log_softmax(-1)
        chosen = torch.tensor([*tokens, end], device=logits.device)
        found = logits.gather(-1, chosen[:, None])[:, 0].cpu().numpy()
        attention = torch.stack(
            [output.cross_attentions[layer][0, head, rows] for layer, head in self._heads()]
        )
        return found, attention.float().cpu().numpy()

    @contextmanager
    def _visible_attention(self) -> Iterator[None]:
        """Fast attention keeps no weights; switch to the plain one for a while."""
        usual = self._model.config._attn_implementation
        self._model.set_attn_implementation("eager")
        try:
            yield
        finally:
            self._model.set_attn_implementation(usual)

    def _heads(self) -> list[tuple[int, int]]:
        """Heads that follow the sound: those the model names, else the upper half of layers."""
        named = getattr(self._settings, "alignment_heads", None)
        if named:
            return [(layer, head) for layer, head in named]
        config = self._model.config
        return [
            (layer, head)
            for layer in range(config.decoder_layers // 2, config.decoder_layers)
            for head in range(config.decoder_attention_heads)
        ]


def compression_ratio(text: str) -> float:
    """Tell how much shorter a text gets by packing it.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    float
        Bytes of its UTF-8 by bytes that zlib makes of them; large if it repeats itself.
    """
    encoded = text.encode()
    return len(encoded) / len(zlib.compress(encoded))
