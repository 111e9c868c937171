"""Motion tracks: files, retargeting, editing, drawing."""

from fractions import Fraction
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file

from mamba_portrait.files import CannotWrite
from mamba_portrait.media import motion as m
from mamba_portrait.media.motion_edit import blend_motions, concatenate_motions, edit_motion
from mamba_portrait.media.motion_plot import plot_motion


def track(frames=50, fps=Fraction(25), language="abc", seed=0):
    generator = torch.Generator().manual_seed(seed)
    return m.Motion(torch.randn(frames, 768, generator=generator), torch.randn(768, generator=generator), fps, language)


def test_file_round_trip(tmp_path):
    motion = track(fps=Fraction(30000, 1001))
    path = m.save_motion(tmp_path / "wave", motion)
    assert path.name == "wave.safetensors" and len(list(tmp_path.iterdir())) == 1
    read = m.load_motion(path)
    assert torch.equal(read.values, motion.values) and torch.equal(read.reference, motion.reference)
    assert (read.fps, read.language, read.frames) == (Fraction(30000, 1001), "abc", 50)


def test_other_files_are_refused(tmp_path):
    save_file({"values": torch.zeros(3, 768)}, str(tmp_path / "net.safetensors"), metadata={"kind": "renderer"})
    with pytest.raises(ValueError, match="not a motion file"):
        m.load_motion(tmp_path / "net.safetensors")
    (tmp_path / "text.safetensors").write_text("nothing of the kind")
    with pytest.raises(ValueError, match="text.safetensors"):
        m.load_motion(tmp_path / "text.safetensors")
    with pytest.raises(FileNotFoundError, match="gone"):
        m.load_motion(tmp_path / "gone.safetensors")
    with pytest.raises(ValueError, match=r"\(3, 24\)"):
        m.Motion(torch.zeros(3, 24), torch.zeros(768), Fraction(25))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_spoilt_numbers_are_no_motion(value):
    values = torch.zeros(3, 768)
    values[1, 5] = value
    with pytest.raises(ValueError, match="NaN or infinite"):
        m.Motion(values, torch.zeros(768), Fraction(25))


@pytest.mark.parametrize("name", ["x" * 300, "a_file/motion"])
def test_a_motion_that_cannot_be_written_is_told_and_leaves_nothing(tmp_path, name):
    (tmp_path / "a_file").touch()
    with pytest.raises(CannotWrite, match=r"\.safetensors cannot be written in .*: .*name"):
        m.save_motion(tmp_path / name, track())
    assert [path.name for path in tmp_path.iterdir()] == ["a_file"]


def test_no_time_and_no_speed_are_told():
    for edit in ({"smooth": float("nan")}, {"speed": float("nan")}, {"speed": 0.0}):
        with pytest.raises(ValueError, match="nan|positive"):
            edit_motion(track(), **edit)


def test_relative_retargeting_keeps_the_photos_rest_and_absolute_the_drivers_numbers():
    motion = track()
    still = m.Motion(motion.reference[None].repeat(4, 1), motion.reference, motion.fps)
    source = torch.randn(768)
    assert torch.equal(m.retarget(still, source), source.expand(4, -1))
    assert torch.allclose(m.retarget(motion, source, "absolute"), motion.values, atol=1e-6)
    moved = m.retarget(motion, source[None], gain=2.0)
    assert torch.allclose(moved - source, 2 * (motion.values - motion.reference), atol=1e-5)
    with pytest.raises(ValueError, match="sideways"):
        m.retarget(motion, source, "sideways")


def test_gain_and_offset():
    motion = track()
    doubled = edit_motion(motion, gain=2.0)
    assert torch.allclose(doubled.values - motion.reference, 2 * (motion.values - motion.reference), atol=1e-5)
    assert torch.equal(edit_motion(motion, offset=torch.ones(768)).values, motion.values + 1)
    with pytest.raises(ValueError, match="offset"):
        edit_motion(motion, offset=torch.ones(3, 768))


def test_parameter_gain_moves_only_its_parameter():
    handle = torch.linalg.qr(torch.randn(768, 24, generator=torch.Generator().manual_seed(3)))[0]
    motion, gain = track(), torch.ones(24)
    gain[5] = 0.0
    edited = edit_motion(motion, parameter_gain=gain, read=lambda v: v @ handle, write=lambda p: p @ handle.T)
    change = edited.values @ handle - motion.values @ handle
    assert change[:, torch.arange(24) != 5].abs().max() < 1e-4
    assert torch.allclose((edited.values @ handle)[:, 5], (motion.reference @ handle)[5].expand(50), atol=1e-4)
    with pytest.raises(ValueError, match="read_parameters"):
        edit_motion(motion, parameter_gain=gain)


