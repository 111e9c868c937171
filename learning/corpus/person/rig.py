"""The rig of a person: from motion parameters to the positions and normals of all vertices."""

from dataclasses import dataclass

import numpy as np

from ....vocabulary import GLASS, HAIR, INDEX, SKIN
from .arms import AT_REST, BODY, Arms, ArmShape, move_body
from .geometry import grid_normals, grid_triangles, rotation, smooth_step, unit
from .hair import hair_and_hat
from .head import LOWER, MIDDLE, UPPER, HeadMesh, build_head
from .identity import Identity
from .parts import (
    HAT,
    INSIDE,
    UPPER_SKIN,
    Part,
    ears,
    eyeball,
    glasses,
    mouth_interior,
    neck_and_torso,
    socket,
)

PIVOT = np.array([0, -0.95, -0.15], np.float32)
"""Of the head's rotation: the top of the neck."""
_OF_BLENDSHAPES = slice(0, INDEX["blink_left"])  # the parameters of mouth and brows
_JAW_SHARE = {"jaw": 1.0, "tongue": 0.8, "cavity": 0.6}
_LID_CLEARANCE = 0.014


def _kept(part: Part, offset: int) -> np.ndarray:
    triangles = grid_triangles(*part.grid.shape[:2], offset)
    return triangles if part.keep is None else triangles[part.keep]


@dataclass
class PosedMesh:
    """Camera-space vertices (n, 3), normals (n, 3), ambient occlusion (n,) and landmarks (K, 3), with those of arms for
    half bodies."""

    position: np.ndarray
    normal: np.ndarray
    occlusion: np.ndarray
    landmarks: np.ndarray


