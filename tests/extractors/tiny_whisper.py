"""A Whisper of a few thousand weights that is taught to hear tones, for tests."""

import itertools
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperTokenizer,
)

from extractors.local_models import quiet_loading

RATE = 16000
SECONDS = 2
TONE = 0.24
HEAD = (1, 1)
PITCHES = {"one": 300.0, "two": 600.0, "three": 1000.0, "four": 1600.0, "five": 2600.0}
SPECIAL = (
    *("<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|de|>", "<|zh|>", "<|translate|>"),
    *("<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"),
)


def tones(
    names: list[str], *, starts: list[float], seconds: float = SECONDS, german: bool = False
) -> np.ndarray:
    """Words as tones on a little noise; under German ones lies a hum."""
    n = np.arange(round(seconds * RATE))
    sound = 0.003 * np.random.default_rng(0).standard_normal(len(n))
    shape = np.hanning(round(TONE * RATE))
    for name, start in zip(names, starts, strict=True):
        first = round(start * RATE)
        t = np.arange(len(shape)) / RATE
        wave = np.sin(2 * np.pi * PITCHES[name] * t)
        part = sound[first : first + len(shape)]
        part += 0.2 * (shape * wave)[: len(part)]
    if german:
        sound += 0.1 * np.sin(2 * np.pi * 5000 * n / RATE)
    return sound.astype(np.float32)


def make_tokenizer() -> WhisperTokenizer:
    """Bytes, and pieces for some of the words: the others take several tokens."""
    merges = []
    for whole in (" one", " two", " th", "ree", " five"):
        left = ""
        for character in whole.replace(" ", "Ġ"):
            if left:
                merges.append((left, character))
            left += character
    merges = list(dict.fromkeys(merges))
    pieces = dict.fromkeys([*sorted(ByteLevel.alphabet()), *(a + b for a, b in merges)])
    tokenizer = WhisperTokenizer(vocab={p: i for i, p in enumerate(pieces)}, merges=merges)
    tokenizer.add_tokens(list(SPECIAL), special_tokens=True)
    return tokenizer


def make_features() -> WhisperFeatureExtractor:
    return WhisperFeatureExtractor(feature_size=20, chunk_length=SECONDS)


def make_model(tokenizer: WhisperTokenizer) -> WhisperForConditionalGeneration:
    torch.manual_seed(0)
    end, start = tokenizer.convert_tokens_to_ids(["<|endoftext|>", "<|startoftranscript|>"])
    config = WhisperConfig(
        vocab_size=len(tokenizer),
        num_mel_bins=20,
        d_model=48,
        encoder_layers=1,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=96,
        decoder_ffn_dim=96,
        max_source_positions=SECONDS * 50,
        max_target_positions=48,
        pad_token_id=end,
        bos_token_id=end,
        eos_token_id=end,
        decoder_start_token_id=start,
        suppress_tokens=None,
        begin_suppress_tokens=None,
    )
    model = WhisperForConditionalGeneration(config)
    # else what else is set is not read again
    model.generation_config._from_model_config = False
    return model


class Lessons(NamedTuple):
    """Sounds as features, tokens to write for them, which of these count, where each is heard."""

    features: torch.Tensor
    tokens: torch.Tensor
    counts: torch.Tensor
    heard: torch.Tensor


def make_lessons(*, tokenizer: WhisperTokenizer, size: int) -> Lessons:
    rng, features = np.random.default_rng(1), make_features()
    sounds, texts, onsets = [], [], []
    for _ in range(size):
        count = int(rng.integers(1, 5))
        gaps = rng.dirichlet(np.ones(count + 1)) * (SECONDS - 0.1 - count * (TONE + 0.06))
        starts = [float(s) for s in np.cumsum(gaps[:-1]) + np.arange(count) * (TONE + 0.06)]
        names = [str(name) for name in rng.choice(list(PITCHES), count)]
        german = bool(rng.random() < 0.4)
        # a chunk ends soon after its speech
        length = round((starts[-1] + TONE + 0.2) * RATE) if rng.random() < 0.7 else SECONDS * RATE
        sounds.append(tones(names, starts=starts, german=german)[:length])
        prompt = [SPECIAL[1], "<|de|>" if german else "<|en|>", "<|transcribe|>", SPECIAL[-1]]
        ids = [tokenizer(f" {n}", add_special_tokens=False).input_ids for n in names]
        texts.append([*tokenizer.convert_tokens_to_ids(prompt), *itertools.chain(*ids)])
        onsets.append(
            [
                start + piece * TONE / len(pieces)
                for start, pieces in zip(starts, ids, strict=True)
                for piece in range(len(pieces))
            ]
        )
    end = tokenizer.convert_tokens_to_ids("<|endoftext|>")
    longest = max(map(len, texts)) + 1
    tokens = torch.tensor([text + [end] * (longest - len(text)) for text in texts])
    counts = torch.arange(longest)[None] <= torch.tensor([len(text) for text in texts])[:, None]
    heard = torch.zeros(size, longest - 1, SECONDS * 50)
    for row, starts in zip(heard, onsets, strict=True):
        for token, (start, after) in enumerate(itertools.pairwise([*starts, starts[-1] + TONE])):
            # the last token of the prompt, the fourth, writes the first of the text
            row[token + 3, round(start * 50) : round(after * 50)] = 1
        row[len(starts) + 3, round((starts[-1] + TONE) * 50) :] = 1
    heard /= heard.sum(-1, keepdim=True).clamp(min=1)
    read = features(sounds, sampling_rate=RATE, return_tensors="pt").input_features
    return Lessons(read, tokens, counts, heard)


def save_taught(folder: Path, *, steps: int = 350, size: int = 400) -> Path:
    """Teach a model to write, and one of its heads to look where the tone is; save it."""
    tokenizer = make_tokenizer()
    model = make_model(tokenizer).train()
    model.set_attn_implementation("eager")
    lessons = make_lessons(tokenizer=tokenizer, size=size)
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=4e-3, total_steps=steps)
    for _ in range(steps):
        chosen = torch.randint(size, (24,))
        tokens, counts = lessons.tokens[chosen], lessons.counts[chosen, 1:]
        output = model(
            input_features=lessons.features[chosen],
            decoder_input_ids=tokens[:, :-1],
            output_attentions=True,
        )
        written = torch.nn.functional.cross_entropy(
            output.logits.transpose(1, 2), tokens[:, 1:], reduction="none"
        )
        heard = lessons.heard[chosen]
        seen = output.cross_attentions[HEAD[0]][:, HEAD[1]] + 1e-6
        strayed = -(heard * seen.log()).sum(-1)[heard.any(-1)].mean()
        loss = (written * counts).sum() / counts.sum() + 0.1 * strayed
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    model.generation_config.alignment_heads = [list(HEAD)]
    return save(folder, model=model, tokenizer=tokenizer)


def save(
    folder: Path, *, model: WhisperForConditionalGeneration, tokenizer: WhisperTokenizer
) -> Path:
    with quiet_loading():
        model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    make_features().save_pretrained(folder)
    return folder
