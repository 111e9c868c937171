"""Single nodes: what the example workflows do not reach."""

from fractions import Fraction

import av
import pytest
import torch

from mamba_portrait.host import ManagedModel, VideoFromFile
from mamba_portrait.host.headless import settings as headless
from mamba_portrait.media.crop import Crop
from mamba_portrait.media.motion import Motion
from mamba_portrait.model_loaders.checkpoint import load_motion_model, load_renderer
from mamba_portrait.nodes import (
    assemble,
    audio_features,
    crop,
    decode,
    driving,
    edit_motion,
    joint_motion,
    motion_files,
    paste,
    sample,
    source,
)
from mamba_portrait.nodes.values.sockets import Encoded
from mamba_portrait.pipelines import portrait, speaking
from mamba_portrait.pipelines.settings import SamplingSettings


@pytest.fixture
def renderer(tiny_host, tiny_networks):
    return ManagedModel(load_renderer(tiny_networks / "tiny_renderer.safetensors"), "tiny")


@pytest.fixture
def motion_model(tiny_host, tiny_networks):
    return ManagedModel(load_motion_model(tiny_networks / "tiny_motion.safetensors"), "tiny")


def some_motion(frames=5, seed=0, fps=25):
    values = torch.randn(frames, 768, generator=torch.Generator().manual_seed(seed)) * 0.1
    return Motion(values, values[0].clone(), Fraction(fps))


def voice(seconds, rate=44100, channels=2):
    wave = torch.rand(1, channels, round(seconds * rate), generator=torch.Generator().manual_seed(1)) - 0.5
    return {"waveform": wave, "sample_rate": rate}


def encoded(renderer, height=48, width=48):
    image = torch.rand(1, height, width, 3, generator=torch.Generator().manual_seed(2))
    made = source.EncodeSource.execute(renderer, image)[0]
    looks = Encoded(portrait.extract_appearance(renderer.module, made.value), renderer.name)
    return made, looks


@pytest.mark.parametrize(("samples", "frames"), [(640, 1), (320, 1), (959, 1), (960, 2), (16000, 25), (16319, 25)])
def test_a_voice_of_n_samples_has_f_of_n_frames(samples, frames):
    heard = speaking.prepare_voice(torch.zeros(1, samples), 16000)
    assert heard.frames == frames == (samples * 25 * 2 + 16000) // 32000
    assert heard.waveform.shape == (1, 640 * frames)


def test_too_short_or_empty_audio_is_told():
    with pytest.raises(ValueError, match="less than half a video frame"):
        speaking.prepare_voice(torch.zeros(1, 100), 16000)
    with pytest.raises(ValueError, match="The audio is empty"):
        speaking.prepare_voice(torch.zeros(2, 0), 44100)
    with pytest.raises(ValueError, match="the video has no sound track"):
        audio_features.voice_of(None)


def test_motion_of_a_voice_has_its_frames_and_style_changes_it(motion_model):
    heard = audio_features.GlobalAudio.execute(motion_model, voice(1.0))[0]
    local = audio_features.LocalAudio.execute(motion_model, voice(1.0))[0]
    other = audio_features.GlobalAudio.execute(motion_model, voice(0.7, 22050, 1))[0]
    settings = dict(
        seed=1,
        steps=2,
        solver="dpmpp_2m",
        audio_guidance=2.0,
        appearance_guidance=1.0,
        mode="window",
        window=80,
        overlap=20,
    )
    plain = sample.SampleMotion.execute(motion_model, heard, local, **settings)[0]
    styled = sample.SampleMotion.execute(motion_model, heard, local, **settings, style_audio=other)[0]
    assert plain.values.shape == (25, 768) and plain.fps == 25
    assert not torch.equal(plain.values, styled.values)
    with pytest.raises(ValueError, match="both must come from the same recording"):
        sample.SampleMotion.execute(motion_model, other, local, **settings)


def test_decoding_in_batches_equals_one_by_one(renderer):
    made, looks = encoded(renderer)
    settings = dict(size="photo", mode="relative", gain=1.0, articulation=1.0)
    one, fps, *_ = decode.DecodeMotion.execute(renderer, made, looks, some_motion(), batch=1, **settings).args
    many, *_ = decode.DecodeMotion.execute(renderer, made, looks, some_motion(), batch=4, **settings).args
    assert one.shape == (5, 64, 64, 3) and fps == 25.0
    torch.testing.assert_close(one, many, atol=2e-5, rtol=0)


def spoken(motion_model):
    nodes = audio_features.GlobalAudio, audio_features.LocalAudio
    features = (node.execute(motion_model, voice(0.2))[0].value for node in nodes)
    return speaking.generate_motion(motion_model.module, *features, None, SamplingSettings(steps=1))


