"""Video files: exact frames and rates, sound that starts where it should, provenance, nothing half written."""

import struct
from fractions import Fraction

import av
import numpy as np
import pytest
import torch

from mamba_portrait.media.audio import load_audio, write_wav
from mamba_portrait.media.sound_file import SoundFile
from mamba_portrait.media.video import VideoWriter, probe_video, read_video

RATES = [Fraction(25), Fraction(30000, 1001), Fraction(24)]


def ramp(count, height=64, width=96):
    """Frames whose gray level is 4 x their number."""
    return (torch.arange(count) * 4 / 255).view(-1, 1, 1, 1).expand(-1, height, width, 3)


def numbers(frames):
    return [round(float(frame[20:40, 20:40].mean()) * 255 / 4) for frame in frames]


@pytest.mark.parametrize("fps", RATES)
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_every_frame_comes_back_at_the_exact_rate(tmp_path, fps, suffix):
    path = tmp_path / f"clip{suffix}"
    with VideoWriter(path, fps=fps) as writer:
        for batch in ramp(40).split(7):
            writer.write(batch)
    info = probe_video(path)
    assert (info.fps, info.width, info.height, info.has_audio) == (fps, 96, 64, False)
    assert numbers(read_video(path)) == list(range(40))


def test_duration_and_voice(tmp_path):
    fps, rate, count = Fraction(30000, 1001), 16000, 60
    samples = int(count * rate / fps)
    click = torch.zeros(1, samples)
    click[0, 16000] = 0.9
    click[0, 16001:16400] = 0.5 * torch.sin(torch.arange(399) * 0.6)
    path = tmp_path / "talk.mp4"
    with VideoWriter(path, fps=fps, audio=(click, rate)) as writer:
        writer.write(ramp(count))
    info = probe_video(path)
    assert info.duration == pytest.approx(float(count / fps), abs=1e-3)
    assert info.has_audio
    heard, heard_rate = load_audio(path)
    assert heard_rate == rate and heard.shape[1] >= samples
    lags = torch.arange(-40, 41)
    score = torch.stack([(heard[0, 15000 + int(k) : 18000 + int(k)] * click[0, 15000:18000]).sum() for k in lags])
    assert abs(int(lags[score.argmax()])) <= 2  # samples: the voice is where it was


@pytest.mark.parametrize("kept_as", ["waveform", "file"])
def test_sound_that_lasts_longer_than_the_pictures_ends_with_them_and_this_is_said_once(tmp_path, caplog, kept_as):
    waveform = 0.3 * torch.sin(torch.arange(16000 * 3) * 0.2)[None]
    write_wav(tmp_path / "voice.wav", waveform, 16000)
    audio = (waveform, 16000) if kept_as == "waveform" else SoundFile(tmp_path / "voice.wav")
    with VideoWriter(tmp_path / "film.mp4", fps=25, audio=audio) as writer:
        writer.write(ramp(10))
    heard, rate = load_audio(tmp_path / "film.mp4")
    assert rate == 16000 and 6400 <= heard.shape[1] < 6400 + 1024 + 640  # and what fills AAC's last block
    assert heard[0, 5800:6300].abs().max() > 0.2
    (told,) = [r.message for r in caplog.records if r.levelname == "WARNING"]
    assert "lasts longer than the pictures" in told and "after 0.40 s" in told


@pytest.mark.parametrize("samples", [6400, 6719, 3000])
def test_sound_of_up_to_a_frame_more_is_kept_and_nothing_is_said(tmp_path, caplog, samples):
    waveform = 0.3 * torch.sin(torch.arange(samples) * 0.2)[None]
    with VideoWriter(tmp_path / "film.mp4", fps=25, audio=(waveform, 16000)) as writer:
        writer.write(ramp(10))
    heard, _ = load_audio(tmp_path / "film.mp4")
    assert heard.shape[1] >= samples and heard[0, samples - 300 : samples - 20].abs().max() > 0.2
    assert caplog.records == []


def test_odd_rates_and_channels_of_sound_are_accepted(tmp_path):
    path = tmp_path / "odd.mp4"
    with VideoWriter(path, fps=25, audio=(torch.rand(1, 3, 9999) - 0.5, 9999)) as writer:
        writer.write(ramp(25))
    heard, rate = load_audio(path)
    assert rate == 48000 and heard.shape[0] == 2 and heard.shape[1] >= 47900


def test_odd_sizes_are_padded_to_even_and_said_so(tmp_path, caplog):
    with caplog.at_level("INFO", logger="mamba_portrait"), VideoWriter(tmp_path / "odd.mp4", fps=25) as writer:
        writer.write(ramp(3, 63, 95))
    info = probe_video(tmp_path / "odd.mp4")
    assert (info.height, info.width) == (64, 96)
    assert "padded to even" in caplog.text


def test_colours_survive(tmp_path):
    image = torch.tensor([[0.9, 0.1, 0.1], [0.1, 0.8, 0.2], [0.1, 0.2, 0.9], [0.8, 0.6, 0.5]])
    image = image.repeat_interleave(16, 0)[None, None].expand(3, 48, -1, 3)
    with VideoWriter(tmp_path / "colour.mp4", fps=25) as writer:
        writer.write(image)
    frame = next(read_video(tmp_path / "colour.mp4")).numpy()
    for i in range(4):
        assert np.abs(frame[20, 16 * i + 8] - image[0, 20, 16 * i + 8].numpy()).max() < 0.02


