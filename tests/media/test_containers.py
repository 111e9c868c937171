"""What containers say about time and shape, beside FFmpeg's own reading of the same file."""

import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from mamba_portrait.media.audio import load_audio
from mamba_portrait.media.photo import to_uint8
from mamba_portrait.media.sound_file import film_sound
from mamba_portrait.media.timing import fastest_rate
from mamba_portrait.media.video import VideoWriter, probe_video, read_video

with_ffmpeg = pytest.mark.skipif(not shutil.which("ffmpeg"), reason="the ffmpeg program is not here to compare with")
RATE = 16000


def ffmpeg(*arguments) -> bytes:
    command = ["ffmpeg", "-v", "error", "-y", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True).stdout


def levels(frames) -> list[int]:
    """The number of each picture of `shown_at`."""
    return [round(float(frame[20:40, 20:40].mean()) * 255 / 3) for frame in frames]


def levels_by_ffmpeg(path: Path, rate: Fraction) -> list[int]:
    grid = f"fps={rate}:start_time=0"
    raw = ffmpeg("-i", path, "-map", "0:v", "-vf", grid, "-vsync", 0, "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
    pictures = np.frombuffer(raw, np.uint8).reshape(-1, 64, 96, 3)
    return levels(torch.from_numpy(pictures.copy()).float() / 255)


def sound_by_ffmpeg(path: Path) -> np.ndarray:
    """The sound with silence where the time stamps leave gaps, from the film's beginning."""
    silence = "aresample=async=1:min_hard_comp=0.1:first_pts=0"
    return np.frombuffer(ffmpeg("-i", path, "-map", "0:a", "-af", silence, "-f", "f32le", "-"), np.float32)


def shown_at(path: Path, stamps: list[float], sound: tuple[float, ...] = (), rate: Fraction | int = 25) -> Path:
    """A film whose picture i, of level 3 i, appears at stamps[i] seconds; from each moment of `sound` 0.5 s of a tone
    that ends with a click."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=rate, options={"crf": "8", "bf": "0"})
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        video.codec_context.time_base = Fraction(1, 90000)
        heard = container.add_stream("aac", rate=RATE, layout="mono") if sound else None
        for i, stamp in enumerate(stamps):
            frame = av.VideoFrame.from_ndarray(np.full((64, 96, 3), 3 * i, np.uint8), format="rgb24")
            frame.pts, frame.time_base = round(stamp * 90000), Fraction(1, 90000)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        for begin in sound:
            tone = 0.4 * np.sin(np.arange(8192) * 0.3).astype(np.float32) * (np.arange(8192) < 8000)
            for k in range(0, 8192, 1024):
                part = av.AudioFrame.from_ndarray(tone[None, k : k + 1024], format="fltp", layout="mono")
                part.sample_rate, part.pts, part.time_base = RATE, round(begin * RATE) + k, Fraction(1, RATE)
                container.mux(heard.encode(part))
        if heard:
            container.mux(heard.encode(None))
    return path


def onsets(waveform) -> list[float]:
    """Seconds at which a sound begins after silence."""
    loud = np.abs(np.asarray(waveform).reshape(-1)) > 0.1
    loud = np.convolve(loud, np.ones(400), "same") > 0
    return [round(i / RATE, 2) for i in np.flatnonzero(np.diff(loud.astype(int), prepend=0) == 1)]


FAST_THEN_SLOW = [i / 25 for i in range(25)] + [1 + i / 5 for i in range(10)]


@with_ffmpeg
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_variable_rate_keeps_the_fast_parts(tmp_path, suffix):
    path = shown_at(tmp_path / f"variable{suffix}", FAST_THEN_SLOW)
    info = probe_video(path)
    assert info.fps == 25 and info.duration == pytest.approx(3, abs=0.25)
    read = levels(read_video(path))
    assert read[:25] == list(range(25)) and read[25:65:5] == list(range(25, 33))
    assert read[:70] == levels_by_ffmpeg(path, Fraction(25))[:70]


@with_ffmpeg
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_a_gap_in_the_pictures_holds_the_last_one_and_the_sound_keeps_its_place(tmp_path, suffix):
    stamps = [i / 25 for i in range(10)] + [2 + i / 25 for i in range(10)]
    path = shown_at(tmp_path / f"silent{suffix}", stamps)
    read = levels(read_video(path))
    assert probe_video(path).fps == 25 and read == [*range(9), *[9] * 41, *range(10, 20)]
    assert levels_by_ffmpeg(path, Fraction(25)) == read
    path = shown_at(tmp_path / f"gap{suffix}", stamps, (0.0, 2.0))
    waveform, _ = heard(path)
    assert levels(read_video(path)) == read and onsets(waveform)[-1] == pytest.approx(2.0, abs=0.08)
    by_ffmpeg = levels_by_ffmpeg(path, Fraction(25)).index(10) / 25 - onsets(sound_by_ffmpeg(path))[-1]
    assert by_ffmpeg == pytest.approx(2 - onsets(waveform)[-1], abs=0.05)


@pytest.mark.parametrize("rate", [Fraction(25), Fraction(30000, 1001), Fraction(60), Fraction(12)])
def test_a_constant_rate_stays_what_the_file_tells(tmp_path, rate):
    path = shown_at(tmp_path / "constant.mkv", [float(i / rate) for i in range(60)], rate=rate)
    assert probe_video(path).fps == rate and levels(read_video(path)) == list(range(60))


def test_pauses_bursts_and_jitter_make_no_rate():
    second, rng = np.arange(60) / 30, np.random.default_rng(0)
    assert fastest_rate(second) == pytest.approx(30)
    assert fastest_rate(np.r_[second, 2.5 + np.arange(15) / 1000, 3 + second]) == pytest.approx(
        30
    )  # a camera catches up
    assert fastest_rate(second + rng.uniform(-0.004, 0.004, 60)) == pytest.approx(30, rel=0.05)
    assert fastest_rate(np.cumsum(np.tile([0.04] * 12 + [0.5], 9))) == pytest.approx(25)
    assert fastest_rate(np.arange(5) * 2.0) == 0 and fastest_rate(np.empty(0)) == 0


def test_faulty_stamps_make_no_thousands_of_frames(tmp_path):
    path = shown_at(tmp_path / "faulty.mp4", [i / 5000 for i in range(6)] + [2 + i / 10 for i in range(20)])
    assert probe_video(path).fps <= 120


def heard(path: Path, start: float = 0.0, seconds: float | None = None):
    sound = film_sound(path, probe_video(path).zero, start, seconds)
    waveform = sound and sound.loaded()
    return None if waveform is None else (waveform, sound.rate)


@with_ffmpeg
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
@pytest.mark.parametrize("begin", [0.34, 1.2])
def test_a_sound_that_begins_later_is_heard_later(tmp_path, suffix, begin):
    path = shown_at(tmp_path / f"late{suffix}", [i / 25 for i in range(50)], (begin,))
    waveform, rate = heard(path)
    assert rate == RATE and onsets(waveform) == pytest.approx([begin], abs=0.03)
    assert onsets(sound_by_ffmpeg(path)) == pytest.approx(onsets(waveform), abs=0.03)
    assert levels(read_video(path)) == list(range(50))


@with_ffmpeg
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_sound_that_begins_before_the_picture_is_heard_over_its_first(tmp_path, suffix):
    path = shown_at(tmp_path / f"early{suffix}", [0.6 + i / 25 for i in range(50)], (0.0,))
    info = probe_video(path)
    read = levels(read_video(path, info.fps, zero=info.zero))
    waveform, _ = heard(path)
    first_moves = read.index(1) / 25 - onsets(waveform)[0]
    assert first_moves == pytest.approx(0.64, abs=0.05) and read[:15] == [0] * 15 and len(read) in (64, 65)
    by_ffmpeg = levels_by_ffmpeg(path, Fraction(25))
    assert by_ffmpeg.index(1) / 25 - onsets(sound_by_ffmpeg(path))[0] == pytest.approx(first_moves, abs=0.05)


@with_ffmpeg
def test_a_gap_in_the_sound_is_silence(tmp_path):
    path = shown_at(tmp_path / "gap.mkv", [i / 25 for i in range(75)], (0.0, 1.5))
    waveform, _ = heard(path)
    assert onsets(waveform) == pytest.approx([0, 1.5], abs=0.08)
    assert np.diff(onsets(sound_by_ffmpeg(path))) == pytest.approx(np.diff(onsets(waveform)), abs=0.03)


def test_stamps_that_jump_by_hours_are_no_silence(tmp_path, caplog):
    path = shown_at(tmp_path / "jump.mkv", [i / 25 for i in range(25)], (0.0, 7200.0))
    assert load_audio(path)[0].shape[1] < 2 * RATE and "jumps by 7199" in caplog.text


@pytest.mark.parametrize(("picture", "sound"), [(0, 7200.0), (7200, 0.0)])
def test_stamps_of_two_clocks_are_no_offset(tmp_path, caplog, picture, sound):
    path = shown_at(tmp_path / "clocks.mkv", [picture + i / 25 for i in range(25)], (sound,))
    info = probe_video(path)
    assert onsets(heard(path)[0]) == pytest.approx([0], abs=0.1) and "both begin together" in caplog.text
    assert levels(read_video(path, info.fps, zero=info.zero)) == list(range(25))


def test_a_part_of_a_film_keeps_sound_and_pictures_together(tmp_path):
    path = shown_at(tmp_path / "part.mp4", [i / 25 for i in range(50)], (0.8,))
    info = probe_video(path)
    assert levels(read_video(path, info.fps, 0.4, 20, info.zero)) == list(range(10, 30))
    waveform, _ = heard(path, 0.4, 0.8)
    assert waveform.shape[1] == 0.8 * RATE and onsets(waveform) == pytest.approx([0.4], abs=0.03)
    assert heard(path, 0.0, 0.5) is None and heard(path, 1.9) is None


@with_ffmpeg
def test_edit_lists_are_followed(tmp_path):
    whole = shown_at(tmp_path / "whole.mp4", [i / 25 for i in range(75)], (0.0, 1.0, 2.0))
    ffmpeg("-ss", "0.92", "-i", whole, "-t", "1.4", "-c", "copy", tmp_path / "cut.mp4")  # from the keyframe before
    info = probe_video(tmp_path / "cut.mp4")
    read = levels(read_video(tmp_path / "cut.mp4", info.fps, zero=info.zero))
    by_ffmpeg = levels_by_ffmpeg(tmp_path / "cut.mp4", Fraction(25))
    assert read[:30] == by_ffmpeg[:30] and abs(len(read) - len(by_ffmpeg)) <= 1 and 22 <= read[0] <= 24
    assert onsets(heard(tmp_path / "cut.mp4")[0])[-1] == pytest.approx(
        onsets(sound_by_ffmpeg(tmp_path / "cut.mp4"))[-1], abs=0.05
    )


# ---------------------------------------------------------------- shape and colour


def gradient(folder: Path, height: int = 96, width: int = 160) -> Path:
    """One second of a picture without symmetries."""
    y, x = torch.meshgrid(torch.linspace(0, 1, height), torch.linspace(0, 1, width), indexing="ij")
    image = torch.stack([x, y, (1 - x) * (1 - y)], -1)
    image[: height // 4, : width // 4] = 1
    with VideoWriter(folder / "plain.mp4", fps=25, crf=4) as writer:
        writer.write(image.expand(10, -1, -1, -1))
    return folder / "plain.mp4"


def first_by_ffmpeg(path: Path, height: int, width: int, *filters: str) -> np.ndarray:
    scale = ["-vf", ",".join(filters)] if filters else []
    raw = ffmpeg("-i", path, *scale, "-frames:v", 1, "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
    return np.frombuffer(raw, np.uint8).reshape(height, width, 3).astype(int)


def first(path: Path) -> np.ndarray:
    return to_uint8(next(read_video(path))).astype(int)


MATRICES = {  # a, b, c, d of the display matrix
    "90": (0, -1, 1, 0),
    "180": (-1, 0, 0, -1),
    "270": (0, 1, -1, 0),
    "mirrored": (-1, 0, 0, 1),
    "upside down": (1, 0, 0, -1),
    "transposed": (0, 1, 1, 0),
    "transposed and turned": (0, -1, -1, 0),
}


def with_matrix(path: Path, values: tuple[int, ...], one: int = 0x10000) -> Path:
    data = bytearray(path.read_bytes())
    at = data.find(b"tkhd") + 44  # ISO 14496-12, 8.3.2
    a, b, c, d = (int(v * one) for v in values)
    data[at : at + 36] = np.array([a, b, 0, c, d, 0, 0, 0, 0x40000000], ">i4").tobytes()
    path.write_bytes(data)
    return path


@with_ffmpeg
@pytest.mark.parametrize("name", MATRICES)
def test_turned_and_mirrored_films_stand_upright(tmp_path, name):
    path = with_matrix(gradient(tmp_path), MATRICES[name])
    read, info = first(path), probe_video(path)
    assert read.shape[:2] == (info.height, info.width) == ((160, 96) if MATRICES[name][0] == 0 else (96, 160))
    assert np.abs(read - first_by_ffmpeg(path, *read.shape[:2])).max() <= 3


@with_ffmpeg
@pytest.mark.parametrize("name", ["90", "180", "270"])
def test_turned_films_of_png_stand_upright(tmp_path, name):
    ffmpeg("-i", gradient(tmp_path), "-c:v", "png", tmp_path / "png.mov")
    path = with_matrix(tmp_path / "png.mov", MATRICES[name])
    read = first(path)
    assert np.abs(read - first_by_ffmpeg(path, *read.shape[:2])).max() <= 3


def test_a_slanted_film_is_told(tmp_path, caplog):
    path = with_matrix(gradient(tmp_path), (0.94, 0.34, -0.34, 0.94))
    assert first(path).shape == (96, 160, 3) and "turned by no quarter" in caplog.text


@with_ffmpeg
@pytest.mark.parametrize(("aspect", "size"), [("4/3", (96, 213)), ("64/45", (96, 228)), ("8/9", (108, 160))])
def test_pixels_that_are_no_squares_become_squares(tmp_path, aspect, size):
    ffmpeg("-i", gradient(tmp_path), "-vf", f"setsar={aspect}", "-crf", 4, tmp_path / "wide.mp4")
    read, info = first(tmp_path / "wide.mp4"), probe_video(tmp_path / "wide.mp4")
    assert read.shape[:2] == (info.height, info.width) == size
    by_ffmpeg = first_by_ffmpeg(tmp_path / "wide.mp4", *size, f"scale={size[1]}:{size[0]}:flags=bilinear")
    assert np.abs(read - by_ffmpeg).mean() < 3


@with_ffmpeg
def test_pixels_of_an_aspect_that_none_have_are_told(tmp_path, caplog):
    ffmpeg("-i", gradient(tmp_path), "-vf", "setsar=1/9", tmp_path / "odd.mp4")
    assert first(tmp_path / "odd.mp4").shape == (96, 160, 3) and "is read with squares" in caplog.text


@with_ffmpeg
@pytest.mark.parametrize("matrix", ["bt709", "bt470bg", "smpte170m", None])
@pytest.mark.parametrize("span", ["tv", "pc"])
def test_colours_are_those_that_ffmpeg_reads(tmp_path, matrix, span):
    tags = ["-colorspace", matrix, "-color_primaries", matrix, "-color_trc", "smpte170m"] if matrix else []
    scale = f"scale=out_color_matrix={matrix or 'bt601'}:out_range={span},format=yuv420p"
    source = tmp_path / "plain.mkv"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=160x96:d=0.2", "-c:v", "ffv1", "-pix_fmt", "bgr0", source)
    ffmpeg("-i", source, "-vf", scale, *tags, "-color_range", span, "-crf", 4, tmp_path / "tagged.mp4")
    read = first(tmp_path / "tagged.mp4")
    assert np.abs(read - first_by_ffmpeg(tmp_path / "tagged.mp4", 96, 160)).mean() < 1.5
    assert np.abs(read - first_by_ffmpeg(source, 96, 160)).mean() < 6


@with_ffmpeg
def test_high_definition_without_tags_and_hdr_are_told(tmp_path, caplog):
    source = ["-f", "lavfi", "-i", "testsrc2=s=64x720:d=0.2", "-pix_fmt", "yuv420p"]
    ffmpeg(*source, tmp_path / "untold.mp4")
    with caplog.at_level("INFO", logger="mamba_portrait"):
        first(tmp_path / "untold.mp4")
    assert "does not tell its colours; they are read as BT.601" in caplog.text
    tags = ["-colorspace", "bt2020nc", "-color_primaries", "bt2020", "-color_trc", "arib-std-b67"]
    ffmpeg(*source, *tags, tmp_path / "hdr.mp4")
    first(tmp_path / "hdr.mp4")
    assert "hdr.mp4 is HDR (HLG)" in caplog.text
