"""Small whole files of many formats, made anew: what harness.py alters, and what tests of media read."""

import io
import struct
import tempfile
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from PIL import Image, ImageCms

RATE = 16_000
PCM, FLOAT, ADPCM, EXTENSIBLE = 1, 3, 0x11, 0xFFFE  # WAVE format tags
SAME = {"fflags": "+bitexact"}  # no random numbers and dates in the file
QUIET = {"libx265": {"x265-params": "log-level=none"}}
SUBFORMAT = bytes.fromhex("000000001000800000aa00389b71")  # the rest of the GUID of a tag, in WAVE_FORMAT_EXTENSIBLE


def tones(channels: int, samples: int = 1600, rate: int = RATE) -> np.ndarray:
    """(samples, channels) float32: each channel a tone of its own."""
    t = np.arange(samples) / rate
    return np.stack([0.4 * np.sin(2 * np.pi * (150 + 40 * c) * t) for c in range(channels)], 1).astype(np.float32)


def wav(
    channels: int, mask: int | None = None, *, samples: int = 1600, rate: int = RATE, tag: int = PCM, told: int = 0
) -> bytes:
    """A WAV of 16-bit or float tones. mask: the speakers of WAVE_FORMAT_EXTENSIBLE; None: a plain header. told: the
    sample rate that the header tells instead."""
    sound = tones(channels, samples, rate)
    data = sound.tobytes() if tag == FLOAT else np.rint(sound * 32767).astype("<i2").tobytes()
    width = 4 if tag == FLOAT else 2
    shape = (channels, told or rate, (told or rate) * channels * width, channels * width, 8 * width)
    if mask is None:
        form = struct.pack("<HHIIHH", tag, *shape)
    else:
        form = struct.pack("<HHIIHHHHIH", EXTENSIBLE, *shape, 22, 8 * width, mask, tag) + SUBFORMAT
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def sound(suffix: str, codec: str, channels: int = 2, layout: str = "stereo", *, samples: int = 6400) -> bytes:
    """A sound of tones in any container of a known suffix and encoding that PyAV can write here."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"sound.{suffix}"
        with av.open(str(path), "w", options=SAME) as file:
            _write_sound(file, _sound_stream(file, codec, layout), tones(channels, samples, 48_000))
        return path.read_bytes()


def film(suffix: str, codec: str, pixels: str = "yuv420p", voice: str | None = None, *, frames: int = 6) -> bytes:
    """A film of a square that wanders over a gradient, 64x48, with or without sound."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"film.{suffix}"
        with av.open(str(path), "w", options=SAME) as file:
            stream = file.add_stream(codec, rate=25, options=QUIET.get(codec, {}))
            stream.width, stream.height, stream.pix_fmt = 64, 48, pixels
            heard = _sound_stream(file, voice, "mono") if voice else None
            for i in range(frames):
                frame = av.VideoFrame.from_ndarray(drawn(i), format="rgb24").reformat(format=pixels)
                frame.pts, frame.time_base = i, Fraction(1, 25)
                file.mux(stream.encode(frame))
            file.mux(stream.encode(None))
            if heard is not None:
                _write_sound(file, heard, tones(1, 1920 * frames, 48_000))
        return path.read_bytes()


def _sound_stream(file: av.container.OutputContainer, codec: str, layout: str) -> av.audio.stream.AudioStream:
    stream = file.add_stream(codec, rate=48_000)
    stream.codec_context.layout = layout
    stream.codec_context.format = stream.codec_context.codec.audio_formats[0]
    stream.bit_rate = 64_000
    return stream


def _write_sound(file: av.container.OutputContainer, stream: av.audio.stream.AudioStream, samples: np.ndarray) -> None:
    """samples (N,C): one frame, which the resampler cuts into the encoder's own."""
    layout = stream.codec_context.layout.name
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.reshape(1, -1)), format="flt", layout=layout)
    frame.sample_rate, frame.pts, frame.time_base = 48_000, 0, Fraction(1, 48_000)
    size = stream.codec_context.frame_size or 1024
    resampler = av.AudioResampler(stream.codec_context.format, layout, 48_000, frame_size=size)
    for part in (*resampler.resample(frame), *resampler.resample(None)):
        file.mux(stream.encode(part))
    file.mux(stream.encode(None))


