"""Groups of still frames with exact labels, in shards of plain memory-mappable arrays: the data of stage 1.

A group is 2 identities x 4 frames with the same expressions; frame 0 is the source. For shard SSSSSS of G groups the
folder `stills` holds (n = 128, s = size):

    SSSSSS_rgb.npy    (G, 2, 4, s, s, 3) uint8
    SSSSSS_flow.npy   (G, 2, 3, n, n, 2) int16    backward flow of frames 1..3: source grid coordinate x 8192
    SSSSSS_label.npy  (G, 2, 3, n, n)    uint8    bit 0 visible in the source, the rest the part number
    SSSSSS_part0.npy  (G, 2, n, n)       uint8    part number of the source
    SSSSSS_param.npy  (G, 2, 4, 24)      float32  motion parameters, of half bodies 34: those of the arms come last
    SSSSSS_mark.npy   (G, 2, 4, K, 2)    float32  landmarks (`LANDMARKS`) in [0, 1], x right, y down; of
                                                  half bodies those of the arms (`ARM_LANDMARKS`) come last
    SSSSSS_bare.npy   (G, 2, 4, s, s, 3) uint8    of half bodies: the same without arms, whom flow, label and part0 show
    SSSSSS_bone.npy   (G, 2, 4, n, n)    uint8    of half bodies: which bone `rgb` shows, 1 + its place in `ARM_BONES`
    SSSSSS_person.npy (G, 2)             int64    where people have several scenes: who it is, by number

With several scenes, so many consecutive groups show the same two people, in other light, clothes and views.
A shard is a pure function of (seed, shard number, size, scenes, framing); it counts as drawn once `rgb`, written last,
is there.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ...files import whole_file
from ...vocabulary import ARM_LANDMARKS, COUNT, LANDMARKS
from .acting.expressions import random_group, twin_pose
from .acting.half_body import random_arms_group
from .drawing.rasterizer import LABEL_SIZE, HeadRasterizer, backward_flow
from .drawing.scene import random_scene
from .person.half_body import PARAMETERS, gesture_of
from .person.identity import random_identity, same_person

FLOW_SCALE = 8192
"""Stored flow = grid coordinate x this, clipped to int16."""
FIELDS = ("flow", "label", "part0", "param", "mark", "rgb")
"""Arrays of a shard in writing order."""
HALF_FIELDS = ("bare", "bone", *FIELDS)
"""Those of half bodies."""


HALF_BODIES = 89  # tells the seeds of half bodies from those of heads
PEOPLE = 61  # tells the seeds of people with several scenes from others


def fields_of(scenes: int, framing: str = "head") -> tuple[str, ...]:
    """Arrays of a shard whose people have so many scenes, in writing order."""
    fields = HALF_FIELDS if framing == "half" else FIELDS
    return fields if scenes == 1 else ("person", *fields)


def draw_shard(
    rasterizer: HeadRasterizer,
    seed: int,
    shard: int,
    groups: int,
    scenes: int = 1,
    first: int = 0,
    framing: str = "head",
) -> dict[str, np.ndarray]:
    """All arrays of one shard, keyed as in `fields_of`; first: its first group's number, by which people go on;
    framing: of `vocabulary.FRAMINGS`."""
    half = framing == "half"
    rng = np.random.default_rng([seed, shard, HALF_BODIES] if half else [seed, shard])
    n, size = LABEL_SIZE, rasterizer.size
    arrays = {
        "rgb": np.empty((groups, 2, 4, size, size, 3), np.uint8), "flow": np.empty((groups, 2, 3, n, n, 2), np.int16),
        "label": np.empty((groups, 2, 3, n, n), np.uint8), "part0": np.empty((groups, 2, n, n), np.uint8),
        "param": np.empty((groups, 2, 4, PARAMETERS if half else COUNT), np.float32),
        "mark": np.empty((groups, 2, 4, len(LANDMARKS) + half * len(ARM_LANDMARKS), 2), np.float32),
    }  # fmt: skip
    if half:
        arrays["bare"], arrays["bone"] = np.empty_like(arrays["rgb"]), np.empty((groups, 2, 4, n, n), np.uint8)
    if scenes > 1:
        numbers = np.arange(first, first + groups) // scenes
        arrays = {"person": np.stack([2 * numbers, 2 * numbers + 1], 1)} | arrays
    for group in range(groups):
        states, number = random_group(rng), first + group
        arms = random_arms_group(rng) if half else None
        for twin in range(2):
            seeds = seed, PEOPLE, 2 * (number // scenes) + twin
            person = random_identity(rng) if scenes == 1 else same_person(seeds, number % scenes)
            rasterizer.set_scene(random_scene(rng, person, size, framing))
            motion = states if twin == 0 else twin_pose(rng, states)
            if half:
                motion = np.concatenate([motion, arms], 1)
            arrays["param"][group, twin] = motion
            drawn = {name: array[group, twin] for name, array in arrays.items() if name != "person"}
            draw = _draw_half_body if half else _draw_identity
            draw(rasterizer, motion, drawn)
    return arrays


def _draw_identity(
    rasterizer: HeadRasterizer,
    states: np.ndarray,
    into: dict[str, np.ndarray],
    gestures: Sequence[np.ndarray | None] = (None,) * 4,
) -> None:
    """Draw the four frames and labels of the rasterizer's scene into views of the shard's arrays; with gestures it is
    the body of a half body without its arms."""
    source_label = source = None
    for frame, (state, gesture) in enumerate(zip(states, gestures, strict=True)):
        into["rgb"][frame], label, clip, posed = rasterizer.draw(state, source, gesture, bare=gesture is not None)
        into["mark"][frame] = rasterizer.scene.landmarks(posed)
        if frame == 0:
            source_label, source = label, clip
            into["part0"][...] = parts_of(label)
            continue
        write_change(into, frame, label, source_label)


def write_change(into: dict[str, np.ndarray], frame: int, label: np.ndarray, source_label: np.ndarray) -> None:
    """The flow and the label of a frame after the first into views of a group's arrays, from both label buffers."""
    flow, visible = backward_flow(label, source_label)
    into["flow"][frame - 1] = np.clip(np.rint(flow * FLOW_SCALE), -32767, 32767)
    into["label"][frame - 1] = visible | (parts_of(label) << 1)