def watched(renderer):
    return portrait.encode_driving_video(renderer.module, torch.rand(3, 40, 40, 3), Fraction(25))


@pytest.mark.parametrize("way", ["voice", "video"])
def test_motion_for_another_renderer_is_refused_wherever_it_arrives(renderer, motion_model, tiny_host, way):
    made, looks = encoded(renderer)
    motion = spoken(motion_model) if way == "voice" else watched(renderer)
    assert motion.language == renderer.module.motion_language
    motion = motion_files.LoadMotion.execute(motion_files.SaveMotion.execute(motion, "motion/x")[1])[0]
    settings = ("photo", "relative", 1.0, 1.0, 4)
    assert len(decode.DecodeMotion.execute(renderer, made, looks, motion, *settings)[0]) == motion.frames
    with torch.no_grad():
        renderer.module.parameters_of_motion.writer.weight.mul_(1.1)
    for node, inputs in (
        (decode.DecodeMotion, (renderer, made, looks, motion, *settings)),
        (edit_motion.EditMotion, (motion, renderer, 1, 1, 1, 0.5, 0, 1, 0, 0, 0)),
        (edit_motion.PlotMotion, (motion, 640, 400, renderer)),
        (joint_motion.JointMotion, (motion, motion, renderer)),
    ):
        with pytest.raises(ValueError, match="The motion was made for another renderer"):
            node.execute(*inputs)


def test_frames_that_do_not_fit_are_refused_before_the_work(renderer, monkeypatch):
    made, looks = encoded(renderer)
    monkeypatch.setattr("mamba_portrait.nodes.values.image_batch.free_memory", lambda device: 1e6)
    with pytest.raises(ValueError, match="100 frames of 256x256 take 0.1 GB .* use Assemble Video"):
        decode.DecodeMotion.execute(renderer, made, looks, some_motion(100), "256", "relative", 1.0, 1.0, 4)
    with pytest.raises(ValueError, match="2 frames of 800x600 take"):
        paste.PasteBack.execute(torch.rand(1, 600, 800, 3), torch.rand(2, 32, 32, 3), Crop(0, 0, 32, 600, 800), 0.1)
    monkeypatch.undo()
    assert headless.free_memory(torch.device("cpu")) > 1e6


def test_a_driving_video_without_a_face_says_what_to_do(renderer):
    video = assemble.FramesToVideo.execute(torch.rand(2, 64, 64, 3), 25.0, 18, False)[0]
    with pytest.raises(ValueError, match="first frame of the driving video.*'whole frame'"):
        driving.EncodeDrivingVideo.execute(renderer, video, "face", 2.0, 8)
    assert driving.EncodeDrivingVideo.execute(renderer, video, "whole frame", 2.0, 8)[0].frames == 2


class Sliced(VideoFromFile):
    """As ComfyUI's Video Slice leaves it: the file is whole, everything else is cut."""

    def get_duration(self):
        return 2 / 25

    def get_components(self):
        parts = super().get_components()
        parts.images = parts.images[1:3]
        return parts


def test_a_sliced_driving_video_drives_with_its_slice(renderer, tiny, tiny_host):
    file = tiny.write_driving(tiny_host / "driver.mp4", frames=6, fps=25)
    whole = driving.EncodeDrivingVideo.execute(renderer, VideoFromFile(file), "whole frame", 2.0, 8)[0]
    part = driving.EncodeDrivingVideo.execute(renderer, Sliced(file), "whole frame", 2.0, 8)[0]
    assert (whole.frames, part.frames) == (6, 2)
    change, of_whole = part.values - part.reference, whole.values[1:3] - whole.values[1]
    torch.testing.assert_close(change, of_whole, atol=1e-3, rtol=0)
    assert change[1].abs().max() > 0.01


def test_odd_portraits_give_even_frames(renderer):
    made, looks = encoded(renderer, 91, 69)
    settings = dict(size="photo", mode="absolute", gain=1.0, articulation=1.0, batch=4)
    assert decode.DecodeMotion.execute(renderer, made, looks, some_motion(2), **settings)[0].shape == (2, 90, 68, 3)
    small, looks = encoded(renderer, 48, 32)  # smaller than the network's 64
    assert decode.DecodeMotion.execute(renderer, small, looks, some_motion(2), **settings)[0].shape == (2, 64, 42, 3)


