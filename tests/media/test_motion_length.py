"""Motion of another length and rate: what stands where, and lips that stay with their sound."""

from fractions import Fraction

import pytest
import torch

from mamba_portrait.media.motion import Motion
from mamba_portrait.media.motion_edit import resample_motion
from mamba_portrait.media.motion_length import fit_length, repeat_motion

REST = torch.zeros(768)


def ramp(frames, fps=25):
    """Motion whose first number counts its frames."""
    values = torch.zeros(frames, 768)
    values[:, 0] = torch.arange(frames)
    return Motion(values, REST, Fraction(fps))


def counted(motion):
    return motion.values[:, 0].tolist()


def test_what_is_short_is_cut_held_bounced_or_retimed():
    motion = ramp(4)
    assert counted(fit_length(motion, 7, "cut")) == [0, 1, 2, 3]
    assert counted(fit_length(motion, 7, "hold")) == [0, 1, 2, 3, 3, 3, 3]
    assert counted(fit_length(motion, 9, "bounce")) == [0, 1, 2, 3, 2, 1, 0, 1, 2]
    assert counted(fit_length(motion, 7, "retime")) == [0, 0.5, 1, 1.5, 2, 2.5, 3]
    assert counted(fit_length(motion, 6, "loop", 0)) == [0, 1, 2, 3, 0, 1]
    assert counted(fit_length(ramp(1), 3, "bounce")) == [0, 0, 0]


@pytest.mark.parametrize("mode", ["cut", "hold", "loop", "bounce"])
def test_what_is_long_is_cut_and_retiming_keeps_both_ends(mode):
    assert counted(fit_length(ramp(9), 3, mode)) == [0, 1, 2]
    assert counted(fit_length(ramp(9), 3, "retime")) == [0, 4, 8]


def test_a_loop_has_no_jump_at_its_seam_and_ends_as_the_motion_does():
    time = torch.arange(60) / 25
    values = torch.zeros(60, 768)
    values[:, 0] = torch.sin(4 * time) + time
    motion = Motion(values, REST, Fraction(25))
    looped = repeat_motion(motion, 3, 0.4)
    assert looped.frames == 60 + 2 * 50
    assert torch.equal(looped.values[:50], values[:50]) and torch.equal(looped.values[-10:], values[-10:])
    usual, jump = values[:, 0].diff().abs().max(), abs(float(values[0, 0] - values[-1, 0]))
    assert looped.values[:, 0].diff().abs().max() < usual + jump / 4
    assert torch.equal(fit_length(motion, 140, "loop", 0.4).values, looped.values[:140])


@pytest.mark.parametrize("fps", [24, 30, 60, Fraction(30000, 1001)])
def test_lips_stay_with_their_sound_at_every_frame_rate(fps):
    """A mouth that opens at 1.0 s and at 2.6 s does so at every rate, within half a frame of both rates."""
    values = torch.zeros(100, 768)
    for moment in (1.0, 2.6):
        frame = round(25 * moment)
        values[frame - 2 : frame + 3, 0] += torch.tensor([0.3, 0.7, 1.0, 0.7, 0.3])
    motion = resample_motion(Motion(values, REST, Fraction(25)), fps=fps)
    assert motion.fps == fps and abs(motion.duration - 4.0) <= 0.5 / fps
    curve, half = motion.values[:, 0], motion.frames * 1.7 / 4
    for part, start, moment in ((curve[: int(half)], 0, 1.0), (curve[int(half) :], int(half), 2.6)):
        times = (torch.arange(len(part)) + start) / float(fps)
        assert float((times * part).sum() / part.sum()) == pytest.approx(moment, abs=0.01)
        assert part.max() > 0.85


def test_wrong_lengths_are_one_sentence():
    for wrong, told in (
        ((3, "jump"), "no way 'jump'"),
        ((0, "hold"), "at least one frame"),
        ((9, "loop", -1), "joined"),
    ):
        with pytest.raises(ValueError, match=told):
            fit_length(ramp(4), *wrong)