def parts_of(label: np.ndarray) -> np.ndarray:
    """(H,W) uint8: which part each pixel of a label buffer shows."""
    return np.rint(label[..., 3]).astype(np.uint8)


def _draw_half_body(rasterizer: HeadRasterizer, motion: np.ndarray, into: dict[str, np.ndarray]) -> None:
    """The same of a half body for motion (4,34), and each frame with its arms."""
    scene, states = rasterizer.scene, motion[:, :COUNT]
    gestures = [gesture_of(arms, scene.arms) for arms in motion[:, COUNT:]]
    _draw_identity(rasterizer, states, into | {"rgb": into["bare"]}, gestures)
    tags = np.zeros((len(scene.rig.rest), 3), np.float32)
    tags[scene.rig.arm_slice, 0] = scene.rig.arms.bone
    for frame, (state, gesture) in enumerate(zip(states, gestures, strict=True)):
        into["rgb"][frame], label, *_ = rasterizer.draw(state, tags, gesture)
        bone = np.rint(label[..., 0])
        into["bone"][frame] = np.where(bone == 0, 0, 2 * np.abs(bone) - (bone > 0))


def draw_stills(
    out: str | Path,
    groups: int,
    seed: int,
    size: int = 256,
    first: int = 0,
    shard: int = 32,
    progress: Callable[[int, int], None] | None = None,
    scenes: int = 1,
    framing: str = "head",
) -> list[Path]:
    """Draw groups `first` .. `first + groups` into `out`/stills, skipping shards already there.

    `first` must be a multiple of `shard`; processes with disjoint ranges may share a folder. `progress(done, total)`
    is called in groups. scenes: groups in a row that show the same two people, each in a scene of its own;
    framing: of `vocabulary.FRAMINGS`. Returns the rgb files of the range. ValueError for a range or size that cannot be
    drawn.
    """
    if groups < 1 or first < 0 or first % shard:
        raise ValueError(f"groups must be positive and first a multiple of {shard}; got groups={groups}, first={first}")
    if scenes < 1:
        raise ValueError(f"a person has one scene at least, not {scenes}")
    if not 64 <= size <= 256:
        raise ValueError(f"stills are drawn at 64 to 256 pixels (labels are 128 x 128); got size={size}")
    folder = Path(out) / "stills"
    folder.mkdir(parents=True, exist_ok=True)
    rasterizer, done = None, []
    for start in range(first, first + groups, shard):
        number, count = start // shard, min(shard, first + groups - start)
        paths = {name: folder / f"{number:06d}_{name}.npy" for name in fields_of(scenes, framing)}
        if not all(path.exists() for path in paths.values()):
            rasterizer = rasterizer or HeadRasterizer(size)
            arrays = draw_shard(rasterizer, seed, number, count, scenes, start, framing)
            write_shard(paths, arrays)
        done.append(paths["rgb"])
        if progress:
            progress(start + count - first, groups)
    return done


def write_shard(paths: dict[str, Path], arrays: dict[str, np.ndarray]) -> None:
    """Each array to its file, which appears when it is complete."""
    for name, path in paths.items():
        with whole_file(path) as partial, open(partial, "wb") as file:
            np.save(file, arrays[name])
