"""Joint control by parallel branches: gates, masks, and what is refused."""

from dataclasses import replace
from fractions import Fraction

import pytest
import torch

from mamba_portrait.media.motion import Motion
from mamba_portrait.networks.joint_control import JointControl, JointControlConfig
from mamba_portrait.networks.renderer.config import RendererConfig
from mamba_portrait.networks.renderer.motion_encoder import MotionParameters
from mamba_portrait.pipelines.control import Control
from mamba_portrait.pipelines.joint import join_motions
from mamba_portrait.pipelines.parallel_control import AT_ONCE, mask_cells
from mamba_portrait.pipelines.regions import motion_to_parameters
from mamba_portrait.vocabulary import COUNT


class ReadOut(torch.nn.Module):
    """A renderer's motion space and nothing else."""

    def __init__(self):
        super().__init__()
        self.parameters_of_motion = MotionParameters(RendererConfig.lite()).requires_grad_(False)
        self.motion_language = self.parameters_of_motion.language()
        self.read_parameters, self.motion_from_parameters = (
            self.parameters_of_motion.read,
            self.parameters_of_motion.write,
        )


def motion(renderer, seed, frames=9, fps=25, free=0.0):
    """Motion of parameters that any head may have, and a part that has no name."""
    generator = torch.Generator().manual_seed(seed)
    parameters = 0.3 * torch.randn(frames, COUNT, generator=generator)
    space = renderer.parameters_of_motion
    rest = space.write(torch.zeros(COUNT))
    beyond = free * torch.randn(frames, 768, generator=generator)
    values = space.write(parameters) + beyond - space.named_part(beyond)
    return Motion(values, rest, Fraction(fps), renderer.motion_language)


@pytest.fixture(scope="module")
def renderer():
    return ReadOut()


@pytest.fixture(scope="module")
def network(renderer):
    torch.manual_seed(5)
    network = JointControl(JointControlConfig(width=8, states=2), renderer.motion_language)
    torch.nn.init.normal_(network.out.weight, std=0.3)  # as trained: it begins at zero
    return network.eval().requires_grad_(False)


def change(track):
    return track.values - track.reference


@pytest.mark.parametrize("shut", ["voice", "driving"])
@pytest.mark.parametrize("spoilt", ["another", "huge"])
def test_what_a_shut_gate_shuts_out_changes_no_bit(renderer, network, shut, spoilt):
    tracks = {"voice": motion(renderer, 1), "driving": motion(renderer, 2, free=0.1)}
    control = Control(audio=0.0 if shut == "voice" else 0.8, motion=0.0 if shut == "driving" else 0.8)
    joined = join_motions(*tracks.values(), renderer, control, network)
    wrong = motion(renderer, 7).values if spoilt == "another" else torch.full((9, 768), 1e38)
    tracks[shut] = replace(tracks[shut], values=wrong)
    again = join_motions(*tracks.values(), renderer, control, network)
    assert torch.equal(joined.values, again.values)
    assert change(joined).abs().max() > 0.01


@pytest.mark.parametrize("other", ["voice", "driving"])
def test_both_are_heard_where_both_gates_are_open(renderer, network, other):
    tracks = {"voice": motion(renderer, 1), "driving": motion(renderer, 2)}
    joined = join_motions(*tracks.values(), renderer, None, network)
    tracks[other] = motion(renderer, 7)
    again = join_motions(*tracks.values(), renderer, None, network)
    assert (change(joined) - change(again)).abs().max() > 0.01


def test_a_mask_becomes_cells(renderer):
    mask = torch.zeros(160, 80)
    mask[100:120, 20:40] = 1  # row 5, columns 2 and 3
    mask[0:20, 0:2] = 1  # a fifth of the first cell
    cells = mask_cells(mask, "The voice's mask").view(8, 8)
    assert cells.nonzero().tolist() == [[5, 2], [5, 3]]
    assert mask_cells(None, "").all()
    with pytest.raises(ValueError, match="The voice's mask covers a quarter of none of the 8 x 8 cells"):
        mask_cells(0.2 * torch.ones(64, 64), "The voice's mask")


@pytest.mark.parametrize("name", ["audio", "motion"])
def test_what_lies_outside_of_its_mask_is_not_looked_at(renderer, network, name):
    """Motion that differs in masked cells alone, below the read-out: the network itself is asked."""
    from mamba_portrait.networks.joint_control import Source

    inside = torch.zeros(64, dtype=torch.bool)
    inside[40:48] = True
    tokens = {other: torch.randn(2, 2, 768) for other in ("audio", "motion")}
    cells = {"audio": torch.ones(64, dtype=torch.bool), "motion": torch.ones(64, dtype=torch.bool)} | {name: inside}

    def ask():
        return network(*(Source(tokens[key], torch.ones(2), cells[key]) for key in ("audio", "motion")))

    first = ask()
    outside = (~inside).repeat_interleave(12)
    tokens[name] = torch.where(outside, torch.randn(2, 2, 768), tokens[name])
    assert torch.equal(first, ask())
    tokens[name] = tokens[name] + inside.repeat_interleave(12)
    assert not torch.equal(first, ask())


def test_masks_of_the_graph_reach_the_network(renderer, network):
    tracks = motion(renderer, 1), motion(renderer, 2)
    lower = torch.zeros(64, 64)
    lower[32:] = 1
    results = [
        join_motions(*tracks, renderer, control, network).values
        for control in (Control(), Control(audio_mask=lower), Control(motion_mask=lower))
    ]
    assert all((results[0] - masked).abs().max() > 0.01 for masked in results[1:])


def test_the_part_without_names_is_mixed_by_the_gates(renderer, network):
    voice, driving = motion(renderer, 1, free=0.1), motion(renderer, 2, free=0.1)
    joined = join_motions(voice, driving, renderer, Control(0.5, 0.75), network)
    space = renderer.parameters_of_motion
    got, heard, seen = (change(track) - space.named_part(change(track)) for track in (joined, voice, driving))
    torch.testing.assert_close(got, 0.75 * seen + 0.25 * 0.5 * heard, atol=1e-4, rtol=0)


def test_long_motion_in_parts_is_the_same(renderer, network):
    tracks = [motion(renderer, seed, AT_ONCE + 30) for seed in (1, 2)]
    whole = join_motions(*tracks, renderer, None, network)
    pieces = [replace(track, values=track.values[: AT_ONCE - 10]) for track in tracks]
    part = join_motions(*pieces, renderer, None, network)
    torch.testing.assert_close(part.values[:200], whole.values[:200], atol=1e-5, rtol=0)
    assert whole.frames == AT_ONCE + 30 and motion_to_parameters(renderer, whole.values).isfinite().all()


def test_a_network_of_another_motion_space_is_refused(renderer):
    stranger = JointControl(JointControlConfig(width=8, states=2), "another")
    with pytest.raises(ValueError, match=r"trained for another renderer .*another"):
        join_motions(motion(renderer, 1), motion(renderer, 2), renderer, None, stranger)
