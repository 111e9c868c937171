"""Rasterization of posed people with OpenGL on EGL, without a window; in software where there is no GPU."""

import os

import cv2
import moderngl
import numpy as np

from ....vocabulary import (
    BACKGROUND,
    CAVITY,
    EAR,
    EYE,
    GLASS,
    HAIR,
    HAND,
    INDEX,
    NECK,
    SKIN,
    TEETH,
    TONGUE,
    TORSO,
)
from ..person.parts import HAT, INSIDE, LENS, LIP, SLEEVE, UPPER_SKIN
from ..person.rig import PosedMesh
from .scene import Scene, uniforms
from .shaders import VERTEX, fragment
from .shadows import arms_shade, lit_fraction
from .textures import noise_bank

LABEL_SIZE = 128
"""Side of the flow and label grids."""
_ARMS = (HAND, SLEEVE)  # drawn first, as they are in front of all else; compiled when first needed
_ORDER = (*_ARMS, SKIN, UPPER_SKIN, EYE, LIP, TEETH, TONGUE, NECK, TORSO, GLASS, EAR, CAVITY, HAT, HAIR, INSIDE, LENS)
CULL = {SKIN: "back", UPPER_SKIN: "back", EAR: "back", INSIDE: "front"}
"""Which side of a part is not drawn."""
_DEPTH_TOLERANCE = 0.04  # how far behind the source's nearest surface a point may lie and still count as visible


def open_context() -> moderngl.Context:
    """A headless EGL context; RuntimeError with the missing packages named when the machine has none."""
    os.environ.setdefault("EGL_PLATFORM", "surfaceless")
    os.environ.setdefault("LP_NUM_THREADS", "0")
    try:
        return moderngl.create_standalone_context(backend="egl")
    except Exception as fault:
        raise RuntimeError(
            f"no headless OpenGL: {fault}. Install Mesa's EGL (Debian: libegl1 libgl1-mesa-dri) or a GPU driver"
        ) from fault


