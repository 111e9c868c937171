"""One process that reads files as the pack does: a line `KIND PATH` on stdin, a line of JSON on stdout, until the end.

What a reader may do with any file at all: give what it promises, or raise a ValueError or FileNotFoundError of one
clear line. Everything else is a fault and goes into the answer. harness.py sees death and silence.
"""

import contextlib
import json
import os
import re
import sys
import tempfile
import traceback
from pathlib import Path

import checkpoints
import torch

from mamba_portrait.host import VideoFromFile
from mamba_portrait.learning.training.export import read_run
from mamba_portrait.media.audio import load_audio, to_mono_16k
from mamba_portrait.media.finders.own import load_face_finder
from mamba_portrait.media.motion import load_motion
from mamba_portrait.media.photo import load_photo
from mamba_portrait.media.video import probe_video, read_video
from mamba_portrait.model_loaders.checkpoint import load_joint_control, load_motion_model, load_renderer
from mamba_portrait.networks.joint_control import Source
from mamba_portrait.nodes.values.video_input import open_video
from mamba_portrait.pipelines import portrait, rendering, speaking
from mamba_portrait.pipelines.settings import RenderingSettings, SamplingSettings

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


def renderer(path: Path) -> None:
    """As Load Renderer and the nodes that it is wired to."""
    network = load_renderer(path)
    picture = torch.rand(48, 48, 3, generator=torch.Generator().manual_seed(0))
    source = portrait.encode_source(network, picture)
    looks = portrait.extract_appearance(network, source)
    motion = portrait.encode_driving_video(network, picture[None], 25)
    for frames in rendering.render(network, source, looks, motion, RenderingSettings(size=64)):
        assert torch.isfinite(frames).all()


def motion_model(path: Path) -> None:
    """As Load Motion Model and the nodes that it is wired to."""
    network = load_motion_model(path)
    voice = speaking.prepare_voice(torch.rand(1, 3200, generator=torch.Generator().manual_seed(0)) - 0.5, 16_000)
    heard = speaking.extract_global_audio(network, voice), speaking.extract_local_audio(network, voice)
    speaking.generate_motion(network, *heard, None, SamplingSettings(steps=1))


def face_finder(path: Path) -> None:
    """As the finder `own`."""
    found = load_face_finder(path).eval()(torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)))
    assert all(torch.isfinite(level).all() for level in found)


def joint_control(path: Path) -> None:
    """As Joint Motion in the mode parallel control."""
    sources = [Source(torch.zeros(1, 2, 768), torch.ones(1), torch.ones(64, dtype=torch.bool)) for _ in range(2)]
    assert load_joint_control(path)(*sources).shape == (1, 768)


def actalker(path: Path) -> None:
    """As Load ACTalker with a converted file."""
    from mamba_portrait.model_loaders.actalker.load import load_actalker

    load_actalker(path, dtype=torch.float32)


def motion(path: Path) -> None:
    """As Load Motion."""
    assert load_motion(path).duration > 0


def part(path: Path) -> None:
    """As Load ACTalker with published files, up to this one."""
    from mamba_portrait.model_loaders.actalker.files import check_part, read_part
    from mamba_portrait.model_loaders.actalker.load import _assign, _empty
    from mamba_portrait.networks.actalker.config import ACTalkerConfig

    name = path.stem
    model = _empty(ACTalkerConfig.reduced(), (name,))
    state = read_part(name, path)
    check_part(name, path, state, getattr(model, name))
    _assign(model, name, state, torch.float32)


def run(path: Path) -> None:
    """As `export`."""
    read_run(path)


READERS = {
    "sound": (sound,),
    "film": (film, stream, components, sound),
    "picture": (photo, film),
    "renderer": (renderer,),
    "motion_model": (motion_model,),
    "face_finder": (face_finder,),
    "joint_control": (joint_control,),
    "actalker": (actalker,),
    "index": (renderer,),
    "motion": (motion,),
    "part": (part,),
    "run": (run,),
}
RIGHT = ("read", "clear")
NETWORKS = tuple(checkpoints.KINDS)  # their sentences must name the file
OF_LIBRARIES = re.compile(
    r"\b(line \d+ column|Expecting|Error\(s\) in|size mismatch|Invalid literal|unexpected keyword|__init__|torch\.|"
    r"aten::|NoneType|has no attribute|object is not|not supported between|Traceback|Unsupported |weights_only|codec|"
    r"KeyError|TypeError|invalid literal|could not convert|cannot convert|Exceeds the limit)|<class|<function"
)


def outcome(read, path: Path, kind: str = "") -> tuple[str, str]:
    """("read", nothing) or ("clear", the sentence) of a reader that does right; ("raw", ...) of one whose sentence is a
    library's or no sentence, ("traceback", ...) of one that ends otherwise."""
    try:
        read(path)
    except (ValueError, FileNotFoundError) as error:
        told = str(error)
        sentence = type(error) in (ValueError, FileNotFoundError) and told.endswith(".") and "\n" not in told
        names_it = kind not in NETWORKS or path.name.split(".")[0] in told
        if sentence and names_it and len(told) < 700 and not OF_LIBRARIES.search(told):
            return "clear", told
        return "raw", "".join(traceback.format_exception(error))
    except BaseException as error:
        return "traceback", "".join(traceback.format_exception(error))
    return "read", ""


def outcomes_of(kind: str, path: Path) -> dict[str, tuple[str, str]]:
    """What each reader of a kind makes of a file, and whether code ran that was planted in it."""
    found = {read.__name__: outcome(read, path, kind) for read in READERS[kind]}
    if Path(checkpoints.MARK).exists():
        Path(checkpoints.MARK).unlink()
        found["planted"] = ("executed", "code in the file ran")
    return found


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
        print(
            json.dumps({"outcomes": outcomes_of(kind, Path(path)), "memory": most_memory()}), file=answers, flush=True
        )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        main()
