"""One process that reads files as the pack does: a line `KIND PATH` on stdin, a line of JSON on stdout, until the end.

What a reader may do with any file at all: give what it promises, or raise a ValueError or FileNotFoundError of one
line. Everything else is a fault and goes into the answer. harness.py sees death and silence.
"""

import contextlib
import json
import os
import sys
import tempfile
import traceback
from pathlib import Path

import torch

from mamba_portrait.host import VideoFromFile
from mamba_portrait.media.audio import load_audio, to_mono_16k
from mamba_portrait.media.photo import load_photo
from mamba_portrait.media.video import probe_video, read_video
from mamba_portrait.nodes.values.video_input import open_video

MOST_FRAMES = 100_000  # of a film; one that claims more is cut off here


def sound(path: Path) -> None:
    """As `animate` and Load Audio."""
    waveform, rate = load_audio(path)
    assert waveform.ndim == 2 and waveform.dtype == torch.float32 and waveform.numel(), waveform.shape
    assert isinstance(rate, int)
    assert torch.isfinite(to_mono_16k(waveform, rate)).all()


def film(path: Path) -> None:
    """As `reenact`."""
    info = probe_video(path)
    assert info.duration >= 0 and info.fps > 0
    for image in read_video(path, max_frames=MOST_FRAMES):
        assert image.shape == (info.height, info.width, 3) and image.dtype == torch.float32, image.shape


def stream(path: Path) -> None:
    """As nodes that take a VIDEO."""
    for number, frame in enumerate(open_video(VideoFromFile(path)).frames):
        assert frame.ndim == 3
        if number == MOST_FRAMES:
            break


def components(path: Path) -> None:
    """As the headless twin of Get Video Components."""
    parts = VideoFromFile(path).get_components()
    assert parts.images.ndim == 4 and parts.frame_rate > 0


def photo(path: Path) -> None:
    """As Load Image and every command that takes a photo."""
    picture = load_photo(path)
    assert picture.ndim == 3 and picture.shape[2] == 3 and picture.dtype == torch.float32, picture.shape
    assert picture.numel() and 0 <= picture.min() <= picture.max() <= 1


READERS = {"sound": (sound,), "film": (film, stream, components, sound), "picture": (photo, film)}


def outcome(read, path: Path) -> tuple[bool, str]:
    """(True, the sentence or nothing) of a reader that does right, (False, what it does) of one that does not."""
    try:
        read(path)
    except (ValueError, FileNotFoundError) as error:
        told = str(error)
        if type(error) in (ValueError, FileNotFoundError) and told.endswith(".") and "\n" not in told:
            return True, told
        return False, "".join(traceback.format_exception(error))
    except BaseException as error:
        return False, "".join(traceback.format_exception(error))
    return True, ""


def most_memory() -> int:
    """The most memory that this process has held, in MB; 0 where the system does not say."""
    with contextlib.suppress(ImportError):
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> (20 if sys.platform == "darwin" else 10)
    return 0


def main() -> None:
    """Answer until stdin ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # native libraries may print
    torch.set_num_threads(1)
    print(json.dumps({"memory": most_memory()}), file=answers, flush=True)
    for line in sys.stdin:
        kind, path = line.rstrip("\n").split(" ", 1)
        outcomes = {read.__name__: outcome(read, Path(path)) for read in READERS[kind]}
        print(json.dumps({"outcomes": outcomes, "memory": most_memory()}), file=answers, flush=True)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        main()
