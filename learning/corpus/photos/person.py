"""A person from a photo: the fitted rig displaced until the mesh's points lie exactly, a relief of all that is around
the face, and where each vertex is in the photo.

The face is the rig's own skin, with slits for mouth and eyes. Hair, ears, neck, clothes are a relief: a grid over the
photo whose depth continues the head's, which follows the head by its height, and the skin where they meet. Inside of
the mouth are the rig's parts.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.interpolate import RBFInterpolator

from ....vocabulary import CAVITY, EYE, INDEX, SKIN, TEETH, TONGUE
from ..drawing.scene import Light
from ..person.geometry import rotation, smooth_step
from ..person.head import MIDDLE, UPPER
from ..person.identity import Identity
from ..person.parts import INSIDE, LIP, UPPER_SKIN
from ..person.rig import PIVOT, Rig
from .fitting import Fitted
from .layers import inside, layers_of
from .mesh_places import EYES, MeshPlaces
from .relief import Relief

RELIEF = 18
"""Shader id beside those of `person.parts`."""
_USED = (SKIN, UPPER_SKIN, EYE, LIP, TEETH, TONGUE, CAVITY, INSIDE)
_BLINKS = "blink_left", "blink_right"
_MEETING = 0.07  # reach in which both sides of a line of lips or lids move alike
_CLOSING = 2.5  # a lid shows the photo without eyes from 1 / this of a blink on
_GREY = 6  # mean range of a pixel's colours under which a photo is black and white
_WIDER = 1.6  # cavity than the rig's
_UPPER_TEETH = 2  # of the rig's parts that are mounted on the head


class PhotoPerson:
    """Built from a fit, the photo (S,S,3) uint8, its matte (S,S) in [0,1] and the mesh (478,2) in [0,1] of its face.

    The first vertices are the rig's, the last the relief's. canonical (n,4), of the relief the height in the head's
    own axes; triangles: shader id -> (m,3); places (n,2): in the photo, [0,1].
    """

    def __init__(self, places: MeshPlaces, fitted: Fitted, photo: np.ndarray, matte: np.ndarray, mesh: np.ndarray):
        self.parameters, self.camera, self.layers = fitted.parameters, fitted.camera, layers_of(photo, matte, mesh)
        self.identity = _coloured(fitted.identity, photo, mesh)
        self.light = _light(photo, mesh)
        self.grey = float(np.ptp(photo.astype(int), -1).mean()) < _GREY
        self.turn = _turn(self.parameters)
        self.rig = Rig(self.identity)
        if self.layers.teeth_end is not None:
            self._reach_of_teeth(len(photo))
        self.rig.rest[self.rig.slices["cavity"][0], 0] *= _WIDER  # the back of the head, which is not drawn, closes it
        apart = self._displace(places, mesh)
        posed = self.rig.pose(self.parameters)
        self.occlusion = posed.occlusion  # of the photo
        skin = self.rig.skin_count
        self._resting = self._in_head(posed.position[:skin], self.parameters)
        self.face = self._face()
        shown = posed.position.copy()
        shown[:skin] += apart @ self.turn.T
        self.relief = Relief(self, posed.position[:skin], mesh)
        self._stack(shown, len(photo))

    def _stack(self, shown: np.ndarray, size: int) -> None:
        rig, relief = self.rig, self.relief
        head, columns = rig.head, rig.head.bands[0][1]
        c, shape = head.canonical, rig.identity.shape
        mouth = self.face & (np.abs(c[:, 1] - shape.mouth_y) < 0.3)  # the cheeks' inner sides
        drawn = {SKIN: self.face, UPPER_SKIN: self.face, INSIDE: mouth}
        self.triangles = {shader: rig.triangles[shader] for shader in _USED}
        for shader, kept in drawn.items():
            self.triangles[shader] = self.triangles[shader][kept[self.triangles[shader]].all(1)]
        self.triangles[RELIEF] = relief.triangles + len(rig.rest)
        height = np.zeros((len(relief.rest), 4), np.float32)
        height[:, 0] = relief.height
        self.canonical = np.concatenate([rig.canonical, height])
        self.places = np.concatenate([self._in_photo(shown), relief.places])
        row, line = columns * head.bands[0][0], np.arange(columns)
        self.places[row + line, 1] -= 0.5 / size  # lips end where the photo's do
        self.places[row - columns + line, 1] += 0.5 / size
        closed = self.parameters.copy()
        closed[[INDEX[name] for name in _BLINKS]] = 1
        self._closed_places = self._in_photo(rig.pose(closed).position[: rig.skin_count])
        self._lids = [_lid(c, side * shape.eye_x, shape.eye_half, shape.slit_y) for side in (-1, 1)]

    def pose(self, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Positions (n,3), normals (n,3), occlusion (n,), of the eyes as a part of the photo's, and landmarks (40,3)
        for motion (24,)."""
        posed = self.rig.pose(parameters)
        p = {name: float(parameters[i]) for name, i in INDEX.items()}
        shift = np.array([p["shift_x"], p["shift_y"], p["shift_z"]], np.float32)
        shoulders = np.array([p["shoulder_x"], p["shoulder_y"], 0], np.float32)
        moved = self._in_head(posed.position[: self.rig.skin_count], parameters) - self._resting
        relief = self.relief.pose(moved, _turn(parameters), shift, shoulders)
        occlusion = posed.occlusion.copy()
        for part in (part for eye in ("eye0", "eye1") for part in self.rig.slices[eye]):
            occlusion[part] = np.clip(occlusion[part] / np.maximum(self.occlusion[part], 0.3), 0.5, 1.1)
        return (
            np.concatenate([posed.position, relief]).astype(np.float32),
            np.concatenate([posed.normal, np.tile(np.float32([0, 0, 1]), (len(relief), 1))]),
            np.concatenate([occlusion, np.ones(len(relief), np.float32)]),
            posed.landmarks,
        )

    def shown(self, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where in the photo each vertex is for motion (24,): places (n,2), and how far (n,) it is taken from the photo
        without eyes: a lid that closes shows skin that the photo does not."""
        skin = self.rig.skin_count
        places, mixed = self.places.copy(), np.zeros(len(self.places), np.float32)
        for lid, name in zip(self._lids, _BLINKS, strict=True):
            closes = float(parameters[INDEX[name]] - self.parameters[INDEX[name]])
            mixed[:skin] = np.maximum(mixed[:skin], lid * np.clip(_CLOSING * closes, 0, 1))
        places[:skin] += mixed[:skin, None] * (self._closed_places - places[:skin])
        return places, mixed

    def project(self, points: np.ndarray) -> np.ndarray:
        """Camera space (n,3) -> clip space of the whole photo, with depth (n,3)."""
        return self.camera.project(points)

    def _in_photo(self, points: np.ndarray) -> np.ndarray:
        return (self.project(points)[:, :2] * [0.5, -0.5] + 0.5).astype(np.float32)

    @staticmethod
    def _in_head(points: np.ndarray, parameters: np.ndarray) -> np.ndarray:
        """Camera space -> the head's own axes."""
        shift = parameters[[INDEX["shift_x"], INDEX["shift_y"], INDEX["shift_z"]]]
        return (points - shift - PIVOT) @ _turn(parameters) + PIVOT

    def _face(self) -> np.ndarray:
        """(V,) bool: the skin that is drawn by the rig, down to below the chin and up to the hair."""
        c = self.rig.head.canonical
        return (np.abs(c[:, 2]) < 1.22) & (c[:, 1] < 0.80) & (c[:, 1] > -0.985)

    def _reach_of_teeth(self, size: int) -> None:
        """Let the rig's upper teeth end where the photo's do."""
        part = self.rig.slices["head"][_UPPER_TEETH]
        edge = self.rig.pose(self.parameters).position[part].reshape(6, -1, 3)[0]
        clip = self.project(edge[len(edge) // 2][None])[0]
        off = clip[1] - (1 - self.layers.teeth_end[1] / size * 2)
        drop = self.identity.shape.teeth_drop + off * clip[2] * self.camera.half / self.camera.distance
        shape = replace(self.identity.shape, teeth_drop=float(np.clip(drop, 0, 0.11)))
        self.identity = replace(self.identity, shape=shape)
        self.rig = Rig(self.identity)

    def _displace(self, places: MeshPlaces, mesh: np.ndarray) -> np.ndarray:
        """Displace the skin until the mesh's points lie exactly, but for lips and lids, which must still meet when
        closed; returns what they lack (V,3) in the head's axes, by which their places in the photo are found."""
        rig, head = self.rig, self.rig.head
        vertices, points = places.vertices(head)
        c, count = head.canonical, rig.skin_count
        at = np.stack([c[:, 0], c[:, 1], 0.06 * c[:, 3]], 1)  # bands apart, so that lips and lids may move unlike
        back = smooth_step(1.9, 1.4, np.abs(c[:, 2]))
        near, fixed = np.flatnonzero(back > 0), np.flatnonzero((np.abs(c[:, 2]) > 1.75) | (c[:, 1] > 0.95))[::7]
        lack = np.zeros((count, 3), np.float32)
        for _ in range(2):
            clip = self.project(rig.pose(self.parameters).position[:count])[vertices]
            error = mesh[points] * [2, -2] + [-1, 1] - clip[:, :2]
            off = np.zeros((len(error), 3))
            off[:, :2] = error * (clip[:, 2:] * self.camera.half / self.camera.distance)
            kept = np.flatnonzero(np.linalg.norm(error, axis=1) < 0.12)
            kept = kept[np.unique(vertices[kept], return_index=True)[1]]
            known = np.concatenate([vertices[kept], fixed])
            values = np.concatenate([off[kept] @ self.turn, np.zeros((len(fixed), 3))])
            smooth = RBFInterpolator(at[known], values, neighbors=24, smoothing=1e-2, kernel="linear")
            whole = np.zeros((count, 3), np.float32)
            whole[near] = smooth(at[near]) * back[near, None]
            move = self._meeting(whole)
            lack = whole - move
            self._move(move)
        return lack

    def _move(self, move: np.ndarray) -> None:
        """Displace the skin by (V,3), and eyes and the inside of the mouth with what is around them."""
        rig, head, shape = self.rig, self.rig.head, self.rig.identity.shape
        c = head.canonical
        head.rest += move
        rig.rest[: rig.skin_count] += move
        for eye in range(2):
            lid = head.lid_vertices[eye][np.abs(c[head.lid_vertices[eye], 1] - shape.slit_y) < 0.06]
            head.eyes[eye, :2] += move[lid, :2].mean(0)
        lips = (np.abs(c[:, 0]) < shape.mouth_half) & (np.abs(c[:, 1] - shape.mouth_y) < 0.05) & (np.abs(c[:, 2]) < 1)
        inner = [part for mount in ("jaw", "tongue", "cavity") for part in rig.slices[mount]]
        for part in (*inner, rig.slices["head"][_UPPER_TEETH]):
            rig.rest[part, :2] += move[lips, :2].mean(0)

    def _meeting(self, move: np.ndarray) -> np.ndarray:
        """Displacements (V,3) in which both sides of a line move alike: those of lips by their mean, lids by the lower
        one's, which hardly moves with a blink."""
        head = self.rig.head
        columns = head.bands[0][1]
        grid, y = move.reshape(-1, columns, 3).copy(), head.canonical[:, 1].reshape(-1, columns)
        rows = np.cumsum([rows for rows, _ in head.bands])
        for row, line, lower in (
            (rows[MIDDLE - 1], self.identity.shape.mouth_y, 0.5),
            (rows[UPPER - 1], self.identity.shape.slit_y, 1.0),
        ):
            below, above = grid[row - 1].copy(), grid[row].copy()
            common = below * lower + above * (1 - lower)
            for side, own in ((range(row, row + 14), above), (range(row - 14, row), below)):
                for k in side:
                    grid[k] -= (own - common) * np.exp(-(((y[k] - line) / _MEETING) ** 2))[:, None]
        return grid.reshape(-1, 3)


def _turn(parameters: np.ndarray) -> np.ndarray:
    return rotation(*(float(parameters[INDEX[name]]) for name in ("yaw", "pitch", "roll")))


def _lid(canonical: np.ndarray, x: float, half: float, line: float) -> np.ndarray:
    """(V,) how far each vertex belongs to the upper lid of an eye."""
    over, across = canonical[:, 1] - line, np.abs(canonical[:, 0] - x) / half
    upper = (canonical[:, 3] == UPPER) & (np.abs(canonical[:, 2]) < 1.2)
    return (upper * smooth_step(0.13, 0.06, over) * smooth_step(1.35, 1.0, across)).astype(np.float32)


def _coloured(identity: Identity, photo: np.ndarray, mesh: np.ndarray) -> Identity:
    """The identity with colours for what the rig draws: lips' inner sides, teeth that the photo does not show."""
    lips, white = _colour(photo, mesh, (0, 17, 37, 267, 84, 314)), _white(photo, mesh)
    tooth = 0.72 * np.clip(white / max(white.mean(), 0.1), 0.85, 1.15) * [1, 0.97, 0.9]
    look = replace(identity.look, lips=tuple(lips**2), teeth=tuple(tooth.clip(0, 1)))
    return replace(identity, look=look)


def _light(photo: np.ndarray, mesh: np.ndarray) -> Light:
    """Soft light from the front, as strong as the whites of the eyes or the skin let it seem."""
    skin = _colour(photo, mesh, (50, 280, 101, 330, 151)).mean()
    strength = float(np.clip(max(_white(photo, mesh).mean() / 0.8, skin / 0.68), 0.65, 1.05)) ** 2 * np.ones(3)
    key, fill, above = np.array([0.1, 0.35, 0.93]), np.array([-0.3, 0.0, 0.95]), np.array([0.0, 1.0, 0.0])
    return Light(key, 0.55 * strength, fill, 0.2 * strength, above, 0 * strength, 0.45 * strength, 0.3 * strength)


def _colour(photo: np.ndarray, mesh: np.ndarray, points: tuple[int, ...]) -> np.ndarray:
    """Median colour (3,) in [0,1] at points of the mesh."""
    x, y = np.clip((mesh[list(points)] * len(photo)).astype(int), 0, len(photo) - 1).T
    return np.median(photo[y, x], 0) / 255


def _white(photo: np.ndarray, mesh: np.ndarray) -> np.ndarray:
    """Colour (3,) in [0,1] of the brightest part of an eye."""
    seen = photo[inside(mesh[list(EYES[0])], len(photo)) > 0.8]
    return np.quantile(seen if len(seen) else photo.reshape(-1, 3), 0.85, axis=0) / 255
