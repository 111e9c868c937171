"""The network of joint control: what each mixing lets cells know of each other, gates, sizes."""

import pytest
import torch

from mamba_portrait.networks.joint_control import (
    MIXINGS,
    JointControl,
    JointControlConfig,
    Source,
    claims,
    region_energy,
)


def made(mixing="scan", **sizes):
    torch.manual_seed(1)
    network = JointControl(JointControlConfig(**({"width": 8, "states": 2} | sizes), mixing=mixing))
    torch.nn.init.normal_(network.out.weight, std=0.3)
    return network


def source(seed, gate=1.0, cells=None):
    tokens = torch.randn(2, 2, 768, generator=torch.Generator().manual_seed(seed))
    return Source(tokens, torch.full((2,), gate), torch.ones(64, dtype=torch.bool) if cells is None else cells)


@pytest.mark.parametrize("mixing", MIXINGS)
def test_cells_know_of_each_other_by_the_scan_or_the_mean_alone(mixing):
    network, voice, video = made(mixing), source(1), source(2)
    before = network(voice, video).view(2, 64, 12)
    moved = voice._replace(tokens=voice.tokens.clone())
    moved.tokens[..., 12 * 20 : 12 * 21] += 1
    changed = (network(moved, video).view(2, 64, 12) - before).abs().amax((0, 2)) > 1e-7
    assert changed[20] and changed.sum() == (1 if mixing == "none" else 64)


def test_a_new_network_mixes_linearly():
    network, voice, video = JointControl(), source(1, 0.8), source(2, 0.5)
    expected = 0.5 * video.tokens[:, 0] + 0.5 * 0.8 * voice.tokens[:, 0]
    torch.testing.assert_close(network(voice, video), expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(network(voice, None), 0.8 * voice.tokens[:, 0], atol=1e-6, rtol=0)


def test_the_gate_is_known_beside_what_it_scales():
    network = made()
    half, whole = source(1, 0.5), source(1)
    same = whole._replace(tokens=whole.tokens / 2)
    assert (network(half, None) - network(same, None)).abs().max() > 1e-4


def test_nothing_moves_without_a_source():
    with pytest.raises(ValueError, match="Nothing moves"):
        made()(None, None)


def test_the_other_mixings_have_as_many_parameters():
    counts = {mixing: sum(p.numel() for p in JointControl(JointControlConfig(mixing=mixing)).parameters())
              for mixing in MIXINGS}  # fmt: skip
    assert max(counts.values()) < 1.01 * min(counts.values()) < 250_000


def test_impossible_configs_are_told():
    with pytest.raises(ValueError, match="mixing must be one of"):
        JointControlConfig.from_dict({"mixing": "pair"})
    with pytest.raises(ValueError, match="width must be"):
        JointControlConfig.from_dict({"width": 0})
    with pytest.raises(ValueError, match="unknown fields"):
        JointControlConfig.from_dict({"depth": 2})


def test_a_region_is_claimed_by_most_of_its_cells():
    energy = torch.zeros(64, 4)
    energy[:4, 0] = 0.25
    cells = torch.zeros(64, dtype=torch.bool)
    shares = []
    for count in range(5):
        cells[:count] = True
        shares.append(float(claims(cells, energy)[0]))
    assert shares == [0, 0, 0.5, 1, 1]


def test_energy_is_where_the_writer_writes():
    writer = torch.zeros(768, 24)
    writer[12 * 45 + 3] = 2.0
    assert region_energy(writer)[45].tolist() == [1, 1, 1, 1]
