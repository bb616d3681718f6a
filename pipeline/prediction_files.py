"""Predictions of videos as JSON, as a table, and as a track for a player."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from pydantic import TypeAdapter

from models.batch import MODALITIES
from pipeline.atomic import write_text
from pipeline.bootstrap import Interval
from pipeline.errors import ConfigError
from pipeline.prediction_records import PredictionReport, UtterancePrediction, VideoPrediction
from pipeline.subtitle_writer import clock_text

SUFFIXES = (".json", ".csv", ".vtt")
#: Columns of the table; times in seconds, empty where there is no value.
COLUMNS = (
    *("video", "start", "end", "text", "label", "class", "prediction", "sd", "class_set"),
    *("label_low", "label_high", "seed_low", "seed_high"),
    *(f"from_{name}" for name in MODALITIES),
    *("without_all", "seen"),
)
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def write_predictions(
    report: PredictionReport, output: Path, *, inputs: Sequence[Path] = ()
) -> list[Path]:
    """Write predictions down.

    Parameters
    ----------
    report : PredictionReport
        Of some videos.
    output : Path
        A file in .json, .csv or .vtt, or a folder, which receives ``predictions.json``,
        ``predictions.csv`` and a track ``<video>.sentiment.vtt`` for each video.
    inputs : sequence of Path
        Files that must stay as they are, such as transcripts.

    Returns
    -------
    list of Path
        What was written, each atomically.

    Raises
    ------
    ConfigError
        If the suffix is another, the file is one of the inputs, or one track shall be of several
        videos.
    """
    texts = _texts(report, output)
    kept = {path.resolve() for path in inputs}
    for path in texts:
        if path.resolve() in kept:
            raise ConfigError(f"{path} is what the words are read from; name another file")
    for path, text in texts.items():
        write_text(path, text)
    return list(texts)


def check_output(output: Path) -> None:
    """Refuse a name before work is done that could not be written down.

    Parameters
    ----------
    output : Path
        As for :func:`write_predictions`.

    Raises
    ------
    ConfigError
        If it is neither a folder nor named after one of the kinds of files.
    """
    if not output.is_dir() and output.suffix.lower() not in ("", *SUFFIXES):
        raise ConfigError(f"{output}: write predictions to a folder or a file in {list(SUFFIXES)}")


def _texts(report: PredictionReport, output: Path) -> dict[Path, str]:
    check_output(output)
    suffix = output.suffix.lower()
    if output.is_dir() or not suffix:
        names = _track_names(report.videos)
        return {
            output / "predictions.json": predictions_json(report),
            output / "predictions.csv": predictions_table(report),
            **{
                output / name: predictions_track(video, level=report.level)
                for name, video in zip(names, report.videos, strict=True)
            },
        }
    if suffix == ".json":
        return {output: predictions_json(report)}
    if suffix == ".csv":
        return {output: predictions_table(report)}
    if len(report.videos) != 1:
        raise ConfigError(
            f"{output}: a track is of one video, these are {len(report.videos)}; name a folder"
        )
    return {output: predictions_track(report.videos[0], level=report.level)}


def _track_names(videos: Sequence[VideoPrediction]) -> list[str]:
    """Names of files; two videos of one name are told apart by what is in them."""
    stems = [Path(video.path).stem for video in videos]
    return [
        f"{stem}{f'.{video.id[:8]}' if stems.count(stem) > 1 else ''}.sentiment.vtt"
        for stem, video in zip(stems, videos, strict=True)
    ]


def predictions_json(report: PredictionReport) -> str:
    """Write everything.

    Parameters
    ----------
    report : PredictionReport
        Of some videos.

    Returns
    -------
    str
        JSON with the names of :class:`~pipeline.prediction_records.PredictionReport` and what is in
        it; what is not defined is null.
    """
    return TypeAdapter(PredictionReport).dump_json(report, indent=1).decode() + "\n"


def predictions_table(report: PredictionReport) -> str:
    """Write a table with a row for each utterance.

    Parameters
    ----------
    report : PredictionReport
        Of some videos.

    Returns
    -------
    str
        CSV with :data:`COLUMNS`.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for video in report.videos:
        for said in video.utterances:
            writer.writerow([video.path, *_cells(said)])
    return stream.getvalue()


def _cells(said: UtterancePrediction) -> list[str]:
    label, seeds = said.label_interval, said.seed_interval
    ends = [None if found is None else getattr(found, end) for found, end in (
        (label, "low"), (label, "high"), (seeds, "low"), (seeds, "high"),
    )]  # fmt: skip
    shares = [said.contributions.get(name) for name in MODALITIES]
    return [
        f"{said.start:.3f}",
        f"{said.end:.3f}",
        said.text,
        _number(said.label),
        said.predicted_class or "",
        *map(_number, (said.prediction, said.sd)),
        "; ".join(said.class_set or ()),
        *map(_number, (*ends, *shares, said.without_all)),
        "yes" if said.seen else "no",
    ]


def _number(value: float | None) -> str:
    return "" if value is None or value != value else f"{value:.4f}"


def predictions_track(video: VideoPrediction, *, level: float) -> str:
    """Write a track for a player: what is said, the score or the class, what moved it.

    Parameters
    ----------
    video : VideoPrediction
        Of one video.
    level : float
        Of its intervals.

    Returns
    -------
    str
        WebVTT. The score stands in a span of the class ``positive``, ``negative`` or ``neutral``,
        for style sheets (``::cue(.negative)``); a class stands in one of the class ``class``, with
        its probability and the set of classes behind it.

    References
    ----------
    W3C: WebVTT, the Web Video Text Tracks Format, section 4.
    """
    cues = [_cue(number, said, level) for number, said in enumerate(video.utterances, start=1)]
    return "\n\n".join(["WEBVTT", *cues]) + "\n"


def _cue(number: int, said: UtterancePrediction, level: float) -> str:
    start = round(said.start * 1000)
    end = max(round(said.end * 1000), start + 1)
    lines = [str(number), f"{clock_text(start)} --> {clock_text(end)}"]
    words = " ".join(said.text.split())
    if words:
        lines.append(_escaped(words))
    lines.append(_score_line(said, level))
    if said.contributions:
        shares = sorted(said.contributions.items(), key=lambda share: -abs(share[1]))
        lines.append(", ".join(f"{name} {value:+.2f}" for name, value in shares))
    return "\n".join(lines)


def _score_line(said: UtterancePrediction, level: float) -> str:
    sign = "neutral" if said.prediction == 0 else "positive" if said.prediction > 0 else "negative"
    if said.predicted_class is not None:
        return _class_line(said, level)
    return f"<c.{sign}>{said.prediction:+.2f}</c>{_interval(said, level)}"


def _class_line(said: UtterancePrediction, level: float) -> str:
    spread = "" if said.sd != said.sd else f" ± {said.sd:.0%}"
    names = ", ".join(said.class_set or ())
    among = f" ({level:.0%}: {names})" if names else ""
    return f"<c.class>{_escaped(said.predicted_class or '')}</c> {said.prediction:.0%}{spread}" + (
        _escaped(among)
    )


def _escaped(text: str) -> str:
    return "".join(_ESCAPES.get(sign, sign) for sign in text)


def _interval(said: UtterancePrediction, level: float) -> str:
    found: tuple[tuple[Interval | None, str], ...] = (
        (said.label_interval, ""),
        (said.seed_interval, " over seeds"),
    )
    for interval, kind in found:
        if interval is not None:
            return f" ({level:.0%}{kind}: {interval.low:+.2f} to {interval.high:+.2f})"
    return ""