def test_the_file_says_that_it_was_generated(tmp_path):
    path = tmp_path / "said.mp4"
    with VideoWriter(path, fps=25, title="A greeting", detail="seed 7") as writer:
        writer.write(ramp(2))
    with av.open(str(path)) as container:
        tags = container.metadata
    assert tags["title"] == "A greeting"
    assert "AI-generated by Mamba Portrait" in tags["comment"] and "seed 7" in tags["comment"]
    assert "AI-generated" in tags["description"]


def test_visible_mark_changes_one_corner_only(tmp_path):
    frames = torch.full((2, 240, 320, 3), 0.5)
    with VideoWriter(tmp_path / "mark.mp4", fps=25, mark=True) as writer:
        writer.write(frames)
    change = (next(read_video(tmp_path / "mark.mp4")) * 255 - 128).abs()
    assert change[210:, 200:].max() > 40
    assert change[:180].max() <= 3 and change[:, :140].max() <= 3


def test_failure_leaves_nothing_and_an_older_file_untouched(tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"older")
    with pytest.raises(RuntimeError, match="stop"), VideoWriter(path, fps=25, audio=(torch.zeros(1, 9000), 16000)) as w:
        w.write(ramp(5))
        raise RuntimeError("stop")
    with pytest.raises(ValueError, match="no frames"), VideoWriter(path, fps=25):
        pass
    assert [p.name for p in tmp_path.iterdir()] == ["clip.mp4"]
    assert path.read_bytes() == b"older"


def test_bad_input_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"\.gif"):
        VideoWriter(tmp_path / "a.gif", fps=25)
    with pytest.raises(ValueError, match="96x64"), VideoWriter(tmp_path / "a.mp4", fps=25) as writer:
        writer.write(ramp(1))
        writer.write(ramp(1, 32, 32))
    with pytest.raises(FileNotFoundError, match="gone.mp4"):
        next(read_video(tmp_path / "gone.mp4"))
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(ValueError, match="text.mp4"):
        next(read_video(tmp_path / "text.mp4"))


def variable_rate_file(path, stamps_ms):
    """A Matroska file whose frame i, of gray level 4 i, appears at stamps_ms[i]."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "10"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for i, stamp in enumerate(stamps_ms):
            frame = av.VideoFrame.from_ndarray(np.full((64, 96, 3), 4 * i, np.uint8), format="rgb24")
            frame.pts, frame.time_base = stamp, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def test_variable_rate_keeps_its_time(tmp_path):
    path = tmp_path / "vfr.mkv"
    variable_rate_file(path, [0, 40, 80, 200, 240, 250, 260, 280, 320, 360])
    shown = numbers(read_video(path, fps=Fraction(25)))
    assert shown[:10] == [0, 1, 2, 2, 2, 3, 5, 7, 8, 9]  # held over the gap; of the burst the latest in each slot


def test_millisecond_stamps_of_ntsc_drop_and_double_nothing(tmp_path):
    path = tmp_path / "ntsc.mkv"
    variable_rate_file(path, [round(i * 1001 / 30) for i in range(40)])
    assert numbers(read_video(path, fps=Fraction(30000, 1001)))[:40] == list(range(40))


@pytest.mark.parametrize("fps", [Fraction(25), Fraction(12), Fraction(50)])
def test_resampled_count_follows_the_duration(tmp_path, fps):
    with VideoWriter(tmp_path / "clip.mp4", fps=Fraction(30000, 1001)) as writer:
        writer.write(ramp(60))
    assert len(list(read_video(tmp_path / "clip.mp4", fps=fps))) == round(60 * 1001 / 30000 * fps)


def test_start_and_limit(tmp_path):
    with VideoWriter(tmp_path / "clip.mp4", fps=25) as writer:
        writer.write(ramp(50))
    assert numbers(read_video(tmp_path / "clip.mp4", start=0.4, max_frames=5)) == [10, 11, 12, 13, 14]
    with pytest.raises(ValueError, match="no frames after"):
        list(read_video(tmp_path / "clip.mp4", start=9))


def test_rotated_recordings_are_turned_upright(tmp_path):
    path = tmp_path / "phone.mp4"
    image = torch.zeros(2, 64, 96, 3)
    image[:, :32] = 1.0  # bright upper half
    with VideoWriter(path, fps=25) as writer:
        writer.write(image)
    data = bytearray(path.read_bytes())
    matrix = data.find(b"tkhd") + 4 + 40  # full-box header and fields before the display matrix (ISO 14496-12, 8.3.2)
    assert struct.unpack_from(">i", data, matrix)[0] == 0x10000
    struct.pack_into(
        ">9i", data, matrix, 0, 0x10000, 0, -0x10000, 0, 0, 64 << 16, 0, 0x40000000
    )  # quarter turn clockwise
    path.write_bytes(data)
    info = probe_video(path)
    frame = next(read_video(path))
    assert (info.width, info.height) == (64, 96) and frame.shape == (96, 64, 3)
    assert frame[48, 56].mean() > 0.8 and frame[48, 8].mean() < 0.2  # the top is on the right after a clockwise turn


def test_frames_too_large_for_the_encoder_are_told_and_leave_nothing(tmp_path):
    with pytest.raises(ValueError, match="20000x4 are too large"), VideoWriter(tmp_path / "wide.mp4", fps=25) as writer:
        writer.write(torch.zeros(1, 4, 20000, 3))
    assert list(tmp_path.iterdir()) == []


def test_reading_is_a_stream(tmp_path):
    with VideoWriter(tmp_path / "clip.mp4", fps=25) as writer:
        writer.write(ramp(30))
    frames = read_video(tmp_path / "clip.mp4")
    assert next(frames).dtype == torch.float32
    frames.close()
