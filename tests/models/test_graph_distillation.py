import math

import numpy as np
import pytest
import torch

from models.graph_distillation import DistillationGraph

MODALITIES = ("text", "audio", "vision")
PAIRS = [
    ("text", "audio"),
    ("text", "vision"),
    ("audio", "text"),
    ("audio", "vision"),
    ("vision", "text"),
    ("vision", "audio"),
]


def make(modalities=MODALITIES):
    torch.manual_seed(4)
    return DistillationGraph(
        modalities,
        feature_width=3,
        edge_width=2,
        scale=0.5,
        favoured=(("audio", "text"), ("vision", "text")),
        temperature=0.25,
    ).double()


def vertices(size=4):
    scores = {name: torch.randn(size).double() for name in MODALITIES}
    features = {name: torch.randn(size, 3).double() for name in MODALITIES}
    return scores, features


def everywhere(size=4):
    return {name: torch.ones(size, dtype=torch.bool) for name in MODALITIES}


def raw_edge(graph, scores, features, clip, student, teacher):
    def vertex(name):
        score = graph.score_vertex
        feature = graph.feature_vertex
        return np.concatenate(
            [
                score.weight.detach().numpy()[:, 0] * scores[name][clip].item()
                + score.bias.detach().numpy(),
                feature.weight.detach().numpy() @ features[name][clip].numpy()
                + feature.bias.detach().numpy(),
            ]
        )

    weight, bias = graph.edge.weight.detach().numpy()[0], graph.edge.bias.item()
    return weight @ np.concatenate([vertex(student), vertex(teacher)]) + bias


def test_edges_are_a_softmax_over_ordered_pairs_of_each_clip():
    graph, (scores, features) = make(), vertices()
    assert list(graph.pairs) == PAIRS
    edges, valid = graph(scores, features, everywhere())
    assert valid.all()
    for clip in range(4):
        raw = np.array([raw_edge(graph, scores, features, clip, *pair) for pair in PAIRS])
        strengths = np.exp(0.5 * raw)
        np.testing.assert_allclose(edges[clip].detach(), strengths / strengths.sum())


def test_prior_favours_what_is_taught():
    strong = math.exp(4.0) / (2.0 * math.exp(4.0) + 4.0)
    weak = 1.0 / (2.0 * math.exp(4.0) + 4.0)
    expected = [weak, weak, strong, weak, strong, weak]
    assert make().prior.tolist() == pytest.approx(expected)
    assert "prior" not in make().state_dict()


def test_edges_need_both_ends():
    graph, (scores, features) = make(), vertices()
    there = everywhere()
    there["audio"][1] = False
    there["audio"][2] = there["vision"][2] = False
    edges, valid = graph(scores, features, there)
    plain, _ = graph(scores, features, everywhere())
    for number, pair in enumerate(PAIRS):
        for clip in range(4):
            both = bool(there[pair[0]][clip] and there[pair[1]][clip])
            assert valid[clip, number] == both
            assert (edges[clip, number] == 0.0) == (not both)
    torch.testing.assert_close(edges[[0, 3]], plain[[0, 3]])
    assert edges.sum(dim=1).tolist() == pytest.approx([1.0, 1.0, 0.0, 1.0])
    # the two edges that are left keep their ratio
    assert (edges[1, 1] / edges[1, 4]).item() == pytest.approx((plain[1, 1] / plain[1, 4]).item())


def test_two_modalities_have_two_edges():
    graph, (scores, features) = make(("text", "vision")), vertices()
    edges, valid = graph(
        {name: scores[name] for name in ("text", "vision")}, features, everywhere()
    )
    assert edges.shape == valid.shape == (4, 2)
    assert graph.prior.tolist() == pytest.approx([1 / (1 + math.e**4), 1 / (1 + math.e**-4)])