def drawn(i: int = 0) -> np.ndarray:
    """(48,64,3) uint8."""
    y, x = np.mgrid[0:48, 0:64]
    image = np.stack([x * 4, y * 5, 255 - x * 2], -1).astype(np.uint8)
    image[10:30, 8 + 3 * i : 28 + 3 * i] = (200, 150, 120)
    return image


def picture(suffix: str, image: np.ndarray | None = None, *options: int) -> bytes:
    """A picture as OpenCV writes it."""
    return cv2.imencode(suffix, drawn() if image is None else image, options)[1].tobytes()


def turned(jpeg: bytes, orientation: int = 6) -> bytes:
    """A JPEG with an Exif block that holds its orientation."""
    tiff = b"II" + struct.pack("<HIHHHIHHI", 42, 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    block = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + jpeg[2:]


def in_own_order(mov: bytes, labels: tuple[int, ...] = (2, 1, 4)) -> bytes:
    """A MOV whose `chan` box names its channels one by one, in an order that is no standard layout."""
    box = struct.pack(">4I", 0, 0, 0, len(labels)) + b"".join(struct.pack(">5I", label, 0, 0, 0, 0) for label in labels)
    at = mov.index(b"chan") - 4
    more = len(box) + 8 - struct.unpack_from(">I", mov, at)[0]
    data = bytearray(mov)
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"sowt", b"wave"):
        place = data.rfind(name, 0, at) - 4
        size = struct.unpack_from(">I", data, place)[0] if place >= 0 else 0
        if place + size > at:  # a box around it
            struct.pack_into(">I", data, place, size + more)
    return bytes(data[:at] + struct.pack(">I4s", len(box) + 8, b"chan") + box + data[at + len(box) + 8 - more :])


SOUNDS = {
    "one.wav": lambda: wav(1),
    "two.wav": lambda: wav(2),
    "nine.wav": lambda: wav(9, samples=400),
    "told.wav": lambda: wav(6, 0x3F, samples=400),
    "float.wav": lambda: wav(2, tag=FLOAT, samples=800),
    "adpcm.wav": lambda: sound("wav", "adpcm_ima_wav"),
    "sound.flac": lambda: sound("flac", "flac"),
    "eight.flac": lambda: sound("flac", "flac", 8, "7.1", samples=1600),
    "sound.mp3": lambda: sound("mp3", "libmp3lame"),
    "sound.m4a": lambda: sound("m4a", "aac"),
    "eight.m4a": lambda: sound("m4a", "aac", 8, "7.1"),
    "sound.aac": lambda: sound("aac", "aac"),
    "alac.m4a": lambda: sound("m4a", "alac"),
    "sound.ogg": lambda: sound("ogg", "libopus"),
    "eight.mka": lambda: sound("mka", "libopus", 8, "7.1"),
    "sound.wv": lambda: sound("wv", "wavpack"),
    "sound.aiff": lambda: sound("aiff", "pcm_s16be", samples=1600),
    "sound.caf": lambda: sound("caf", "pcm_s16le", samples=1600),
    "sound.au": lambda: sound("au", "pcm_mulaw", samples=1600),
    "ac3.mka": lambda: sound("mka", "ac3", 6, "5.1(side)"),
    "own_order.mov": lambda: in_own_order(sound("mov", "pcm_s16le", 3, "3.0", samples=1600)),
}
FILMS = {
    "h264.mp4": lambda: film("mp4", "libx264", voice="aac"),
    "h264.mkv": lambda: film("mkv", "libx264", voice="libopus"),
    "h264.ts": lambda: film("ts", "libx264", voice="aac"),
    "hevc.mp4": lambda: film("mp4", "libx265"),
    "mpeg4.avi": lambda: film("avi", "mpeg4", voice="libmp3lame"),
    "mjpeg.mov": lambda: film("mov", "mjpeg", "yuvj420p", voice="pcm_s16le"),
    "vp9.webm": lambda: film("webm", "libvpx-vp9", voice="libopus"),
    "vp8.webm": lambda: film("webm", "libvpx"),
    "mpeg2.mpg": lambda: film("mpg", "mpeg2video"),
    "prores.mov": lambda: film("mov", "prores_ks", "yuv422p10le", frames=2),
    "ffv1.mkv": lambda: film("mkv", "ffv1", frames=2),
    "film.gif": lambda: film("gif", "gif", "rgb8"),
    "flv.flv": lambda: film("flv", "flv1", voice="libmp3lame"),
    "wmv.wmv": lambda: film("wmv", "wmv2", voice="wmav2"),
}