class HeadRasterizer:
    """Draws scenes at size x size, supersampled and reduced by area averaging.

    Labels come from the same pass, sampled at the centres of the cells of a 128 x 128 grid. A pixel has its centre
    there if the supersampled side is an odd multiple of 128: 384 up to size 256. Labels of larger frames are not exact.
    """

    def __init__(self, size: int = 256):
        self.size = size
        self.side = 384 if size <= 256 else int(np.ceil(size * 1.5))
        self.context = open_context()
        self.programs: dict[int, moderngl.Program] = {}
        # Name of a uniform -> that uniform of each program: a look-up in moderngl's programs is slow.
        self.uniforms: dict[str, list[moderngl.Uniform]] = {}
        for shader in _ORDER:
            if shader not in _ARMS:
                self._compile(shader)
        self.colour = self.context.texture((self.side, self.side), 4)
        self.label = self.context.texture((self.side, self.side), 4, dtype="f4")
        self.target = self.context.framebuffer(
            [self.colour, self.label], self.context.depth_renderbuffer((self.side, self.side))
        )
        self.noises = [self._texture(image) for image in noise_bank()]
        self.plain = self._texture(np.full((2, 2, 3), 128, np.uint8))
        self.scene: Scene | None = None
        self._owned: list = []

    def _compile(self, shader: int) -> None:
        program = self.context.program(vertex_shader=VERTEX, fragment_shader=fragment(shader))
        self.programs[shader] = program
        for name in program:
            if isinstance(program[name], moderngl.Uniform):
                self.uniforms.setdefault(name, []).append(program[name])

    def _texture(self, image: np.ndarray) -> moderngl.Texture:
        texture = self.context.texture(image.shape[1::-1], image.shape[2], np.ascontiguousarray(image).tobytes())
        texture.filter = (moderngl.LINEAR, moderngl.LINEAR)
        return texture

    def set_scene(self, scene: Scene) -> None:
        """Upload the vertex data, textures and uniforms that stay the same for all frames of a scene."""
        for resource in self._owned:
            resource.release()
        self.scene, rig = scene, scene.rig
        self.dynamic = self.context.buffer(reserve=len(rig.rest) * 44, dynamic=True)
        static = self.context.buffer(rig.canonical.tobytes())
        self.pattern_image = self._texture(scene.pattern_image) if scene.pattern_image is not None else None
        self._owned = [self.dynamic, static] + ([self.pattern_image] if self.pattern_image else [])
        self.arrays = []
        for shader in _ORDER:
            if shader not in rig.triangles:
                continue
            if shader not in self.programs:
                self._compile(shader)
            program = self.programs[shader]
            index = self.context.buffer(rig.triangles[shader].tobytes())
            content = [
                (
                    self.dynamic,
                    *layout(
                        program, {"position": "3f", "normal": "3f", "occlusion": "1f", "lit": "1f", "source": "3f"}
                    ),
                )
            ]
            if "canonical" in program:
                content.append((static, "4f", "canonical"))
            array = self.context.vertex_array(program, content, index)
            self.arrays.append((shader, array))
            self._owned += [index, array]
        self._set_uniforms(uniforms(scene.identity, scene.light, scene.arms))

    def _set_uniforms(self, values: dict) -> None:
        for name, value in values.items():
            value = value if isinstance(value, int) else tuple(float(v) for v in value)
            for uniform in self.uniforms.get(name, ()):
                uniform.value = value

    def draw(
        self,
        parameters: np.ndarray,
        source: np.ndarray | None = None,
        gesture: np.ndarray | None = None,
        bare: bool = False,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, PosedMesh]:
        """Draw the scene's person with motion (24,).

        source: clip-space vertices of the source frame (None: this frame is the source); gesture (`arms.GESTURE`,): of
        a person with arms; bare: without them, and without their shade.
        Returns colour (size, size, 3) uint8; label buffer (128, 128, 4) float32 = source x, y (clip space, y up),
        source depth, part; this frame's clip-space vertices; the posed rig.
        """
        scene = self.scene
        posed = scene.rig.pose(parameters, gesture)
        clip = scene.project(posed)
        lit = lit_fraction(posed.position, scene.rig.casters, scene.light_frame)
        if scene.arms and not bare:
            lit = np.minimum(lit, arms_shade(posed.position, scene.rig.arm_slice, scene.light_frame))
        vertices = np.concatenate(
            [clip, posed.normal, posed.occlusion[:, None], lit[:, None], clip if source is None else source], 1
        )
        self.dynamic.write(np.ascontiguousarray(vertices, np.float32))
        p = {name: parameters[i] for name, i in INDEX.items()}
        smile, brows = (p["smile_left"] + p["smile_right"]) / 2, (p["brow_left"] + p["brow_right"]) / 2
        squint = max(0.0, smile + 0.5 * p["furrow"])
        self._set_uniforms({"pose_face": (smile, p["furrow"], max(0.0, brows), squint)})
        self._draw_arrays(_ARMS if bare else ())
        colour = self._read(0, np.uint8)
        label = self._read(1, np.float32)
        step = self.side // LABEL_SIZE
        return self._compose(colour), label[step // 2 :: step, step // 2 :: step][:LABEL_SIZE, :LABEL_SIZE], clip, posed

    def _draw_arrays(self, without: tuple[int, ...]) -> None:
        context, target = self.context, self.target
        target.use()
        target.color_mask = ((True,) * 4, (True,) * 4)
        target.depth_mask = True
        target.clear(0, 0, 0, 0)
        context.enable_only(moderngl.DEPTH_TEST)
        self.noises[self.scene.noise].use(0)
        (self.pattern_image or self.plain).use(1)
        for shader, array in self.arrays:
            if shader in without:
                continue
            if shader in CULL:
                context.enable(moderngl.CULL_FACE)
                context.cull_face = CULL[shader]
            else:
                context.disable(moderngl.CULL_FACE)
            if shader == LENS:
                context.enable(moderngl.BLEND)
                context.blend_func = moderngl.ONE, moderngl.ONE_MINUS_SRC_ALPHA
                target.color_mask = ((True,) * 4, (False,) * 4)
                target.depth_mask = False
            array.render()
        context.disable(moderngl.BLEND)

    def _read(self, attachment: int, kind: type) -> np.ndarray:
        data = self.target.read(components=4, attachment=attachment, dtype="f1" if kind is np.uint8 else "f4")
        return np.frombuffer(data, kind).reshape(self.side, self.side, 4)[::-1]

    def _compose(self, colour: np.ndarray) -> np.ndarray:
        small = cv2.resize(np.ascontiguousarray(colour), (self.size, self.size), interpolation=cv2.INTER_AREA)
        clear = 255 - small[..., 3:].astype(np.uint16)
        return small[..., :3] + (clear * self.scene.backdrop // 255).astype(np.uint8)


def layout(program: moderngl.Program, attributes: dict[str, str]) -> tuple:
    """moderngl's format of an interleaved buffer, with padding for attributes that the program does not use."""
    widths = [size if name in program else f"{4 * int(size[0])}x" for name, size in attributes.items()]
    return (" ".join(widths), *(name for name in attributes if name in program))


def backward_flow(label: np.ndarray, source_label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Backward flow from a driving frame to the source, and visibility: whether the source shows the same point.

    label, source_label: buffers (128, 128, 4) of `HeadRasterizer.draw` (driving drawn against the source's vertices).
    Returns grid (128, 128, 2) float32 (x right, y down, [-1, 1], align_corners=False) and visible (128, 128) bool.
    The background does not move. The oral cavity never counts as visible, so that a renderer learns to synthesise it.
    """
    size = label.shape[0]
    centre = (np.arange(size, dtype=np.float32) + 0.5) / size * 2 - 1
    own_x, own_y = np.meshgrid(centre, centre)
    person = label[..., 3] != BACKGROUND
    x, y = np.where(person, label[..., 0], own_x), np.where(person, -label[..., 1], own_y)
    depth = np.where(source_label[..., 3] != BACKGROUND, source_label[..., 2], 99).astype(np.float32)
    surface = cv2.dilate(depth, np.ones((3, 3), np.uint8))
    column = np.clip(((x + 1) / 2 * size).astype(int), 0, size - 1)
    row = np.clip(((y + 1) / 2 * size).astype(int), 0, size - 1)
    inside = (np.abs(x) < 1) & (np.abs(y) < 1) & (label[..., 3] != CAVITY)
    seen = inside & (label[..., 2] <= surface[row, column] + _DEPTH_TOLERANCE)
    # A closed lid is nearer to the eyeball than the tolerance: parts that lids and lips can occlude must have the same
    # label in the source.
    seen &= ~np.isin(label[..., 3], (EYE, TEETH, TONGUE)) | (source_label[row, column, 3] == label[..., 3])
    seen &= (label[..., 3] == HAND) == (
        source_label[row, column, 3] == HAND
    )  # the 3 x 3 maximum of depth misses thin fingers
    visible = np.where(person, seen, source_label[..., 3] == BACKGROUND)
    return np.stack([x, y], -1).astype(np.float32), visible
