from dataclasses import replace

import numpy as np
import pytest

from pipeline.dataset import PackedDataset
from pipeline.learned_data import Changes, LearnedData, changes_between, learned_data
from pipeline.splits import Split
from pipeline.training_config import TrainingConfig

SEMI = TrainingConfig(split_rate=1)


@pytest.fixture
def made(examples):
    """Utterances of ten clips, two each; the last two clips have no label."""
    made = []
    for number, example in enumerate(examples(n=20)):
        clip, part = divmod(number, 2)
        name = f"{clip:016x}:{part}.000-{part + 1}.000"
        made.append(example._replace(id=name, label=None if clip >= 8 else example.label))
    return made


def learn(made, *, test=(6, 7), valid=(5,), training=None, settings="concat"):
    dataset = PackedDataset.pack(made, digest="any")
    place = dict.fromkeys(valid, "valid") | dict.fromkeys(test, "test")
    ids = {"train": [], "valid": [], "test": []}
    for name in dataset.ids:
        clip = int(name[:16], 16)
        if clip < 8:
            ids[place.get(clip, "train")].append(name)
    return learned_data(
        dataset=dataset,
        split=Split(**{name: tuple(found) for name, found in ids.items()}),
        settings=settings,
        training=training or TrainingConfig(),
    )


def difference(before, after):
    return changes_between(before, after)


def test_the_same_data_are_the_same(made):
    assert learn(made) == learn(made)
    assert not difference(learn(made), learn(made)).any
    assert len(learn(made).clips) == 6


def test_the_order_of_clips_does_not_matter(made):
    turned = [made[2 * clip + part] for clip in reversed(range(10)) for part in (0, 1)]
    assert learn(turned) == learn(made)


def test_unlabelled_and_test_utterances_teach_nothing(made):
    fewer = [example for example in made if int(example.id[:16], 16) not in (7, 8)]
    assert learn(fewer) == learn(made)
    assert difference(learn(fewer, training=SEMI), learn(made, training=SEMI)) == Changes(
        new=1, altered=0, removed=0, settings=False
    )
    oracle = TrainingConfig(selection="test_oracle")
    assert difference(learn(fewer, training=oracle), learn(made, training=oracle)).new == 1


def test_what_is_different_is_counted(made):
    before = learn(made[4:])
    changed = list(made)
    changed[4] = changed[4]._replace(label=1.25)
    audio = changed[7].features["audio"]
    values = audio.values.copy()
    values[0, 0] = np.nextafter(values[0, 0], np.float32(9))
    changed[7] = changed[7]._replace(
        features={**changed[7].features, "audio": replace(audio, values=values)}
    )
    after = learn([*changed[:8], *changed[10:]])
    found = difference(before, after)
    assert found == Changes(new=2, altered=2, removed=1, settings=False)
    assert str(found) == "2 clips new, 2 clips altered, 1 clips removed"
    assert not found.only_new


def test_another_place_and_another_validity_are_other_data(made):
    assert difference(learn(made), learn(made, valid=(4,))).altered == 2
    changed = list(made)
    audio = changed[0].features["audio"]
    changed[0] = changed[0]._replace(
        features={**changed[0].features, "audio": replace(audio, valid=~audio.valid)}
    )
    assert difference(learn(made), learn(changed)).altered == 1


def test_settings(made):
    for other in (
        learn(made, settings="mind"),
        learn(made, training=TrainingConfig(batch_size=16)),
        learn(made, training=TrainingConfig(seeds=(0,))),
    ):
        found = difference(learn(made), other)
        assert (found.settings, found.any, found.only_new) == (True, True, False)
        assert str(found) == "other settings"
    assert learn(made, training=TrainingConfig(device="cpu")) == learn(made)


def test_nothing_in_words():
    same = LearnedData(settings="a", clips={})
    assert str(changes_between(same, same)) == "nothing"
