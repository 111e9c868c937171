"""The fit of visemes on people who are made by a table that is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mamba_portrait.learning.training import viseme_fit
from mamba_portrait.learning.training.viseme_fit import Batch, Clip, Visemes, correlations, fit, fitted_table, markdown
from mamba_portrait.visemes import table
from mamba_portrait.visemes.phones import CLASSES, SILENCE, Phone
from mamba_portrait.visemes.table import lips_of, mouth_parameters

SAID = "sil t a s i p E l u w I t a k sil".split()


def sentence(rng: np.random.Generator) -> tuple[Phone, ...]:
    """The sounds between two silences in another order and with other lengths each time."""
    phones, now = [], 0.0
    for kind in [SILENCE, *rng.permutation(SAID[1:-1]).tolist(), SILENCE]:
        length = 0.4 if kind == SILENCE else float(rng.uniform(0.07, 0.16))
        phones.append(Phone(now, now + length, kind))
        now += length
    return tuple(phones)


@pytest.fixture(scope="module")
def people() -> list[Clip]:
    """Two people of whom one opens half as wide and rests wider, both with an "a" a quarter as open as the table's."""
    rng = np.random.default_rng(0)
    truth = Visemes()
    with torch.no_grad():
        truth.target[CLASSES.index("a"), 0] *= 0.25
        truth.times[3] = 0.3  # the lips open .03 s after the sound
    clips = []
    for person, gain in (("wide", 1.0), ("small", 0.5)):
        for _ in range(8):
            said = sentence(rng)
            blank = Clip(person, torch.zeros(int(said[-1].end * 25), 2), said)
            with torch.no_grad():
                lips = truth(Batch.of([blank]))[0]
            clips.append(replace(blank, lips=gain * 0.1 * lips + torch.tensor([0.02, 0.5 + gain])))
    return clips


def test_the_model_is_that_of_the_table(people):
    """Up to the smoothing over a few milliseconds that the table has beside it."""
    clip = people[0]
    ours = Visemes()(Batch.of([clip]))[0].detach().numpy()
    theirs = lips_of(mouth_parameters(clip.phones, len(clip.lips)))
    for channel in (0, 1):
        assert np.corrcoef(ours[:, channel], theirs[:, channel])[0, 1] > 0.97


def test_a_fit_finds_what_people_do(people, monkeypatch):
    monkeypatch.setattr(viseme_fit, "STRENGTH", 1e-6)
    visemes = fit(people, steps=30)
    before, after = (correlations(v, people) for v in (Visemes(), visemes))
    for person in ("wide", "small"):
        assert after[person][0] > max(0.97, before[person][0] + 0.02)
    targets = visemes.targets()[:, 0]
    ratio = float(targets[CLASSES.index("a")] / targets[CLASSES.index("E")])
    assert ratio < 0.6 * table.VISEMES["a"].opening / table.VISEMES["E"].opening
    assert float(visemes.targets()[CLASSES.index(SILENCE)].abs().max()) == 0


def test_sounds_that_nobody_says_keep_their_look(people):
    visemes = fit(people, steps=5)
    found = fitted_table(visemes, people)
    assert found["y"].reach == table.VISEMES["y"].reach and found["y"].dominance == table.VISEMES["y"].dominance
    assert found["y"].width < -0.2 and found["a"] != table.VISEMES["a"]
    text = markdown(found, viseme_fit.count_classes(people), [])
    assert f"| a | {2 * len(people)} |" in text


def test_no_sound_opens_lips_less_than_not_at_all():
    visemes = Visemes()
    with torch.no_grad():
        visemes.target[:] = -1.0
    targets = visemes.targets().detach()
    assert float(targets[:, 0].min()) == 0 and float(targets[:, 1].min()) == -1