@pytest.mark.parametrize("smoother", ["gaussian", "one_euro"])
def test_smoothing_calms_and_leaves_stillness_alone(smoother):
    motion = track(100)
    calm = edit_motion(motion, smooth=0.1, smoother=smoother)
    assert calm.values.diff(dim=0).square().mean() < 0.3 * motion.values.diff(dim=0).square().mean()
    still = m.Motion(torch.ones(30, 768), torch.zeros(768), Fraction(25))
    assert torch.allclose(edit_motion(still, smooth=0.1, smoother=smoother).values, still.values, atol=1e-6)
    with pytest.raises(ValueError, match="median"):
        edit_motion(motion, smooth=0.1, smoother="median")


def test_slice_speed_and_rate():
    motion = track(50)
    assert torch.equal(edit_motion(motion, start=0.4, end=1.2).values, motion.values[10:30])
    fast = edit_motion(motion, speed=2.0)
    assert fast.frames == 25 and torch.equal(fast.values, motion.values[::2])
    denser = edit_motion(motion, fps=Fraction(50))
    assert denser.frames == 100 and denser.fps == 50 and denser.duration == motion.duration
    assert torch.allclose(denser.values[1], motion.values[:2].mean(0), atol=1e-6)
    with pytest.raises(ValueError, match="2.00 s"):
        edit_motion(motion, start=5.0)


def test_concatenation_crosses_over_smoothly():
    first = m.Motion(torch.zeros(50, 768), torch.zeros(768), Fraction(25))
    second = m.Motion(torch.full((50, 768), 3.0), torch.full((768,), 2.0), Fraction(25))
    joined = concatenate_motions(first, second, crossfade=0.4)
    assert joined.frames == 90
    assert torch.allclose(joined.values[-1], torch.ones(768))  # 3 - 2: the change about the second's own reference
    assert joined.values.diff(dim=0).max() < 0.1
    hard = concatenate_motions(first, second, crossfade=0)
    assert hard.frames == 100 and torch.equal(hard.values[50], torch.ones(768))


@pytest.mark.parametrize("join", [blend_motions, concatenate_motions])
def test_two_languages_do_not_mix_and_one_that_is_known_stays(join):
    with pytest.raises(ValueError, match="different renderers"):
        join(track(language="a"), track(language="b"))
    for languages in (("a", "a"), ("a", ""), ("", "a")):
        assert join(*(track(language=language) for language in languages)).language == "a"
    assert edit_motion(track(language="a"), smooth=0.1, speed=2.0, gain=0.5).language == "a"


def test_motion_of_another_language_is_refused_and_unknown_is_not():
    renderer = SimpleNamespace(motion_language="abc")
    m.check_language("abc", renderer)
    m.check_language("", renderer)
    with pytest.raises(ValueError, match="made for another renderer .*xyz.*abc"):
        m.check_language("xyz", renderer)


def test_blend_weights():
    a, b = track(50, seed=1), track(30, seed=2)
    assert torch.allclose(blend_motions(a, b, 0.0).values, a.values, atol=1e-5)
    full = blend_motions(a, b, 1.0)
    assert full.frames == 50
    assert torch.allclose(full.values[:30] - a.reference, b.values - b.reference, atol=1e-5)


def test_plot_draws_each_curve():
    motion = track(40)
    image = plot_motion(motion, torch.rand(40, 4), names=["jaw", "smile", "yaw", "roll"],
                          panels={"mouth": ["jaw", "smile"], "head": ["yaw", "roll"]}, size=(360, 640))  # fmt: skip
    assert image.shape == (360, 640, 3) and image.min() >= 0 and image.max() <= 1
    bare = plot_motion(motion, size=(360, 640))
    assert (image != bare).any() and (bare < 0.6).any()
    assert plot_motion(m.Motion(torch.zeros(1, 768), torch.zeros(768), Fraction(25))).shape == (900, 1400, 3)
    with pytest.raises(ValueError, match="40 frames"):
        plot_motion(motion, torch.rand(3, 24))


def test_a_motion_whose_reference_is_its_first_frame_is_written(tmp_path):
    values = torch.randn(3, 768)
    motion = m.load_motion(m.save_motion(tmp_path / "m", m.Motion(values, values[0], Fraction(25))))
    assert torch.equal(motion.reference, values[0])
