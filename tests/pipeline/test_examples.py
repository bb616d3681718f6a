import pytest

from pipeline.errors import DataError
from pipeline.examples import Example, ExampleList


def test_everything_but_values_is_kept(examples):
    examples = examples()
    taken = ExampleList()
    for example in examples:
        assert taken.add(example) == dict(example.features)
    laid = taken.laid()
    assert list(taken.ids) == [example.id for example in examples]
    for name, one in laid.items():
        lengths = [len(e.features[name]) if name in e.features else 0 for e in examples]
        assert one.offsets.tolist() == [sum(lengths[:n]) for n in range(len(lengths) + 1)]
        valid = [v for e in examples if name in e.features for v in e.features[name].valid]
        assert one.valid.tolist() == valid


def test_what_no_model_reads_is_left_out(examples):
    sequence = next(iter(examples()[0].features.values()))
    taken = ExampleList()
    assert taken.add(Example(id="a", label=None, features={"smell": sequence})) == {}
    assert taken.laid() == {}
    with pytest.raises(DataError, match="two utterances have the id 'a'"):
        taken.add(Example(id="a", label=None, features={}))
