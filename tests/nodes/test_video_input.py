"""A VIDEO value as a stream: the part that a host keeps of a file is read by time stamps, with its sound."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from mamba_portrait.host import VideoFromFile
from mamba_portrait.nodes.values.video_input import open_video

RATE = 16000


class Trimmed(VideoFromFile):
    """As ComfyUI's VideoFromFile with a start and a length in seconds; a length of 0 goes to the end."""

    def __init__(self, file: Path, start: float, seconds: float):
        super().__init__(str(file))
        self.window = (start, seconds)

    def get_active_trim_window(self) -> tuple[float, float]:
        return self.window

    def get_duration(self) -> float:
        return self.window[1] or super().get_duration() - self.window[0]

    def get_components(self):
        raise AssertionError("the whole part was decoded into memory")


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> Path:
    """25 frames in the first second, then 5 a second; frame i has level 3 i; a click at 1.5 s."""
    path = tmp_path_factory.mktemp("video") / "variable.mp4"
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25, options={"crf": "8", "bf": "0"})
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        video.codec_context.time_base = Fraction(1, 90000)
        sound = container.add_stream("aac", rate=RATE, layout="mono")
        for i, stamp in enumerate([i / 25 for i in range(25)] + [1 + i / 5 for i in range(10)]):
            frame = av.VideoFrame.from_ndarray(np.full((64, 96, 3), 3 * i, np.uint8), format="rgb24")
            frame.pts, frame.time_base = round(stamp * 90000), Fraction(1, 90000)
            container.mux(video.encode(frame))
        samples = np.zeros((1, 46 * 1024), np.float32)
        samples[0, RATE * 3 // 2 :][:800] = np.sin(np.arange(800) * 0.4) * 0.5
        for k in range(0, samples.shape[1], 1024):
            part = av.AudioFrame.from_ndarray(samples[:, k : k + 1024], format="fltp", layout="mono")
            part.sample_rate, part.pts, part.time_base = RATE, k, Fraction(1, RATE)
            container.mux(sound.encode(part))
        for stream in (video, sound):
            container.mux(stream.encode(None))
    return path


def levels(stream) -> list[int]:
    return [round(float(frame.mean()) * 255 / 3) for frame in stream.frames]


def test_a_whole_film_of_variable_rate_comes_at_the_rate_of_its_fast_part(film):
    stream = open_video(VideoFromFile(str(film)))
    read = levels(stream)
    assert stream.fps == 25 and read[:25] == list(range(25)) and read[25:65:5] == list(range(25, 33))


@pytest.mark.parametrize(("start", "seconds"), [(0.4, 0.8), (0.8, 1.0), (1.2, 0.0), (0.0, 0.0)])
def test_a_trimmed_film_is_its_part_of_the_whole(film, start, seconds):
    whole = open_video(VideoFromFile(str(film)))
    first, frames = round(start * 25), levels(whole)
    last = first + round(seconds * 25) if seconds else len(frames)
    stream = open_video(Trimmed(film, start, seconds))
    assert stream.fps == 25 and abs(stream.total - (last - first)) <= 5 and levels(stream) == frames[first:last]
    begin = round(start * RATE)
    end = begin + round(seconds * RATE) if seconds else None
    assert torch.equal(stream.audio["waveform"][0], whole.audio["waveform"][0][:, begin:end])


def test_a_part_behind_the_sound_has_none(film):
    assert open_video(Trimmed(film, 2.96, 0.0)).audio is None


@pytest.mark.parametrize(
    ("window", "start", "seconds", "part"),
    [
        (None, 0.4, 0.8, (0.4, 0.8)),
        (None, 1.2, 0.0, (1.2, 0.0)),
        ((0.4, 1.2), 0.2, 0.0, (0.6, 1.0)),
        ((0.4, 1.2), 0.2, 5.0, (0.6, 1.0)),
        ((0.4, 0.0), 0.2, 0.6, (0.6, 0.6)),
    ],
)
def test_a_start_and_a_length_are_a_part_of_the_part(film, window, start, seconds, part):
    asked = open_video(Trimmed(film, *window) if window else VideoFromFile(str(film)), start, seconds)
    expected = open_video(Trimmed(film, *part))
    assert levels(asked) == levels(expected) and abs(asked.total - expected.total) <= 1
    assert torch.equal(asked.audio["waveform"], expected.audio["waveform"])


class FilmOfTensors:
    """As ComfyUI's, of tensors."""

    def __init__(self, images, audio, frame_rate):
        self.images, self.audio, self.frame_rate = images, audio, frame_rate

    def get_components(self):
        return self


def test_a_part_of_tensors(film):
    images = torch.arange(50)[:, None, None, None].expand(-1, 4, 4, 3) / 255
    audio = {"waveform": torch.arange(2 * RATE).float()[None, None], "sample_rate": RATE}
    stream = open_video(FilmOfTensors(images, audio, Fraction(25)), 0.4, 0.8)
    assert [round(float(frame.mean()) * 255) for frame in stream.frames] == list(range(10, 30)) and stream.total == 20
    assert stream.audio["waveform"][0, 0].tolist() == list(range(6400, 6400 + 12800))
    whole = open_video(FilmOfTensors(images, audio, Fraction(25)))
    assert whole.total == 50 and whole.audio is audio
    with pytest.raises(ValueError, match=r"^The video has no frames after 9.00 s\.$"):
        open_video(FilmOfTensors(images, audio, Fraction(25)), 9.0)


def test_a_start_after_the_end_is_told(film):
    with pytest.raises(ValueError, match=r"^The video lasts 0.80 s and has no frames after 1.00 s\.$"):
        open_video(Trimmed(film, 0.4, 0.8), 1.0)
    with pytest.raises(ValueError, match=r"variable.mp4 has no frames after 9.00 s"):
        list(open_video(VideoFromFile(str(film)), 9.0).frames)
