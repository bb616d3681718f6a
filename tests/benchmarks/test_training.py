import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.mosei_shape import OTHERS, SHAPES, as_word_pieces, utterances, write_packed
from benchmarks.training import parse, published
from benchmarks.training_case import Case, Enough, StepClock, measure
from benchmarks.training_floor import RECURRENT, Machine, Work, measure_machine
from pipeline.checkpoint import plain_model_config
from pipeline.dataset import PackedDataset


def test_utterances_are_of_the_shape_and_the_same_again():
    made, again = list(utterances(60)), list(utterances(60))
    assert [one.split for one in made] == ["train"] * 60 + ["valid"] * OTHERS + ["test"] * OTHERS
    assert len({one.id for one in made}) == len(made)
    for one, other in zip(made, again, strict=True):
        assert one.label == other.label
        assert -3 <= one.label <= 3
        for name, (_, longest, width) in SHAPES.items():
            values = one.features[name].values
            assert values.shape[1] == width
            assert 1 <= len(values) <= longest
            assert np.array_equal(values, other.features[name].values)
    lengths = {len(one.features["audio"]) for one in made}
    assert len(lengths) > 20
    # another number of clips does not change the first ones
    assert np.array_equal(
        next(utterances(5)).features["audio"].values, made[0].features["audio"].values
    )


def test_word_pieces_have_neither_begin_nor_end():
    for one in utterances(8):
        text = as_word_pieces(one).features["text"]
        assert text.names == ("token_id",)
        expected = one.tokens[0, 1:-1] if one.tokens.shape[1] > 2 else one.tokens[0, :1]
        assert text.values[:, 0].tolist() == expected.tolist()


def test_stored_once(tmp_path):
    path = write_packed(tmp_path / "data", 4, pieces=True)
    before = path.stat().st_mtime_ns
    assert write_packed(path, 4, pieces=True).stat().st_mtime_ns == before
    assert len(PackedDataset.load(path)) == 4 + 2 * OTHERS


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_recurrent_layers_are_counted(packed, bidirectional):
    width, state, batch, steps = 7, 5, 3, 11
    lstm = nn.LSTM(width, state, batch_first=True, bidirectional=bidirectional)
    source = torch.randn(batch, steps, width, requires_grad=True)
    given = (
        nn.utils.rnn.pack_padded_sequence(source, [steps] * batch, batch_first=True)
        if packed
        else source
    )
    with FlopCounterMode(display=False, custom_mapping=RECURRENT) as counter:
        found = lstm(given)[0]
        (found.data if packed else found).sum().backward()
    # two operations a weight, row and pass: one pass forward, two backward
    forward = 2 * batch * steps * 4 * state * (width + state) * (2 if bidirectional else 1)
    assert counter.get_total_flops() == pytest.approx(3 * forward, rel=0.1)


def test_the_floor_is_the_slower_of_both():
    machine = Machine(flops=10.0, bandwidth=100.0)
    assert Work(flop=50.0, moved=100.0).floor(machine) == 5.0
    assert Work(flop=50.0, moved=1000.0).floor(machine) == 10.0


def test_a_clock_times_the_steps_after_the_first_ones():
    clock = StepClock(steps=3, warm_up=2)
    for _ in range(4):
        clock()
    with pytest.raises(Enough):
        clock()
    assert len(clock.ends) == 4
    assert clock.seconds == (clock.ends[-1] - clock.ends[0]) / 3


@pytest.mark.parametrize("model", ["mind", "misa", "mult", "lf_dnn", "tfn"])
def test_published_settings_are_settings(model):
    found = published(model, text_model=None, training={"batch_size": 4})
    assert found["training"] == {"batch_size": 4}
    assert plain_model_config(found["model"], found["settings"])["text_model"] is None


def test_quick_changes_defaults_alone():
    assert parse(["--quick"]).clips < parse([]).clips
    assert parse(["--quick", "--clips", "7"]).clips == 7


def test_a_case_is_measured(tmp_path):
    data = write_packed(tmp_path / "data", 24, pieces=False)
    found = measure(
        Case(
            data=data,
            model="lf_dnn",
            settings={"text_width": 8},
            training={"batch_size": 4, "min_batch": 2, "device": "cpu"},
            steps=2,
            warm_up=1,
            threads=torch.get_num_threads(),
        )
    )
    assert found["clips"] == 24
    assert found["seconds_a_clip"] > 0
    assert found["peak_bytes"] > 2**20


def test_a_machine_does_something():
    torch.manual_seed(0)
    machine = measure_machine(torch.device("cpu"), size=64, block=2**16)
    assert machine.flops > 1e6
    assert machine.bandwidth > 1e6
