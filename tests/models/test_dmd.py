import dataclasses
from itertools import permutations

import pytest
import torch
import torch.nn.functional as F

from models.base import get
from models.batch import PaddedSequence
from models.dmd import DMD
from models.dmd_config import DMDConfig

SMALL = DMDConfig(
    step_width=8,
    heads=2,
    layers=1,
    self_attention_layers=1,
    text_kernel=2,
    audio_kernel=3,
    vision_kernel=1,
    audio_stride=1,
    vision_stride=1,
    output_dropout=0.0,
    shared_edge_width=5,
    private_edge_width=3,
)
MODALITIES = ("text", "audio", "vision")


def doubled(batch):
    sequences = {
        name: PaddedSequence(values=s.values.double(), mask=s.mask)
        for name, s in batch.sequences.items()
    }
    return dataclasses.replace(batch, sequences=sequences, target=batch.target.double())


def lacking(batch, modality, rows):
    sequence = batch.sequences[modality]
    mask = sequence.mask.clone()
    mask[rows] = False
    empty = PaddedSequence(values=sequence.values * mask[..., None], mask=mask)
    return dataclasses.replace(batch, sequences={**batch.sequences, modality: empty})


def whole(values):
    """One sequence without padding."""
    return PaddedSequence(values=values, mask=torch.ones(values.shape[:2], dtype=torch.bool))


def test_registered_by_name():
    assert get("dmd") is DMD


def test_transformers_drop_the_attention_to_their_source(dimensions):
    config = dataclasses.replace(
        SMALL,
        layers=2,
        text_attention_dropout=0.3,
        audio_attention_dropout=0.2,
        vision_attention_dropout=0.1,
    )
    model = DMD(config, dimensions)
    rates = {"text": 0.3, "audio": 0.2, "vision": 0.1}
    assert set(model.crossmodal) == {f"{a}_to_{b}" for a, b in permutations(MODALITIES, 2)}
    for name, transformer in model.crossmodal.items():
        assert len(transformer.layers) == 2
        assert transformer.layers[0].attention_dropout == rates[name.split("_")[0]]
    for name in MODALITIES:
        assert model.shared_attention[name].layers[0].attention_dropout == rates[name]
        assert model.self_attention[name].layers[0].attention_dropout == 0.3
        assert (model.shared_attention[name].width, model.self_attention[name].width) == (8, 16)


def test_prediction_follows_the_wiring_of_each_clip_alone(make_batch, dimensions):
    batch, model = doubled(make_batch()), DMD(SMALL, dimensions).double().eval()
    output = model(batch)
    for row in range(8):
        shared, private = {}, {}
        for name, s in batch.sequences.items():
            convolution = model.convolutions[name].convolution
            frames = s.values[row][s.mask[row]]
            frames = F.pad(frames, (0, 0, 0, max(0, convolution.kernel_size[0] - len(frames))))
            steps = convolution(frames.T[None]).transpose(1, 2)
            shared[name] = whole(steps @ model.decoupler.shared.linear.weight.T)
            private[name] = whole(steps @ model.decoupler.private[name].linear.weight.T)
            for part, values in (("Z", steps), ("S", shared[name].values)):
                torch.testing.assert_close(output.parts[part][name][row], values[0].mean(0))
            torch.testing.assert_close(
                output.parts["P"][name][row], private[name].values[0].mean(0)
            )
        ends = torch.cat([model.shared_attention[name](shared[name])[0, -1] for name in MODALITIES])
        gated = []
        for target in MODALITIES:
            retold = [
                model.crossmodal[f"{source}_to_{target}"](private[target], private[source])
                for source in MODALITIES
                if source != target
            ]
            last = model.self_attention[target](whole(torch.cat(retold, dim=2)))[0, -1]
            gated.append(torch.sigmoid(model.gates[target](last)))
            score = model.private_heads[target](last[None]).score[0]
            torch.testing.assert_close(output.extras[f"private_score_{target}"][row], score)
        gated.append(torch.sigmoid(model.shared_gate(ends)))
        assert torch.cat(gated).shape == (3 * 16 + 3 * 8,)
        expected = model.head(torch.cat(gated)[None]).score[0]
        torch.testing.assert_close(output.prediction[row], expected)
        score = model.shared_head(ends[None]).score[0]
        torch.testing.assert_close(output.extras["shared_score"][row], score)


