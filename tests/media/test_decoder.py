"""Decoding of odd files: what PyAV can decode is read, the rest gives one sentence and never a crash."""

import json
import struct
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from mamba_portrait.media import decoder, video
from mamba_portrait.media.audio import load_audio, to_mono_16k, write_wav
from mamba_portrait.media.video import probe_video, read_video

CHANNELS = (1, 2, 3, 6, 8, 9, 16, 32, 64)
SPEAKERS = {1: 0x4, 2: 0x3, 3: 0x7, 6: 0x3F, 8: 0x63F, 9: 0x7FF & ~0x600, 16: 0xFFFF}  # masks of WAVE_FORMAT_EXTENSIBLE
SIDE = 0.5**0.5  # ITU-R BS.775
TO_MONO = {3: [SIDE, SIDE, 1], 6: [SIDE, SIDE, 1, 0, 0.5, 0.5], 8: [SIDE, SIDE, 1, 0, 0.5, 0.5, 0.5, 0.5]}
READ = """
import json, sys
from mamba_portrait.media import decoder
from mamba_portrait.media.audio import load_audio, to_mono_16k, write_wav
for path in sys.argv[1:]:
    if path.endswith("frames.mov"):
        decoder._drop_channel_order = lambda context: None  # so that every frame comes with a list of channels
    waveform, rate = load_audio(path)
    print(json.dumps([path, list(waveform.shape), rate, to_mono_16k(waveform, rate).tolist()]), flush=True)
"""


@pytest.fixture(scope="module")
def heard(samples, tmp_path_factory) -> dict[str, tuple[list[int], int, np.ndarray]]:
    """Shape, rate and 16 kHz mono of sounds of many channels, read by a child process that has to come to its end."""
    folder = tmp_path_factory.mktemp("sounds")
    files = {f"plain_{n}.wav": samples.wav(n) for n in CHANNELS}
    files |= {f"none_{n}.wav": samples.wav(n, 0) for n in CHANNELS}
    files |= {f"named_{n}.wav": samples.wav(n, mask) for n, mask in SPEAKERS.items()}
    files |= {f"two_named_{n}.wav": samples.wav(n, 0x3) for n in CHANNELS}
    files |= {f"float_{n}.wav": samples.wav(n, tag=samples.FLOAT) for n in CHANNELS}
    planar = {name: make for name, make in samples.SOUNDS.items() if name.startswith("eight")}
    own = samples.SOUNDS["own_order.mov"]()
    files |= samples.made(planar) | {"own_order.mov": own, "own_order_of_frames.mov": own}
    for name, data in files.items():
        (folder / name).write_bytes(data)
    command = [sys.executable, "-c", READ, *(str(folder / name) for name in files)]
    child = subprocess.run(command, capture_output=True, text=True)
    told = [json.loads(line) for line in child.stdout.splitlines()]
    read = {Path(path).name: (shape, rate, np.array(mono)) for path, shape, rate, mono in told}
    assert child.returncode == 0 and list(read) == list(files), f"{len(read)} read, then {child.stderr}"
    return read


@pytest.mark.parametrize(
    ("kind", "channels"),
    [(k, n) for k in ("plain", "none", "two_named", "float") for n in CHANNELS] + [("named", n) for n in SPEAKERS],
)
def test_a_wav_may_have_any_number_of_channels_with_or_without_a_layout(samples, heard, kind, channels):
    shape, rate, mono = heard[f"{kind}_{channels}.wav"]
    assert (shape, rate) == ([channels, 1600], 16000)
    gains = np.array(TO_MONO.get(channels, [1 / channels] * channels))
    assert np.abs(mono - samples.tones(channels) @ gains).max() < 1e-4


def test_planar_decoders_may_give_eight_channels(samples, heard):
    made = [name for name in heard if name.startswith("eight")]
    assert {"eight.flac", "eight.m4a"} <= set(made)
    for name in made:
        shape, rate, mono = heard[name]
        assert shape[0] == 8 and rate == 48000 and shape[1] >= 1600
        assert 0.2 < np.abs(mono).max() < 3