class Rig:
    """All vertices of one person, and how the 24 parameters move them.

    canonical (n, 4); triangles: shader id -> (m, 3) int32 indices. arms: their shape, or None for a person without;
    their vertices come last.
    """

    def __init__(self, identity: Identity, arms: ArmShape | None = None):
        shape = identity.shape
        self.identity, self.head = identity, build_head(shape, identity.look)
        head = self.head
        self.parts: list[Part] = [
            eyeball(head, 0),
            eyeball(head, 1),
            socket(head, 0),
            socket(head, 1),
            *mouth_interior(identity, head),
            *ears(identity, head),
        ]
        torso = neck_and_torso(identity.clothes, arms.torso) if arms else neck_and_torso(identity.clothes)
        self.parts += [*hair_and_hat(identity, head.skull), *torso]
        if identity.glasses:
            self.parts += glasses(identity.glasses, head)
        self.skin_count = len(head.rest)
        self.arms = Arms(arms, identity.clothes) if arms else None
        self._stack()
        self._choose_landmark_vertices()

    def _stack(self) -> None:
        rest, normal, occlusion, canonical = (
            [self.head.rest],
            [np.zeros_like(self.head.rest)],
            [self.head.occlusion],
            [self.head.canonical],
        )
        lower, upper = self.head.triangles
        triangles: dict[int, list[np.ndarray]] = {SKIN: [lower], UPPER_SKIN: [upper], INSIDE: [lower, upper]}
        self.slices: dict[str, list[slice]] = {}
        offset = self.skin_count
        for part in self.parts:
            rows, columns = part.grid.shape[:2]
            rest.append(part.grid.reshape(-1, 3))
            normal.append(grid_normals(part.grid).reshape(-1, 3))
            occlusion.append(np.broadcast_to(part.occlusion, (rows, columns)).ravel())
            canonical.append(part.canonical.reshape(-1, 4))
            triangles.setdefault(part.shader, []).append(_kept(part, offset))
            self.slices.setdefault(part.mount, []).append(slice(offset, offset + rows * columns))
            offset += rows * columns
        self.arm_slice = slice(offset, offset + (self.arms.count if self.arms else 0))
        if self.arms:
            blank = np.zeros((self.arms.count, 3))
            rest, normal = [*rest, blank], [*normal, blank]
            occlusion, canonical = [*occlusion, self.arms.occlusion], [*canonical, self.arms.canonical]
            triangles |= {shader: [part + offset] for shader, part in self.arms.triangles.items()}
        self.rest, self.normal = np.concatenate(rest).astype(np.float32), np.concatenate(normal).astype(np.float32)
        self.occlusion, self.canonical = (
            np.concatenate(occlusion).astype(np.float32),
            np.concatenate(canonical).astype(np.float32),
        )
        self.triangles = {shader: np.concatenate(parts).astype(np.int32) for shader, parts in triangles.items()}
        columns = self.head.bands[0][1]
        self._line_rows = np.cumsum([0] + [rows for rows, _ in self.head.bands])
        open_columns = np.flatnonzero(self.head.closed[0] == 0)
        self._mouth_columns = np.arange(open_columns[0] - 1, open_columns[-1] + 2)
        self._columns = columns
        self.casters = self._casters()

    def _casters(self) -> np.ndarray:
        """Vertices that cast shadows: skin, glasses, hats, and hair outside the opening for the face."""
        hair = self.identity.hair
        used = np.concatenate([self.triangles[s] for s in (SKIN, UPPER_SKIN, HAIR, HAT, GLASS) if s in self.triangles])
        solid = np.zeros(len(self.rest), bool)
        solid[used.ravel()] = True
        for part in self.slices.get("hair", []):
            angle, y = np.abs(self.canonical[part, 0]), self.canonical[part, 1]
            solid[part] &= (y > hair.hairline_y) | (angle > hair.opening)
            solid[part] &= (y > 0.1) | (angle > 1.75) | (hair.length_y < -0.25)
        return np.flatnonzero(solid)

    def _choose_landmark_vertices(self) -> None:
        shape, head = self.identity.shape, self.head
        mouth_y, slit_y, tip = shape.mouth_y, shape.slit_y, shape.nose_tip_y
        brow_y, half = shape.eye_y + shape.brow_y, shape.mouth_half
        spots: list[tuple[float, float, int | None]] = []
        for side in (-1, 1):
            x = side * shape.eye_x
            spots += [
                (x + side * shape.eye_half, slit_y, UPPER),
                (x - side * shape.eye_half, slit_y, UPPER),
                (x, slit_y, UPPER),
                (x, slit_y, MIDDLE),
            ]
        for side in (-1, 1):
            spots += [
                (side * (shape.eye_x + 0.17), brow_y - 0.02, UPPER),
                (side * shape.eye_x, brow_y + 0.02, UPPER),
                (side * 0.13, brow_y, UPPER),
            ]
        spots += [
            (0, 0.05, None),
            (0, tip, None),
            (-0.14 * shape.nose_width, tip - 0.05, None),
            (0.14 * shape.nose_width, tip - 0.05, None),
            (0, tip - 0.12, None),
        ]
        spots += [(-half, mouth_y, LOWER), (half, mouth_y, LOWER), (0, mouth_y, MIDDLE), (0, mouth_y, LOWER)]
        spots += [(0, mouth_y + shape.upper_lip, MIDDLE), (0, mouth_y - shape.lower_lip, LOWER)]
        spots += [
            (-half / 2, mouth_y, MIDDLE),
            (half / 2, mouth_y, MIDDLE),
            (-half / 2, mouth_y, LOWER),
            (half / 2, mouth_y, LOWER),
        ]
        spots += [
            (0, -0.93, LOWER),
            (-0.56, -0.55, None),
            (0.56, -0.55, None),
            (-0.48, -0.15, None),
            (0.48, -0.15, None),
            (-0.66, 0.3, UPPER),
            (0.66, 0.3, UPPER),
        ]
        self._landmark_vertices = np.array([head.nearest(*spot) for spot in spots])
        self._scalp_vertices = np.array([head.nearest(0, 0.6, UPPER), head.nearest(0, 0.99, UPPER)])

    def pose(self, parameters: np.ndarray, gesture: np.ndarray | None = None) -> PosedMesh:
        """Vertices for motion parameters (24,), and for a gesture (`arms.GESTURE`,) of arms (None: at rest)."""
        p = {name: float(parameters[i]) for name, i in INDEX.items()}
        position, normal, occlusion = self.rest.copy(), self.normal.copy(), self.occlusion.copy()
        skin = position[: self.skin_count]
        move_skin(self.head, skin, parameters)
        normal[: self.skin_count] = self._skin_normals(skin)
        self._move_mouth(position, normal, p)
        self._turn_eyes(position, normal, occlusion, p)
        pupils = self.head.eyes + self._gaze(p)[:, 2] * self.identity.shape.eye_radius
        turn, shift = (
            rotation(p["yaw"], p["pitch"], p["roll"]),
            np.array([p["shift_x"], p["shift_y"], p["shift_z"]], np.float32),
        )
        marks = np.concatenate([skin[self._landmark_vertices], pupils, skin[self._scalp_vertices]])

        def follow_head(points: np.ndarray) -> np.ndarray:
            return (points - PIVOT) @ turn.T + PIVOT + shift

        shoulders = np.array([p["shoulder_x"], p["shoulder_y"], 0], np.float32)
        # heights between which a part begins to follow the head; no torso is that high
        for mount, start, stop in (("neck", -1.9, -0.85), ("hair", -1.7, -0.75), ("torso", 9.0, 10.0)):
            for part in self.slices.get(mount, []):
                rest = self.rest[part]
                follow = smooth_step(start, stop, rest[:, 1:2]).astype(np.float32)
                body = rest if gesture is None else move_body(rest, gesture[: len(BODY)])
                position[part] = (body + shoulders) * (1 - follow) + follow_head(rest) * follow
                normal[part] = unit(self.normal[part] * (1 - follow) + (self.normal[part] @ turn.T) * follow)
        loose = self.slices["torso"] + self.slices["neck"] + self.slices.get("hair", []) + [self.arm_slice]
        rigid = np.ones(len(position), bool)
        for part in loose:
            rigid[part] = False
        position[rigid], normal[rigid] = follow_head(position[rigid]), normal[rigid] @ turn.T
        if self.arms:
            state = AT_REST if gesture is None else gesture
            position[self.arm_slice], normal[self.arm_slice] = self.arms.pose(shoulders, state)
        marks = follow_head(marks)
        if self.arms and self.arms.shape.hand:  # a half body
            marks = np.concatenate([marks, self.arms.points(shoulders, state)])
        return PosedMesh(position, normal, occlusion, marks)

    def _skin_normals(self, skin: np.ndarray) -> np.ndarray:
        """Normals of each band, averaged across a line where it is closed."""
        normal = np.concatenate(
            [
                grid_normals(skin[a * self._columns : b * self._columns].reshape(b - a, self._columns, 3))
                for a, b in zip(self._line_rows[:-1], self._line_rows[1:], strict=True)
            ]
        )
        for line, row in enumerate(self._line_rows[1:3]):
            together = self.head.closed[line][:, None]
            mean = unit(normal[row - 1] + normal[row])
            normal[row - 1 : row + 1] += (mean - normal[row - 1 : row + 1]) * together
        return normal.reshape(-1, 3)

    def _move_mouth(self, position: np.ndarray, normal: np.ndarray, p: dict[str, float]) -> None:
        """Move lower teeth, tongue and cavity with the jaw; build the inner lips from the edges of the open mouth."""
        for mount, share in _JAW_SHARE.items():
            for part in self.slices[mount]:
                rest, jaw = self.rest[part], p["jaw"] * share
                position[part, 1] -= jaw * np.maximum(rest[:, 2] + 0.05, 0.3) * 0.36
                position[part, 2] += jaw * rest[:, 1] * 0.30
        for part in self.slices["tongue"]:
            tip = np.clip(self.canonical[part, 2] * 0.5 + 0.5, 0, 1) ** 1.5
            position[part, 1] += p["tongue"] * 0.10 * tip
            position[part, 2] += p["tongue"] * 0.13 * tip - 0.04 * (1 - tip)
        row = self._line_rows[1]
        edges = [position[(row + i) * self._columns + self._mouth_columns] for i in (0, -1)]
        gap = np.clip((edges[0][:, 1] - edges[1][:, 1]) / 0.06, 0, 1)
        for side, (mount, rise) in enumerate(
            (("lip0", (0.0, -0.009, -0.012, 0.012)), ("lip1", (0.0, 0.007, 0.009, -0.015)))
        ):
            grid = np.repeat(edges[side][None], 4, 0)
            grid[..., 1] += np.array(rise, np.float32)[:, None] * gap
            grid[..., 2] += np.array((0.0, -0.014, -0.034, -0.06), np.float32)[:, None]
            part = self.slices[mount][0]
            position[part] = grid.reshape(-1, 3)
            normal[part] = grid_normals(grid).reshape(-1, 3) * (-1 if side == 0 else 1)

    def _gaze(self, p: dict[str, float]) -> np.ndarray:
        return rotation(p["gaze_x"], -p["gaze_y"], 0)

    def _turn_eyes(self, position: np.ndarray, normal: np.ndarray, occlusion: np.ndarray, p: dict[str, float]) -> None:
        shape, gaze = self.identity.shape, self._gaze(p)
        for eye, name in enumerate(("blink_left", "blink_right")):
            for part in self.slices[f"eye{eye}"]:
                position[part] = self.rest[part] @ gaze.T + self.head.eyes[eye]
                normal[part] = self.normal[part] @ gaze.T
                lid = shape.slit_y + shape.lid_up * (1 - p[name])
                lit = smooth_step(lid + 0.015, lid - 0.055, position[part, 1])
                side = np.abs(position[part, 0] - self.head.eyes[eye][0]) / shape.eye_half
                occlusion[part] = (0.32 + 0.68 * lit) * (1 - 0.35 * smooth_step(0.55, 1.05, side))


