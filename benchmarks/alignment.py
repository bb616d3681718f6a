"""Accuracy and cost of the alignment of words, printed as tables: ``make bench-alignment``.

Accuracy is measured on synthesised speech, whose word starts eSpeak NG itself reports (package
``espeakng-loader``), clean, in noise and with music, and with transcripts that lie. With the folder
that ``WINNOW_REFERENCE`` names also on recordings of talks. Cost is processor time on one core.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from benchmarks.synthetic_speech import CONDITIONS, RATE, VOICES, Speech, lies, long_talk, talk
from extractors.alignment import align_words
from extractors.media import Media
from extractors.words import Word

MINUTES = (6, 12, 24, 60)
Array = np.ndarray


def aligned(speech: Speech) -> list[Word]:
    """Align without any hint where somebody speaks."""
    spans = [(0.0, len(speech.signal) / RATE)]
    return align_words(tokens=speech.tokens, signal=speech.signal, sample_rate=RATE, spans=spans)


def errors(words: Sequence[Word], starts: Array) -> Array:
    """Signed errors of word starts in seconds; NaN where the truth is unknown."""
    return np.array([word.start for word in words]) - starts


def confidences(words: Sequence[Word]) -> Array:
    """Confidence of words, 0 where they were not found."""
    return np.array([0.0 if w.confidence is None else w.confidence for w in words])


def measured(found: Array, seconds: float) -> list[str]:
    """Median, 95th percentile and bias in ms, and processor time a minute of sound."""
    distance = np.abs(found[~np.isnan(found)])
    return [
        f"{np.median(distance) * 1e3:.0f}",
        f"{np.percentile(distance, 95) * 1e3:.0f}",
        f"{np.nanmedian(found) * 1e3:+.0f}",
        f"{seconds:.2f}",
    ]


def table_of(title: str, *headings: str) -> Table:
    """Begin a table with its numbers on the right."""
    table = Table(title=title)
    for i, heading in enumerate(headings):
        table.add_column(heading, justify="right" if i else "left")
    return table


def accuracy_table(talks: Sequence[Speech]) -> tuple[Table, bool]:
    """Errors of word starts by condition; the goals are for clean speech."""
    length = sum(len(speech.signal) for speech in talks) / RATE
    table = table_of(
        f"Word starts against eSpeak NG, {sum(len(s.tokens) for s in talks)} words, "
        f"{len({VOICES[i % len(VOICES)] for i in range(len(talks))})} voices, {length:.0f} s",
        "condition", "aligned", "median ms", "95 % ms", "bias ms", "CPU s / min", "confidence",
    )  # fmt: skip
    reached = True
    for name, disturb in CONDITIONS.items():
        found, sure, words = [], [], []
        started = time.process_time()
        for seed, speech in enumerate(talks):
            signal = disturb(speech.signal, np.random.default_rng(seed))
            words.append(aligned(speech._replace(signal=signal)))
            found.append(errors(words[-1], speech.starts))
            sure.append(confidences(words[-1]))
        cost = (time.process_time() - started) / length * 60
        all_found = np.concatenate(found)
        share = np.mean([word.source == "aligned" for one in words for word in one])
        table.add_row(
            name,
            f"{share:.3f}",
            *measured(all_found, cost),
            f"{np.median(np.concatenate(sure)):.2f}",
        )
        if name == "clean":
            distance = np.abs(all_found[~np.isnan(all_found)])
            reached = bool(np.median(distance) < 0.05 and np.percentile(distance, 95) < 0.15)
    return table, reached


def lies_table(talks: Sequence[Speech]) -> Table:
    """Measure what wrong transcripts do to the words that are right, and to confidence."""
    table = table_of(
        "Transcripts that lie, clean speech: confidence is sure from 0.5",
        "transcript", "median ms", "95 % ms", "said and sure", "not said and sure",
    )  # fmt: skip
    results: dict[str, list[tuple[float, float, bool]]] = {}
    strangers = [token for seed in (40, 41) for token in talk(seed, sentences=6).tokens]
    for seed, speech in enumerate(talks):
        for name, lie in lies(speech, strangers, np.random.default_rng(seed)).items():
            words = aligned(speech._replace(tokens=lie.tokens))
            starts = np.array([np.nan if i is None else speech.starts[i] for i in lie.origins])
            said = [i is not None for i in lie.origins]
            rows = zip(errors(words, starts), confidences(words), said, strict=True)
            results.setdefault(name, []).extend(rows)
    for name, rows in results.items():
        error, confidence, said = (np.array(column) for column in zip(*rows, strict=True))
        false = "-" if said.all() else f"{np.mean(confidence[~said] >= 0.5):.2f}"
        sure = f"{np.mean(confidence[said] >= 0.5):.2f}"
        table.add_row(name, *measured(error[said], 0)[:2], sure, false)
    return table


def talks_table(folder: Path) -> tuple[Table, bool]:
    """Align recordings of talks with their sentences, and with those of another talk."""
    clips = json.loads((folder / "clips.json").read_text("utf-8"))
    clips = [clip for clip in clips if (folder / clip["file"]).is_file()]
    texts = [[*clip["context"], clip["punchline"]] for clip in clips]
    table = table_of(
        "Recorded talks", "clip", "sound s", "words", "sentences placed", "in order", "aligned",
        "sure", "CPU s", "sure, with another clip's text",
    )  # fmt: skip
    reached = True
    for number, (clip, sentences) in enumerate(zip(clips, texts, strict=True)):
        signal = Media(path=folder / clip["file"]).audio(sample_rate=RATE)
        tokens = [token for sentence in sentences for token in sentence.split()]
        started = time.process_time()
        words = aligned(Speech(signal, tokens, np.zeros(0)))
        cost = time.process_time() - started
        found = np.array([word.source == "aligned" for word in words])
        parts = np.split(found, np.cumsum([len(s.split()) for s in sentences])[:-1])
        placed = sum(bool(part.any()) for part in parts)
        starts = [word.start for word in words]
        other = " ".join(texts[(number + 1) % len(texts)]).split()
        wrong = confidences(aligned(Speech(signal, other, np.zeros(0))))
        in_order = starts == sorted(starts)
        table.add_row(
            str(clip["id"]), f"{len(signal) / RATE:.1f}", str(len(words)),
            f"{placed}/{len(sentences)}", "yes" if in_order else "no", f"{found.mean():.2f}",
            f"{np.mean(confidences(words) >= 0.5):.2f}", f"{cost:.2f}",
            f"{np.mean(wrong >= 0.5):.2f}",
        )  # fmt: skip
        reached &= in_order and placed == len(sentences) and cost < 3
    return table, reached


def cost_of(minutes: int) -> tuple[float, float, float, float, float]:
    """Sound in s, processor time in s, peak memory in GB, and median and 95 % error in ms."""
    speech = long_talk(minutes)
    started = time.process_time()
    words = aligned(speech)
    cost = time.process_time() - started
    distance = np.abs(errors(words, speech.starts))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    seconds = len(speech.signal) / RATE
    return seconds, cost, memory, *(np.nanpercentile(distance, (50, 95)) * 1e3).tolist()


def cost_table(lengths: Sequence[int]) -> tuple[Table, bool]:
    """Processor time and memory for growing lengths, each in a process of its own."""
    table = table_of(
        "Cost on one core", "sound min", "CPU s", "CPU s / min", "peak GB", "median ms", "95 % ms"
    )
    rates, peaks = [], []
    for minutes in lengths:
        command = [sys.executable, "-m", "benchmarks.alignment", "--cost", str(minutes)]
        done = subprocess.run(command, check=True, text=True, capture_output=True)
        seconds, cost, memory, median, high = json.loads(done.stdout)
        rates.append(cost / seconds * 60)
        peaks.append(memory)
        table.add_row(
            f"{seconds / 60:.1f}", f"{cost:.1f}", f"{rates[-1]:.2f}", f"{memory:.2f}",
            f"{median:.0f}", f"{high:.0f}",
        )  # fmt: skip
    return table, max(peaks) < 1 and max(rates) < 1.5 * rates[0]


def main() -> int:
    """Print the tables.

    Returns
    -------
    int
        0 if every goal was reached, for the exit status.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--talks", type=int, default=18, help="talks of six sentences")
    parser.add_argument("--minutes", type=int, nargs="*", default=MINUTES, metavar="M")
    parser.add_argument("--cost", type=int, help="print the cost of one length as JSON instead")
    arguments = parser.parse_args()
    console = Console()
    with threadpool_limits(limits=1):
        if arguments.cost:
            sys.stdout.write(json.dumps(cost_of(arguments.cost)))
            return 0
        talks = [talk(seed, sentences=6) for seed in range(arguments.talks)]
        table, reached = accuracy_table(talks)
        good = [reached]
        console.print(table, lies_table(talks))
        folder = Path(os.environ.get("WINNOW_REFERENCE", ""), "clips", "ted")
        if (folder / "clips.json").is_file():
            table, reached = talks_table(folder)
            console.print(table)
            good.append(reached)
    if arguments.minutes:
        table, reached = cost_table(arguments.minutes)
        console.print(table)
        good.append(reached)
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