@pytest.mark.parametrize("name", ["own_order.mov", "own_order_of_frames.mov"])
def test_channels_in_an_order_of_the_files_own_are_read(samples, heard, name):
    shape, rate, mono = heard[name]
    assert (shape, rate) == ([3, 1600], 48000)
    wanted = to_mono_16k(torch.from_numpy(samples.tones(3, 1600, 48000).T.copy()), 48000)
    assert np.abs(mono - wanted.numpy()).max() < 1e-4


def told(data: bytes, path: Path, read=load_audio) -> str:
    """The error of `read` for a file, which must be one sentence with its name."""
    path.write_bytes(data)
    with pytest.raises(ValueError, match=path.name) as raised:
        result = read(path)
        if not isinstance(result, tuple):
            list(result)
    sentence = str(raised.value)
    assert type(raised.value) is ValueError and sentence.endswith(".") and "\n" not in sentence
    return sentence


def test_what_no_sound_has_is_told(samples, tmp_path):
    path = tmp_path / "voice.wav"
    for rate in (1, 1999, 800_000):
        assert f"{rate} samples a second" in told(samples.wav(1, told=rate), path)
    for channels in (65, 200):
        assert f"has {channels} channels; give 1 to 64" in told(samples.wav(channels, samples=50), path)
    assert "encoding that is not known" in told(samples.wav(2, tag=0x7777), path)
    spoilt = bytearray(samples.wav(2, tag=samples.FLOAT))
    for value in (float("nan"), float("-inf"), 1e30):
        struct.pack_into("<f", spoilt, 200, value)
        assert "NaN or infinite" in told(bytes(spoilt), path)
    assert "without any sound" in told(samples.wav(2, samples=0), path)


def test_a_sound_that_changes_on_the_way_keeps_the_channels_and_rate_it_began_with(samples, tmp_path):
    path = tmp_path / "two_halves.aac"
    stereo, mono = samples.sound("aac", "aac"), samples.sound("aac", "aac", 1, "mono")
    path.write_bytes(stereo)
    alone = load_audio(path)[0]
    path.write_bytes(stereo + mono)
    waveform, rate = load_audio(path)
    assert rate == 48000 and waveform.shape == (2, 2 * alone.shape[1])
    assert torch.equal(waveform[0, -4000:], waveform[1, -4000:]) and waveform[0, -4000:].abs().max() > 0.1


def test_tags_in_an_old_encoding_are_no_fault(samples, tmp_path):
    path = tmp_path / "tagged.wav"
    data, tag = samples.wav(1), "Grüße ".encode("latin-1")
    names = b"LIST" + struct.pack("<I", 12 + len(tag)) + b"INFOINAM" + struct.pack("<I", len(tag)) + tag
    path.write_bytes(data[:4] + struct.pack("<I", len(data) - 8 + len(names)) + data[8:] + names)
    assert load_audio(path)[0].shape == (1, 1600)


def test_a_told_duration_is_no_room(samples, tmp_path, monkeypatch):
    path = tmp_path / "long.mka"
    data = samples.sound("mka", "flac")
    at = data.index(b"\x44\x89\x88") + 3  # Matroska's Duration, a double in milliseconds
    path.write_bytes(data[:at] + struct.pack(">d", 1e12) + data[at + 8 :])
    with av.open(str(path)) as container:
        assert container.duration > 1e9 * av.time_base / 1000
    asked, empty = [], np.empty
    monkeypatch.setattr(np, "empty", lambda shape, *rest: asked.append(np.prod(shape)) or empty(shape, *rest))
    with pytest.raises(ValueError, match="should last 1000000000.00 s, but ends after 0.13 s"):
        load_audio(path)
    assert max(asked) <= 64 * len(data)


# ---------------------------------------------------------------- films


def test_a_film_of_two_sizes_is_told(samples, tmp_path):
    small, large = (
        samples.picture(".jpg"),
        samples.picture(".jpg", np.kron(samples.drawn(), np.ones((2, 2, 1), np.uint8))),
    )
    sentence = told(small * 3 + large * 3, tmp_path / "sizes.mjpeg", read_video)
    assert "from 64x48 to 128x96 pixels at frame 3" in sentence


