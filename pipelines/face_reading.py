"""The parameters of a film's face, frame by frame, and what was left out of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..media.crop import cut, resize
from ..media.faces import NoFaceError
from ..networks.renderer.model import NO_NAMES, Renderer
from ..vocabulary import INDEX
from .devices import Progress, autocast
from .regions import motion_to_parameters
from .threads import in_order, worker_count
from .tracking import FaceTrack

READ_SIZE = 256  # pixels, of the crops that are read; the encoder takes half of it
TURNED = 0.6  # radians of yaw, the corpus's most, beyond which a face is left alone


@dataclass
class DubReport:
    """What was dubbed and what was left as filmed, and why."""

    track: FaceTrack
    reasons: dict[int, str] = field(default_factory=dict)  # frame -> why it was left alone

    def __str__(self) -> str:
        track, left = self.track, len(self.reasons)
        shots = "1 shot" if len(track.shots) == 1 else f"{len(track.shots)} shots"
        if not left:
            return f"{shots}, {track.frames} frames, all dubbed."
        return f"{shots}, {track.frames - left} of {track.frames} frames dubbed; left as filmed: {self._left()}."

    def _left(self, shown: int = 12) -> str:
        runs: list[list] = []
        for frame, reason in sorted(self.reasons.items()):
            if runs and runs[-1][1] == frame and runs[-1][2] == reason:
                runs[-1][1] += 1
            else:
                runs.append([frame, frame + 1, reason])
        fps = float(self.track.fps)
        named = [f"{a / fps:.2f} to {b / fps:.2f} s ({reason})" for a, b, reason in runs[:shown]]
        return ", ".join(named + ([f"and {len(runs) - shown} more places"] if len(runs) > shown else []))


@dataclass(frozen=True, eq=False)
class ReadFace:
    """parameters (T,24) of a film's face, NaN where it is not seen or turned away; report: why it was not."""

    parameters: Tensor
    report: DubReport


@torch.inference_mode()
def read_face(
    renderer: Renderer,
    frames: Iterable[Tensor],
    track: FaceTrack,
    *,
    bf16: bool = False,
    progress: Progress | None = None,
) -> ReadFace:
    """The first pass: the parameters of the tracked face in every frame (H,W,3). ValueError without a read-out, and for
    another film than the one that was tracked; NoFaceError where no frame has a face that looks at the camera."""
    if not renderer.config.readout:
        raise ValueError(NO_NAMES)
    device = next(renderer.parameters()).device
    report = DubReport(track)

    def read(item: tuple[int, Tensor]) -> tuple[int, Tensor]:
        number, crop = item
        with torch.inference_mode(), autocast(device, bf16):
            motion = renderer.encode_motion(crop.permute(2, 0, 1)[None].to(device, torch.float32))
        return number, motion_to_parameters(renderer, motion.float())[0]

    def crops() -> Iterator[tuple[int, Tensor]]:
        for number, frame in enumerate(same_film(frames, track)):
            if track.seen(number):
                yield number, resize(cut(frame, track.crop(number), 2 * READ_SIZE), READ_SIZE, READ_SIZE)
            else:
                report.reasons[number] = "no face"
            if progress is not None:
                progress(number + 1, track.frames)

    parameters = torch.full((track.frames, len(INDEX)), torch.nan)
    for number, values in in_order(read, crops(), worker_count(device, 4)):
        if abs(float(values[INDEX["yaw"]])) > TURNED:
            report.reasons[number] = "turned away"
        else:
            parameters[number] = values
    if not torch.isfinite(parameters[:, 0]).any():
        raise NoFaceError(
            "No face that looks at the camera was found in any frame of the film: choose another face or finder, or a "
            "part in which the face is larger and seen from the front."
        )
    return ReadFace(parameters, report)


def same_film(frames: Iterable[Tensor], track: FaceTrack) -> Iterator[Tensor]:
    """The frames, of which there are as many, and of that size, as were tracked."""
    count = 0
    for frame in frames:
        if tuple(frame.shape[:2]) != (track.height, track.width) or count == track.frames:
            break
        count += 1
        yield frame
    else:
        if count == track.frames:
            return
    raise ValueError(
        f"The face was tracked in {track.frames} frames of {track.width}x{track.height}, but this is another film: "
        "give the one that was tracked."
    )
