from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import mean_absolute_error, zero_one_loss

from pipeline.checkpoint import build_model
from pipeline.dataset_statistics import fit_normaliser
from pipeline.errors import DataError, RunError
from pipeline.evaluation import predict
from pipeline.splits import Split
from pipeline.training import train_seed
from pipeline.training_config import TrainingConfig
from pipeline.training_loop import TrainingLoop


def test_statistics_are_of_the_valid_rows_of_the_given_utterances(dataset):
    index = torch.tensor([7, 2, 31, 5])
    found = fit_normaliser(dataset, index)
    for name, ragged in dataset.modalities.items():
        rows = np.concatenate(
            [
                ragged.values[ragged.offsets[i] : ragged.offsets[i + 1]][
                    ragged.valid[ragged.offsets[i] : ragged.offsets[i + 1]]
                ].numpy()
                for i in index.tolist()
            ]
        ).astype(np.float64)
        np.testing.assert_allclose(found.mean[name], rows.mean(0), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(found.scale[name], rows.std(0), rtol=1e-5)


def test_too_few_utterances_are_counted(dataset, masked_mean, tmp_path, short):
    for split, counts in (
        (Split(train=dataset.ids[:1], valid=dataset.ids[1:5], test=()), "1 and 4"),
        (Split(train=dataset.ids[:9], valid=(), test=dataset.ids[9:]), "9 and 0"),
    ):
        with pytest.raises(DataError, match=counts):
            train_seed(
                dataset=dataset,
                split=split,
                model_name=masked_mean,
                model_config={},
                config=short,
                seed=0,
                folder=tmp_path,
            )


def test_a_loss_that_is_no_number_is_reported(dataset, split, masked_mean, tmp_path):
    wild = TrainingConfig(learning_rate=1e36, gradient_clip=None, device="cpu", batch_size=8)
    with pytest.raises(RunError, match=r"seed 3, epoch \d+: .*1e\+36") as caught:
        train_seed(
            dataset=dataset,
            split=split,
            model_name=masked_mean,
            model_config={},
            config=wild,
            seed=3,
            folder=tmp_path,
        )
    assert caught.value.code == "diverged"


@pytest.fixture
def loop(dataset, split, masked_mean, short):
    torch.manual_seed(0)
    model = build_model(masked_mean, {"dropout": 0.0}, dataset.dimensions)
    return TrainingLoop(model=model, dataset=dataset, split=split, config=short, device="cpu")


def test_a_step_clips_and_reports_the_norm_before(loop):
    values = loop._train_group([loop.train], progress=0.0, epoch=0)
    batch = loop.dataset.batch(loop.train, loop.normaliser)
    assert values["total"] == pytest.approx(
        float(values["term task"] + 0.01 * values["term size"]), rel=1e-6
    )
    # the same gradient by hand, at the weights after the step against a second step's report
    loop.model.zero_grad()
    loop.model.losses(batch, loop.model(batch), 0.0).total.backward()
    by_hand = float(torch.cat([p.grad.ravel() for p in loop.model.parameters()]).norm())
    loop.model.zero_grad()
    assert float(loop._train_group([loop.train], progress=0.0, epoch=0)["norm"]) == pytest.approx(
        by_hand, rel=1e-5
    )


@pytest.mark.parametrize("limit", [0.05, 1e6, None])
def test_gradients_are_clipped_to_the_limit(dataset, split, masked_mean, short, limit):
    config = replace(short, gradient_clip=limit)
    model = build_model(masked_mean, {}, dataset.dimensions)
    loop = TrainingLoop(model=model, dataset=dataset, split=split, config=config, device="cpu")
    norm = float(loop._train_group([loop.train], progress=0.0, epoch=0)["norm"])
    assert norm > 0.05
    # after its first step Adam's first moment is a tenth of the gradient it was given
    moments = [state["exp_avg"].ravel() for state in loop.optimizer.state.values()]
    used = 10 * float(torch.cat(moments).norm())
    assert used == pytest.approx(min(norm, limit or norm), rel=1e-4)


def test_the_hook_after_a_step_gets_detached_output(loop):
    loop._epoch(0, seed=0)
    assert loop.model.steps == [(0, False)] * 3


def test_log_odds_err_where_their_sign_is_wrong(dataset, split, short):
    labels = torch.where(dataset.labels > 0, 1.0, 0.0)
    classes = replace(dataset, labels=labels)
    for regression in ("logistic", "l1"):
        settings = {"width": 8, "layers": 1, "heads": 2, "regression": regression}
        model = build_model("mind", settings, dataset.dimensions)
        loop = TrainingLoop(model=model, dataset=classes, split=split, config=short, device="cpu")
        scores = predict(
            model=model, normaliser=loop.normaliser, dataset=classes, index=loop.valid
        ).numpy()
        target = labels[loop.valid].numpy()
        expected = (
            zero_one_loss(target > 0, scores > 0)
            if regression == "logistic"
            else mean_absolute_error(target, scores)
        )
        assert loop._mean_error(loop.valid) == pytest.approx(expected)


def test_an_epoch_reports_means_over_the_utterances(loop):
    for group in loop.optimizer.param_groups:
        group["lr"] = 0.0
    record = loop._epoch(0, seed=5)
    batch = loop.dataset.batch(loop.train, loop.normaliser)
    with torch.no_grad():
        expected = loop.model.losses(batch, loop.model(batch), 0.0)
    assert record.total == pytest.approx(float(expected.total), rel=1e-5)
    assert record.terms["task"] == pytest.approx(float(expected.terms["task"]), rel=1e-5)
    assert record.weights == expected.weights


@pytest.fixture
def partly(dataset):
    """The last eight of forty have no label."""
    labels = dataset.labels.clone()
    labels[32:] = float("nan")
    return replace(dataset, labels=labels)


def seen_in_an_epoch(loop, epoch=0):
    batches = []
    loop.model.after_step = lambda batch, output, epoch: batches.append(batch)
    loop._epoch(epoch, seed=3)
    return batches


@pytest.mark.parametrize("split_rate", [0, 1, 3])
def test_each_labelled_utterance_brings_its_unlabelled_ones(partly, masked_mean, short, split_rate):
    split = Split(train=partly.ids[:24], valid=partly.ids[24:32], test=())
    loop = TrainingLoop(
        model=build_model(masked_mean, {}, partly.dimensions),
        dataset=partly,
        split=split,
        config=replace(short, split_rate=split_rate),
        device="cpu",
    )
    assert loop.pool.tolist() == list(range(32, 40))
    batches = seen_in_an_epoch(loop)
    assert [len(batch) for batch in batches] == [8 + 8 * split_rate] * 3
    for batch in batches:
        assert batch.has_target.tolist() == [True] * 8 + [False] * 8 * split_rate
        brought = [
            32 + (i + 24 * k) % 8 for i in batch.index[:8].tolist() for k in range(split_rate)
        ]
        assert batch.index[8:].tolist() == brought
    labelled = torch.cat([batch.index[:8] for batch in batches])
    assert sorted(labelled.tolist()) == list(range(24))


def test_unlabelled_utterances_of_the_held_out_splits_are_never_seen(partly, masked_mean, short):
    ids = partly.ids
    split = Split(train=ids[:24], valid=(*ids[24:32], ids[35]), test=(ids[33], ids[39]))
    loop = TrainingLoop(
        model=build_model(masked_mean, {}, partly.dimensions),
        dataset=partly,
        split=split,
        config=replace(short, split_rate=2),
        device="cpu",
    )
    seen = torch.cat([batch.index for batch in seen_in_an_epoch(loop)])
    assert set(seen.tolist()) == {*range(24), 32, 34, 36, 37, 38}


@pytest.mark.parametrize("sizes", [(8, 8, 8), (10, 10, 4), (24,)])
def test_accumulated_gradients_are_those_of_one_large_batch(
    dataset, split, masked_mean, short, sizes
):
    # without dropout all terms are means over utterances
    config = replace(short, gradient_clip=None)
    moments = []
    for parts in (sizes, (24,)):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = build_model(masked_mean, {"dropout": 0.0}, dataset.dimensions)
        loop = TrainingLoop(model=model, dataset=dataset, split=split, config=config, device="cpu")
        values = loop._train_group(list(loop.train.split(parts)), progress=0.0, epoch=0)
        first = [state["exp_avg"].ravel() for state in loop.optimizer.state.values()]
        moments.append(torch.cat([*first, *(v.reshape(1) for v in values.values())]))
    torch.testing.assert_close(*moments, rtol=1e-5, atol=1e-7)


def test_the_last_step_of_an_epoch_may_have_fewer_batches(dataset, split, masked_mean, short):
    model = build_model(masked_mean, {"dropout": 0.0}, dataset.dimensions)
    config = replace(short, batch_size=5, min_batch=2, accumulate=3, learning_rate=1e-30)
    loop = TrainingLoop(model=model, dataset=dataset, split=split, config=config, device="cpu")
    record = loop._epoch(0, seed=5)
    # 24 utterances in 5 batches: 3 and 2
    assert {int(state["step"]) for state in loop.optimizer.state.values()} == {2}
    assert len(model.steps) == 5
    batch = loop.dataset.batch(loop.train, loop.normaliser)
    with torch.no_grad():
        expected = model.losses(batch, model(batch), 0.0)
    assert record.total == pytest.approx(float(expected.total), rel=1e-5)
    assert record.terms["size"] == pytest.approx(float(expected.terms["size"]), rel=1e-5)


def test_norms_of_terms_are_of_the_first_batch(dataset, split, masked_mean, short):
    model = build_model(masked_mean, {"dropout": 0.0}, dataset.dimensions)
    config = replace(short, batch_size=24, gradient_norms=2, learning_rate=1e-30)
    loop = TrainingLoop(model=model, dataset=dataset, split=split, config=config, device="cpu")
    first, second, third = (loop._epoch(epoch, seed=5) for epoch in range(3))
    assert second.gradient_norms == {}
    assert first.gradient_norms == pytest.approx(third.gradient_norms, rel=1e-4)
    batch = loop.dataset.batch(loop.train, loop.normaliser)
    for name, term in model.losses(batch, model(batch), 0.0).terms.items():
        model.zero_grad()
        (term * first.weights[name]).backward(retain_graph=True)
        norm = torch.cat([p.grad.ravel() for p in model.parameters()]).norm()
        assert first.gradient_norms[name] == pytest.approx(float(norm), rel=1e-4)
