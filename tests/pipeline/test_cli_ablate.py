import json

import pytest

from pipeline.cli import app, console
from pipeline.errors import ConfigError, SourceError
from pipeline.formats.mmsa_writing import write_mmsa
from pipeline.formats.utterance import Utterance

SHORT = [
    *("--set", "model.settings={width: 8, layers: 1, heads: 2, statistics_width: 8}"),
    *("--set", "training.max_epochs=1"),
    *("--set", "training.seeds=[0, 1]"),
    *("--set", "training.device=cpu"),
]


@pytest.fixture
def file(tmp_path, examples):
    utterances = [
        Utterance(
            video=f"v{number // 3}",
            clip=str(number),
            split="test" if number >= 28 else ("valid" if number >= 20 else "train"),
            label=example.label,
            # this format has all modalities in every utterance
            features={"vision": example.features["audio"]} | dict(example.features),
        )
        for number, example in enumerate(examples(widths={"text": 6, "audio": 4, "vision": 4}))
    ]
    write_mmsa(tmp_path / "data.pkl", utterances)
    return tmp_path / "data.pkl"


@pytest.fixture
def ablate(tmp_path, capsys, monkeypatch):
    """Call the command in this process; gives what it printed, without line breaks."""
    monkeypatch.setattr(console, "width", 500)

    def ablate(*tokens):
        where = ["--workspace", str(tmp_path / "work")]
        app(["ablate", "mind", *where, *SHORT, *tokens], result_action="return_value")
        return " ".join(capsys.readouterr().out.split())

    return ablate


def test_a_data_file_is_enough(ablate, file, tmp_path):
    told = ablate("task_only", "without_audio", "--data", str(file))
    for shown in ("0.711 / 0.791", "w/o audio", "Only L_Task", "Fewer than 5 seeds"):
        assert shown in told
    assert "w/o visual" not in told
    runs = tmp_path / "work" / "runs"
    stored = json.loads(next(runs.glob("*/ablations.json")).read_text())
    assert [row["name"] for row in stored["rows"]] == ["full", "without_audio", "task_only"]
    assert stored["clips"] == 5
    assert (runs / stored["rows"][0]["run"] / "ablations.md").exists()
    before = {path: path.read_bytes() for path in runs.glob("*/report.json")}
    assert len(before) == 3
    assert ablate("task_only", "without_audio", "--data", str(file)) == told
    assert {path: path.read_bytes() for path in runs.glob("*/report.json")} == before


def test_what_cannot_be_is_told_before_anything_is_trained(ablate, file, tmp_path):
    with pytest.raises(ConfigError, match="without_smell"):
        ablate("without_smell", "--data", str(file))
    with pytest.raises(ConfigError, match="configured model is 'lmf'"):
        ablate("--data", str(file), "--set", "model.name=lmf", "--set", "model.settings={}")
    with pytest.raises(SourceError, match="no such file"):
        ablate("--data", str(tmp_path / "none.pkl"))
    with pytest.raises(SourceError, match="nothing was ingested"):
        ablate()
    assert not (tmp_path / "work" / "runs").exists()