def test_a_picture_of_gigabytes_is_told_before_it_is_decoded(samples, tmp_path, monkeypatch):
    data = bytearray(samples.film("mov", "rawvideo", "rgb24"))
    struct.pack_into(">HH", data, data.index(b"raw ", data.index(b"stsd")) + 28, 9000, 8000)  # ISO 14496-12, 12.1.3
    monkeypatch.setattr(decoder, "decoded", None)
    for read in (probe_video, read_video):
        sentence = told(bytes(data), tmp_path / "large.mov", read)
        assert "9000x8000; video of more than 67 million pixels is not read" in sentence


def written(path: Path, stamps: list[int], rate: int = 25) -> bytes:
    """A Matroska film with its pictures at these milliseconds."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for stamp in stamps:
            frame = av.VideoFrame(64, 48, "yuvj420p")
            frame.pts, frame.time_base = stamp, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path.read_bytes()


def test_a_jump_in_the_time_stamps_is_told_and_not_filled(tmp_path):
    data = written(tmp_path / "jump.mkv", [0, 40, 80, 7_200_000, 7_200_040])
    assert "one picture for 7200 s" in told(data, tmp_path / "jump.mkv", read_video)
    written(tmp_path / "slides.mkv", [0, 40, 600_000])
    assert len(list(read_video(tmp_path / "slides.mkv", fps=Fraction(1)))) == 600


@pytest.mark.parametrize("rate", [Fraction(0), Fraction(1, 1000), Fraction(90_000)])
def test_a_frame_rate_that_no_video_has_is_told(rate):
    with pytest.raises(ValueError, match=f"x.mp4 says it shows {float(rate):g} frames a second"):
        decoder.check_frame_rate(rate, "x.mp4")


def test_film_without_a_known_encoding_is_told(samples, tmp_path):
    data = samples.film("mov", "mjpeg", "yuvj420p").replace(b"jpeg", b"xxxx")
    assert "encoding that is not known" in told(data, tmp_path / "odd.mov", probe_video)


def test_a_frame_that_is_no_picture_is_told(monkeypatch):
    class Frame:
        format, width, height = None, 64, 48

    monkeypatch.setattr(decoder, "decoded", lambda *_: iter([Frame()]))
    with pytest.raises(ValueError, match="x.mp4 is damaged: frame 0 is no picture"):
        next(decoder.video_frames(None, None, "x.mp4"))
    assert video.video_frames is decoder.video_frames


@pytest.mark.parametrize("kind", ["hls", "hls with a mark", "concat", "dash", "session"])
def test_a_playlist_leads_nowhere(tmp_path, kind):
    inner = write_wav(tmp_path / "secret.wav", torch.rand(1, 16000) - 0.5, 16000)
    hls = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-PLAYLIST-TYPE:VOD\n#EXTINF:1.0,\n{inner}\n#EXT-X-ENDLIST\n"
    text = {
        "hls": hls,
        "hls with a mark": "\ufeff\n" + hls,
        "concat": f"ffconcat version 1.0\nfile '{inner}'\n",
        "dash": '<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"></MPD>\n',
        "session": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=audio 5004 RTP/AVP 0\n",
    }[kind]
    path = tmp_path / "voice.wav"
    path.write_text(text, "utf-8")
    for read in (load_audio, probe_video, lambda file: next(read_video(file))):
        with pytest.raises(ValueError, match="voice.wav is a playlist of other files; give the (audio|video) file"):
            read(path)


READ_AS_FILMS = """
import gc, sys
from mamba_portrait.media.video import probe_video, read_video
gc.freeze()
for _ in range(5):
    for path in sys.argv[1:]:
        probe_video(path), list(read_video(path))
        gc.collect()
"""


def test_a_film_whose_frames_have_side_data_with_a_name_is_freed_once(samples, tmp_path):
    """The colour profile of a PNG. Found by altered file 7.178 (wide.png) of altered/harness.py --kinds picture."""
    (tmp_path / "profile.png").write_bytes(samples.with_profile(".png"))
    command = [sys.executable, "-c", READ_AS_FILMS, str(tmp_path / "profile.png")]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