def mean_error(score, target, rows):
    return sum(abs(score[row].item() - target[row].item()) for row in rows) / len(rows)


def test_errors_of_heads_are_means_over_the_clips_that_have_the_modality(make_batch, dimensions):
    batch = doubled(lacking(make_batch(), "audio", [2, 5]))
    batch = dataclasses.replace(batch, has_target=torch.arange(8) != 7)
    model = DMD(SMALL, dimensions).double().eval()
    output = model(batch)
    losses = model.losses(batch, output, 0.5)
    scores = {"task": output.prediction, "shared_task": output.extras["shared_score"]}
    for kind in ("single", "private"):
        for name in MODALITIES:
            scores[f"{kind}_task_{name}"] = output.extras[f"{kind}_score_{name}"]
    assert {name for name in losses.terms if "task" in name} == set(scores)
    for name, score in scores.items():
        rows = [row for row in range(7) if not (name.endswith("audio") and row in (2, 5))]
        expected = mean_error(score, batch.target, rows)
        assert losses.terms[name].item() == pytest.approx(expected), name
        assert losses.weights[name] == 1.0


def expected_distillation(graph, scores, features, there, *, turned_away):
    """Loops over edges and clips; edges themselves are tested with the graph."""
    edges, _ = graph(scores, features, there)
    total = 0.0
    for number, (student, teacher) in enumerate(graph.pairs):
        prior, taught, strengths = graph.prior[number].item(), [], []
        for clip in range(8):
            if not (there[student][clip] and there[teacher][clip]):
                continue
            distance = abs(scores[student][clip] - scores[teacher][clip]).item()
            if turned_away:
                a, b = features[student][clip], features[teacher][clip]
                cosine = (a @ b / (a.norm() * b.norm())).item()
                distance += 10.0 * max(0.0, cosine)
            strengths.append(edges[clip, number].item())
            taught.append((strengths[-1] + prior) * distance)
        total += sum(taught) / len(taught)
        total += 10.0 * (sum(strengths) / len(strengths) - prior) ** 2
    return total


def test_distillation_equals_loops_over_edges_and_clips(make_batch, dimensions):
    batch = doubled(lacking(make_batch(), "vision", [1, 6]))
    model = DMD(SMALL, dimensions).double().eval()
    output = model(batch)
    losses = model.losses(batch, output, 0.5)
    there = {name: torch.ones(8, dtype=torch.bool) for name in MODALITIES}
    there["vision"][[1, 6]] = False
    for term, kind, graph in (
        ("shared_distillation", "single", model.shared_graph),
        ("private_distillation", "private", model.private_graph),
    ):
        scores, features = (
            {name: output.extras[f"{kind}_{what}_{name}"] for name in MODALITIES}
            for what in ("score", "features")
        )
        turned_away = kind == "private"
        expected = expected_distillation(graph, scores, features, there, turned_away=turned_away)
        assert losses.terms[term].item() == pytest.approx(expected), term
        assert losses.weights[term] == 0.05
    for name in MODALITIES:
        hidden = torch.relu(model.single_heads[name].inner(output.parts["S"][name]))
        torch.testing.assert_close(output.extras[f"single_features_{name}"], hidden)


def test_text_is_the_teacher_of_both_graphs(dimensions):
    model = DMD(SMALL, dimensions)
    for graph, more in ((model.shared_graph, set()), (model.private_graph, {("audio", "vision")})):
        strong = {pair for pair, p in zip(graph.pairs, graph.prior, strict=True) if p > 0.2}
        assert strong == {("audio", "text"), ("vision", "text")} | more