def display_p3() -> bytes:
    """An ICC profile of Display P3: sRGB's own, with the primaries of SMPTE EG 432-1 adapted to D50, undated."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[24:36] = struct.pack(">6H", 2022, 1, 1, 0, 0, 0)
    primaries = {
        b"rXYZ": (0.5151, 0.2412, -0.0011),
        b"gXYZ": (0.2919, 0.6922, 0.0419),
        b"bXYZ": (0.1571, 0.0666, 0.7841),
    }
    for entry in range(struct.unpack_from(">I", profile, 128)[0]):
        name, place, _ = struct.unpack_from(">4sII", profile, 132 + 12 * entry)
        if name in primaries:
            struct.pack_into(">3i", profile, place + 8, *(round(value * 65536) for value in primaries[name]))
    return bytes(profile)


def with_profile(suffix: str, pixels: np.ndarray | None = None) -> bytes:
    """A picture in Display P3, as Pillow writes it."""
    file = io.BytesIO()
    image = Image.fromarray(drawn() if pixels is None else pixels)
    image.save(file, Image.registered_extensions()[suffix], icc_profile=display_p3(), quality=95, subsampling=0)
    return file.getvalue()


def heic(pixels: np.ndarray | None = None) -> bytes:
    """A HEIC photograph in Display P3. ValueError without pillow-heif or its encoder."""
    try:
        import pillow_heif
    except ImportError as error:
        raise ValueError("pillow-heif is not installed") from error
    picture, file = pillow_heif.from_pillow(Image.fromarray(drawn() if pixels is None else pixels)), io.BytesIO()
    picture.info["icc_profile"] = display_p3()
    try:
        picture.save(file, quality=95)
    except RuntimeError as error:
        raise ValueError(str(error)) from error
    return file.getvalue()


PICTURES = {
    "photo.jpg": lambda: turned(picture(".jpg")),
    "progressive.jpg": lambda: picture(".jpg", None, cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    "photo.png": lambda: picture(".png"),
    "deep.png": lambda: picture(".png", drawn().astype(np.uint16) * 257),
    "clear.png": lambda: picture(".png", np.dstack([drawn(), drawn()[..., 0]])),
    "gray.png": lambda: picture(".png", drawn()[..., 0]),
    "photo.webp": lambda: picture(".webp"),
    "photo.bmp": lambda: picture(".bmp"),
    "photo.tiff": lambda: picture(".tiff"),
    "photo.gif": lambda: picture(".gif"),
    "photo.ppm": lambda: picture(".ppm"),
    "photo.hdr": lambda: picture(".hdr", drawn().astype(np.float32) / 255),
    "photo.jp2": lambda: picture(".jp2"),
    "photo.avif": lambda: picture(".avif"),
    "photo.pam": lambda: picture(".pam"),
    "wide.jpg": lambda: with_profile(".jpg"),
    "wide.png": lambda: with_profile(".png"),
    "wide.webp": lambda: with_profile(".webp"),
    "photo.heic": heic,
}


def made(makers: dict) -> dict[str, bytes]:
    """The files that this machine's libraries can write, by name."""
    files = {}
    for name, make in makers.items():
        try:
            files[name] = make()
        except (av.error.FFmpegError, cv2.error, ValueError) as error:  # an encoder that this build has not
            print(f"{name} cannot be made here: {error}")
    return files