def move_skin(head: HeadMesh, skin: np.ndarray, parameters: np.ndarray) -> None:
    """Add the weighted blendshapes for motion (24,) to a head's vertices at rest (n,3), in place, then lay the lids
    over the eyeballs."""
    weights, gaze_y = np.array(parameters, np.float32), float(parameters[INDEX["gaze_y"]])
    blendshapes = head.blendshapes[_OF_BLENDSHAPES].reshape(_OF_BLENDSHAPES.stop, -1)
    skin += (weights[_OF_BLENDSHAPES] @ blendshapes).reshape(-1, 3)
    radius = head.shape.eye_radius
    for eye, name in enumerate(("blink_left", "blink_right")):
        near, blink = head.lid_vertices[eye], float(parameters[INDEX[name]])
        lid = head.lids[eye][near] * (1 - blink)
        lid[lid[:, 1] > 0] *= max(0.0, 1 + 0.8 * gaze_y)  # the upper lid follows the gaze
        skin[near] += lid
        skin[near, 1] -= head.shut[eye][near] * np.clip(blink, 0, 1)
        offset = skin[near] - head.eyes[eye]
        inside = radius**2 - offset[:, 0] ** 2 - offset[:, 1] ** 2
        surface = head.eyes[eye][2] + np.sqrt(np.maximum(inside, 0)) + _LID_CLEARANCE
        skin[near, 2] = np.where(inside > 0, np.maximum(skin[near, 2], surface), skin[near, 2])