def test_teachers_learn_nothing_from_their_students(make_batch, dimensions):
    config = dataclasses.replace(SMALL, prior_weight=0.0)
    batch, model = make_batch(), DMD(config, dimensions)
    output = model(batch)
    names = [f"single_score_{name}" for name in MODALITIES]
    scores = {name: output.extras[name].detach().clone().requires_grad_() for name in names}
    frozen = {key: value.detach() for key, value in output.extras.items()}
    apart = dataclasses.replace(output, extras={**frozen, **scores})
    model.shared_graph.prior.fill_(0.0)
    # only the edge from audio to its teacher text is of any weight
    model.shared_graph.prior[model.shared_graph.pairs.index(("audio", "text"))] = 1e4
    model.losses(batch, apart, 0.5).terms["shared_distillation"].backward()
    taught = scores["single_score_audio"].grad.abs().min()
    assert taught > 1e3
    assert scores["single_score_text"].grad.abs().max() < 1e-2 * taught


def test_terms_of_the_decoupling_have_their_weights(make_batch, dimensions):
    batch, model = make_batch(), DMD(SMALL, dimensions).eval()
    losses = model.losses(batch, model(batch), 0.5)
    expected = {"reconstruction": 0.1, "cycle": 0.1, "orthogonality": 0.01, "margin": 0.01}
    assert {name: losses.weights[name] for name in expected} == expected
    assert all(losses.terms[name] > 0.0 for name in expected)


def test_decoding_rebuilds_the_mean_step_from_codes_of_any_utterances(make_batch, dimensions):
    model = DMD(SMALL, dimensions).eval()
    parts = model(make_batch()).parts
    swapped = {"S": parts["S"], "P": {name: P.flip(0) for name, P in parts["P"].items()}}
    for name, rebuilt in model.decode(swapped).items():
        weight = model.decoupler.decoders[name].weight
        expected = parts["P"][name].flip(0) @ weight[:, :8].T + parts["S"][name] @ weight[:, 8:].T
        torch.testing.assert_close(rebuilt, expected)


def test_every_frame_reaches_the_prediction(make_batch, dimensions):
    batch, model = make_batch(), DMD(SMALL, dimensions).double().eval()
    sequences = {
        name: PaddedSequence(values=s.values.double().requires_grad_(), mask=s.mask)
        for name, s in batch.sequences.items()
    }
    model(dataclasses.replace(batch, sequences=sequences)).prediction.sum().backward()
    for name, sequence in sequences.items():
        reached = sequence.values.grad.abs().amax(dim=2) > 0
        assert torch.equal(reached, sequence.mask), name


def test_a_modality_that_a_clip_lacks_takes_no_part(make_batch, dimensions):
    batch, model = make_batch(), DMD(SMALL, dimensions).eval()
    parts = model(lacking(batch, "audio", [0, 3])).parts
    for part in ("S", "P", "Z"):
        assert not parts[part]["audio"][[0, 3]].any()
        assert parts[part]["text"].any(dim=1).all()
    plain = model(batch).prediction
    moved = (model(lacking(batch, "audio", [0, 3])).prediction - plain).abs()
    assert moved[[0, 3]].min() > 1e-5
    assert moved[[1, 2, 4, 5, 6, 7]].max() < 1e-6


@pytest.mark.parametrize(("modalities", "edges"), [(("text", "audio"), 2), (("vision",), 0)])
def test_fewer_modalities(make_batch, dimensions, modalities, edges):
    batch, model = make_batch(), DMD(SMALL, {name: dimensions[name] for name in modalities})
    losses = model.losses(batch, model(batch), 0.5)
    losses.total.backward()
    assert all(p.grad is not None for p in model.parameters())
    assert ("shared_distillation" in losses.terms) == (edges > 0)
    if edges:
        assert len(model.private_graph.prior) == edges
    assert model.self_attention[modalities[0]].width == 8


def test_bert_inside_is_read_and_trained_at_the_rate_of_the_rest(make_batch, tiny_bert):
    batch = make_batch()
    ids = torch.randint(1, 100, (8, 6)) * (torch.arange(6) < torch.arange(1, 9)[:, None])
    batch = dataclasses.replace(batch, token_ids=ids)
    config = dataclasses.replace(SMALL, text_model=str(tiny_bert), max_pieces=10)
    model = DMD(config, {"text": 1, "audio": 5, "vision": 4})
    model.losses(batch, model(batch), 0.5).total.backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())
    assert model.text_reader.bert.bert.embeddings.word_embeddings.weight.grad.any()
    rest, text = model.parameter_groups(1e-4)
    assert rest["lr"] == text["lr"] == 1e-4