def test_bf16_stays_close_to_fp32(renderer):
    made, looks = encoded(renderer)
    frames = {}
    for precision in ("fp32", "bf16"):
        with headless.configure(precision=precision):
            frames[precision] = decode.DecodeMotion.execute(
                renderer, made, looks, some_motion(), "photo", "relative", 1.0, 1.0, 4
            )[0]
    assert frames["bf16"].dtype == torch.float32
    assert (frames["fp32"] - frames["bf16"]).abs().mean() < 0.02


def test_paste_back_leaves_the_rest_of_the_photo(renderer):
    photo = torch.rand(1, 60, 80, 3)
    frames = torch.zeros(3, 32, 32, 3)
    where = Crop(10, 5, 40, 60, 80)
    pasted = paste.PasteBack.execute(photo, frames, where, 0.1)[0]
    assert pasted.shape == (3, 60, 80, 3)
    assert torch.equal(pasted[:, :, 50:], photo[:, :, 50:].expand(3, -1, -1, -1))
    assert pasted[:, 25, 30].abs().max() == 0


def test_assemble_needs_photo_and_crop_together(renderer):
    made, looks = encoded(renderer)
    with pytest.raises(ValueError, match="crop is missing"):
        assemble.AssembleVideo.execute(
            renderer,
            made,
            looks,
            some_motion(2),
            "photo",
            "relative",
            1.0,
            1.0,
            4,
            0.1,
            18,
            False,
            photo=torch.rand(1, 9, 9, 3),
        )


def test_frames_to_video_keeps_ntsc_rates_and_odd_sizes(tiny_host):
    video = assemble.FramesToVideo.execute(torch.rand(4, 31, 45, 3), 29.97, 18, True, audio=voice(0.1))[0]
    with av.open(video.get_stream_source()) as container:
        stream = container.streams.video[0]
        assert stream.average_rate == Fraction(30000, 1001)
        assert (stream.width, stream.height) == (46, 32)
        assert sum(1 for _ in container.decode(stream)) == 4


def test_edits_by_region(renderer):
    motion = some_motion(20)
    plain = dict(mouth=1.0, brows=1.0, eyes=1.0, pose=1.0, smooth=0.0, speed=1.0, yaw=0.0, pitch=0.0, roll=0.0)
    same = edit_motion.EditMotion.execute(motion, renderer, **plain)[0]
    assert torch.equal(same.values, motion.values)
    fast = edit_motion.EditMotion.execute(motion, renderer, **(plain | {"speed": 2.0}))[0]
    assert fast.frames == 10
    turned = edit_motion.EditMotion.execute(motion, renderer, **(plain | {"yaw": 10.0}))[0]
    shift = turned.values - motion.values
    torch.testing.assert_close(shift, shift[:1].expand_as(shift), atol=1e-5, rtol=0)
    assert shift.abs().max() > 0
    picture = edit_motion.PlotMotion.execute(turned, 640, 400, renderer)[0]
    assert picture.shape == (1, 400, 640, 3)


def test_mixing_two_rates_keeps_the_first(tiny_host):
    joined = edit_motion.MixMotion.execute(some_motion(25), some_motion(30, 1, 30), "one after the other", 0.5, 0.2)[0]
    assert joined.fps == 25 and joined.frames == 25 + 25 - 5
    blended = edit_motion.MixMotion.execute(some_motion(25), some_motion(60, 1, 30), "blend", 0.0, 0.2)[0]
    assert blended.frames == 50
    torch.testing.assert_close(blended.values[:25], some_motion(25).values)


def test_a_motion_file_comes_back_as_it_was(tiny_host):
    motion = some_motion(7, 3)
    saved = motion_files.SaveMotion.execute(motion, "motion/x")
    assert saved.ui.as_dict() == {"text": ("x_00001_.safetensors: 7 frames",)}
    again = motion_files.LoadMotion.execute(saved[1])[0]
    assert torch.equal(again.values, motion.values) and again.fps == 25
    with pytest.raises(ValueError, match="Load Motion needs a path or a file"):
        motion_files.LoadMotion.execute(" ")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        motion_files.LoadMotion.execute("nowhere.safetensors")


def test_the_face_mask_lies_on_the_box():
    result = crop.PortraitCrop.execute(torch.rand(1, 90, 120, 3), "box", "largest", 0, 2.0, 0.1, 40, 20, 30, 30)
    image, where, mask = result.args
    assert image.shape == (1, 60, 60, 3) and where.size == 60
    assert mask.shape == (1, 90, 120) and mask[0, 35, 55] == 1 and mask[0, 5, 5] == 0
    with pytest.raises(ValueError, match="takes one photo, but 2 came in at '.*': put the node ImageFromBatch"):
        crop.PortraitCrop.execute(torch.rand(2, 9, 9, 3), "whole", "largest", 0, 2.0, 0.1)
