"""Joint control of implicit motion: who moves what, and what the gates give up."""

from fractions import Fraction

import pytest
import torch

from mamba_portrait.media.motion import Motion
from mamba_portrait.nodes.control import single_mask
from mamba_portrait.pipelines.control import Control
from mamba_portrait.pipelines.joint import join_motions
from mamba_portrait.vocabulary import COUNT, INDEX, REGIONS

MOUTH = [INDEX[name] for name in REGIONS["mouth"]]
REST = [i for i in range(COUNT) if i not in MOUTH]


class ReadOut(torch.nn.Module):
    """A renderer's read-out and nothing else: orthonormal directions, read and written exactly."""

    def __init__(self):
        super().__init__()
        directions = torch.randn(768, COUNT, generator=torch.Generator().manual_seed(0))
        self.motion_language = "a"
        self.directions = torch.nn.Parameter(torch.linalg.qr(directions)[0].T)

    def read_parameters(self, motion):
        return motion @ self.directions.T

    def motion_from_parameters(self, parameters):
        return parameters @ self.directions


def motion(seed, frames, fps=25, language="a"):
    values = torch.randn(frames, 768, generator=torch.Generator().manual_seed(seed))
    return Motion(values, values[0] * 0.5, Fraction(fps), language)


@pytest.fixture
def readout():
    return ReadOut()


def changes(readout, track, frames):
    return readout.read_parameters(track.values[:frames] - track.reference).detach()


def test_the_voice_moves_the_mouth_and_the_video_the_rest(readout):
    voice, driving = motion(1, 9), motion(2, 6)
    joined = join_motions(voice, driving, readout)
    assert joined.frames == 6 and torch.equal(joined.reference, voice.reference)
    got, heard, seen = (changes(readout, track, 6) for track in (joined, voice, driving))
    torch.testing.assert_close(got[:, MOUTH], heard[:, MOUTH], atol=1e-4, rtol=0)
    torch.testing.assert_close(got[:, REST], seen[:, REST], atol=1e-4, rtol=0)


def test_what_the_read_out_does_not_know_is_the_videos(readout):
    voice, driving = motion(1, 6), motion(2, 6)
    joined = join_motions(voice, driving, readout)
    beyond = torch.eye(768) - readout.directions.T @ readout.directions
    got, seen = ((track.values - track.reference) @ beyond for track in (joined, driving))
    torch.testing.assert_close(got, seen, atol=1e-4, rtol=0)


@pytest.mark.parametrize(("gates", "alone"), [((1.0, 0.0), "voice"), ((0.0, 1.0), "driving")])
def test_a_shut_gate_leaves_everything_to_the_other(gates, alone, readout):
    tracks = {"voice": motion(1, 6), "driving": motion(2, 6)}
    joined = join_motions(*tracks.values(), readout, Control(*gates))
    only = tracks[alone]
    torch.testing.assert_close(joined.values - joined.reference, only.values - only.reference, atol=1e-4, rtol=0)


def test_a_gate_half_open_shares_its_region(readout):
    voice, driving = motion(1, 6), motion(2, 6)
    got = changes(readout, join_motions(voice, driving, readout, Control(audio=0.25)), 6)
    heard, seen = changes(readout, voice, 6), changes(readout, driving, 6)
    torch.testing.assert_close(got[:, MOUTH], 0.25 * heard[:, MOUTH] + 0.75 * seen[:, MOUTH], atol=1e-4, rtol=0)
    torch.testing.assert_close(got[:, REST], seen[:, REST], atol=1e-4, rtol=0)


def test_rates_meet_and_strangers_are_refused(readout):
    assert join_motions(motion(1, 50), motion(2, 30, fps=30), readout).frames == 25
    with pytest.raises(ValueError, match="different renderers"):
        join_motions(motion(1, 5), motion(2, 5, language="b"), readout)
    with pytest.raises(ValueError, match="made for another renderer"):
        join_motions(motion(1, 5, language="b"), motion(2, 5, language=""), readout)
    with pytest.raises(ValueError, match="Nothing moves"):
        join_motions(motion(1, 5), motion(2, 5), readout, Control(0.0, 0.0))


def test_masks_of_a_clip_become_their_union():
    clip = torch.zeros(2, 4, 5)
    clip[0, 0, 0], clip[1, 3, 4] = 1, 0.5
    assert single_mask(None) is None
    assert single_mask(clip[0]).shape == single_mask(clip).shape == (4, 5)
    assert single_mask(clip)[0, 0] == 1 and single_mask(clip)[3, 4] == 0.5
