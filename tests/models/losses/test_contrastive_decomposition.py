import math

import numpy as np
import pytest
import torch

from models.losses.contrastive_decomposition import contrastive_decomposition_loss


def given(modalities=3, rows=6, width=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    codes = torch.randn(2, modalities, rows, width, generator=generator).double()
    kinds = torch.randint(0, 3, (rows, rows), generator=generator)
    kinds.fill_diagonal_(0)
    return {
        "similar": codes[0],
        "dissimilar": codes[1],
        "present": torch.ones(modalities, rows, dtype=torch.bool),
        "positives": kinds == 1,
        "negatives": kinds == 2,
    }


def cosine(x, y):
    return x @ y / np.linalg.norm(x) / np.linalg.norm(y)


def pair_by_pair(*, similar, dissimilar, present, positives, negatives, temperature=0.5):
    s, d = similar.numpy(), dissimilar.numpy()
    count, rows = present.shape

    def cost(m, i, positive):
        own = [s[m, j] for j in range(rows) if negatives[i, j] and present[m, j]]
        if m == 0:
            own += [d[k, i] for k in range(count) if present[k, i]]
        top = math.exp(cosine(s[m, i], positive) / temperature)
        rest = sum(math.exp(cosine(s[m, i], n) / temperature) for n in own)
        return -math.log(top / (top + rest))

    costs = []
    for m in range(count):
        for i in range(rows):
            if not present[m, i]:
                continue
            costs += [cost(m, i, s[m, j]) for j in range(rows) if positives[i, j] and present[m, j]]
            if m > 0 and present[0, i]:
                costs.append(cost(0, i, s[m, i]))
    return np.mean(costs)


@pytest.mark.parametrize("temperature", [0.5, 0.1])
@pytest.mark.parametrize("modalities", [1, 2, 3])
def test_is_the_sum_pair_by_pair(modalities, temperature):
    codes = given(modalities)
    loss = contrastive_decomposition_loss(**codes, temperature=temperature)
    assert loss.item() == pytest.approx(pair_by_pair(**codes, temperature=temperature))


def test_absent_modalities_are_in_no_pair():
    codes = given()
    codes["present"][:, :3] = torch.tensor(
        [[False, True, True], [True, False, True], [True, True, False]]
    )
    loss = contrastive_decomposition_loss(**codes)
    assert loss.item() == pytest.approx(pair_by_pair(**codes))
    for name in ("similar", "dissimilar"):
        codes[name] = torch.where(codes["present"][..., None], codes[name], 7.0)
    assert contrastive_decomposition_loss(**codes).item() == pytest.approx(loss.item())


def test_same_codes_cost_the_logarithm_of_one_more_than_the_negatives():
    rows, neighbours = 6, 2
    codes = given(rows=rows)
    codes["similar"] = codes["dissimilar"] = torch.ones(3, rows, 4).double()
    ring = (torch.arange(rows)[None] - torch.arange(rows)[:, None]) % rows
    codes["positives"], codes["negatives"] = ring == 1, (ring == 2) | (ring == 3)
    pairs = [math.log(1 + neighbours + 3)] * 3 + [math.log(1 + neighbours)] * 2
    loss = contrastive_decomposition_loss(**codes)
    assert loss.item() == pytest.approx(np.mean(pairs))


def test_without_dissimilar_codes_it_is_supervised_contrast():
    codes = given(modalities=1)
    codes["dissimilar"] = -1e3 * codes["similar"]
    temperature = 0.02  # e^(-1/t) is nothing beside the others
    loss = contrastive_decomposition_loss(**codes, temperature=temperature)
    unit = torch.nn.functional.normalize(codes["similar"][0], dim=1)
    scores = unit @ unit.T / temperature
    costs = []
    for i, j in codes["positives"].nonzero().tolist():
        candidates = torch.cat([scores[i, j][None], scores[i][codes["negatives"][i]]])
        costs.append(-torch.log_softmax(candidates, 0)[0])
    assert loss.item() == pytest.approx(torch.stack(costs).mean().item(), rel=1e-6)


def test_without_any_positive_pair_it_is_zero_with_a_gradient_of_zero():
    codes = given(modalities=1)
    codes["positives"] = torch.zeros_like(codes["positives"])
    codes["similar"].requires_grad_()
    loss = contrastive_decomposition_loss(**codes)
    loss.backward()
    assert loss.item() == 0.0
    assert not codes["similar"].grad.any()


def test_without_negatives_gradients_are_finite():
    codes = given()
    codes["negatives"] = torch.zeros_like(codes["negatives"])
    codes["present"][0, :2] = False
    for name in ("similar", "dissimilar"):
        codes[name].requires_grad_()
    contrastive_decomposition_loss(**codes).backward()
    assert torch.isfinite(codes["similar"].grad).all()
    assert torch.isfinite(codes["dissimilar"].grad).all()


def test_descent_joins_what_is_similar_and_parts_it_from_what_is_not():
    codes = given(modalities=2, rows=4, width=6)
    for name in ("similar", "dissimilar"):
        codes[name].requires_grad_()
    classes = torch.tensor([0, 0, 1, 1])
    same = classes[:, None] == classes[None]
    codes["positives"], codes["negatives"] = same & ~torch.eye(4, dtype=torch.bool), ~same
    optimiser = torch.optim.Adam([codes["similar"], codes["dissimilar"]], lr=0.1)
    for _ in range(200):
        optimiser.zero_grad()
        contrastive_decomposition_loss(**codes).backward()
        optimiser.step()
    text, audio = (torch.nn.functional.normalize(x, dim=1) for x in codes["similar"].detach())
    assert (text * audio).sum(1).min() > 0.9
    assert (text @ text.T)[same].min() > 0.9
    assert (text @ text.T)[~same].max() < 0.0
    other = torch.nn.functional.normalize(codes["dissimilar"].detach(), dim=2)
    assert (text * other).sum(2).max() < 0.0


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_temperature_must_be_positive(temperature):
    with pytest.raises(ValueError, match="temperature must be > 0"):
        contrastive_decomposition_loss(**given(), temperature=temperature)
