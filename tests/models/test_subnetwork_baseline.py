import pytest

from models.base import available
from models.lf_dnn import LFDNN
from models.lmf import LMF
from models.subnetwork_baseline import SubnetworkBaseline
from models.tfn import TFN


def test_what_is_shared_is_no_model():
    assert SubnetworkBaseline.name not in available()


@pytest.mark.parametrize("cls", [LFDNN, LMF, TFN])
def test_vectors_are_what_the_settings_say(make_batch, dimensions, cls):
    wanted = {"text": 5, "audio": 3, "vision": 4}
    config = cls.Config(text_state_width=7, **{f"{m}_width": w for m, w in wanted.items()})
    model = cls(config, dimensions)
    assert model.vector_widths == wanted
    assert model.subnetworks["text"][0].lstm.hidden_size == 7
    Z = model(make_batch()).parts["Z"]
    assert {name: vector.shape[1] for name, vector in Z.items()} == wanted


def test_dropout_is_that_of_the_modality(dimensions):
    config = TFN.Config(text_dropout=0.1, audio_dropout=0.2, vision_dropout=0.4)
    networks = TFN(config, dimensions).subnetworks
    assert networks["text"][1].p == 0.1
    assert networks["audio"].layers[0].p == 0.2
    assert networks["vision"].layers[0].p == 0.4


def test_a_bert_takes_the_place_of_stored_features(dimensions, tiny_bert):
    model = LMF(LMF.Config(text_model=str(tiny_bert), max_pieces=30), dimensions)
    assert model.subnetworks["text"][0].lstm.input_size == 32
    groups = list(model.parameter_groups(1e-3))
    assert [group["lr"] for group in groups] == [1e-3, 5e-5, 1e-3]
    given = [id(p) for group in groups for p in group["params"]]
    assert sorted(given) == sorted(map(id, model.parameters()))
