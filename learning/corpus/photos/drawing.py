"""Drawing people of photos with OpenGL: the photo where it shows them, the rig's shaders inside of the mouth."""

from __future__ import annotations

import cv2
import moderngl
import numpy as np

from ....vocabulary import CAVITY, EYE, HAIR, NECK, SKIN, TEETH, TONGUE, TORSO
from ..drawing.rasterizer import CULL, LABEL_SIZE, layout, open_context
from ..drawing.scene import uniforms
from ..drawing.shaders import VERTEX, fragment
from ..drawing.textures import noise_bank
from ..person.parts import INSIDE, LIP, UPPER_SKIN
from .person import RELIEF, PhotoPerson

_ORDER = (SKIN, UPPER_SKIN, EYE, LIP, TEETH, TONGUE, CAVITY, INSIDE, RELIEF)
_PHOTO, _SECOND = 0, 1  # texture units
Window = tuple[float, float, float]
"""Left, top and side of the part of the photo that is shown, [0,1]."""

_VERTEX = VERTEX.replace("in vec4 canonical;", "in vec4 canonical; in vec2 place; out vec2 v_place;")
_VERTEX = _VERTEX.replace("v_canonical = canonical;", "v_canonical = canonical; v_place = place;")
_SURFACE = """#version 330
in vec2 v_occlusion; in vec3 v_source; in vec4 v_canonical; in vec2 v_place;
layout(location=0) out vec4 out_colour; layout(location=1) out vec4 out_label;
uniform sampler2D photo, second; uniform vec4 face;
void main() {
  vec4 c = texture(photo, v_place);
  COLOUR
  if (c.a < 0.08) discard;
  out_colour = vec4(c.rgb * c.a, c.a); out_label = vec4(v_source, LABEL);
}
"""
# a closing lid shows the photo without eyes, and lashes at its edge
_SKIN = """c.rgb = mix(c.rgb, texture(second, v_place).rgb, v_occlusion.y);
  float lash = smoothstep(0.024, 0.004, v_canonical.y - face.w) * step(1.5, v_canonical.w);
  c.rgb *= 1.0 - 0.5 * lash * v_occlusion.y;"""
_EYE = "c = vec4(texture(second, v_place).rgb * v_occlusion.x, 1.0);"
_HEIGHTS = f"v_canonical.x > -0.7 ? {HAIR}.0 : v_canonical.x > -1.3 ? {NECK}.0 : {TORSO}.0"
_COLOUR = "out_colour = vec4(sqrt(clamp(c, 0.0, 1.0)), 1.0);"
# upper teeth that the photo shows, with the rig's gums; darker at the sides, which lips hide in the photo
_TEETH = """vec3 shown = sqrt(clamp(c, 0.0, 1.0));
  vec3 real = texture(second, v_place).rgb * mix(0.75, 1.0, smoothstep(0.0, 0.012, v_canonical.y));
  real *= 1.0 - 0.5 * smoothstep(0.17, 0.27, abs(v_canonical.x));
  if (toothed > 0.5 && v_canonical.z < 0.5) shown = mix(real, shown * 0.8, smoothstep(0.075, 0.10, v_canonical.y));
  out_colour = vec4(shown, 1.0);"""


def _fragment(shader: int) -> str:
    if shader == TEETH:
        text = fragment(shader).replace(_COLOUR, _TEETH)
        further = "in vec2 v_place; uniform sampler2D second; uniform float toothed;\nvoid main()"
        return text.replace("void main()", further)
    if shader in (LIP, TONGUE, CAVITY, INSIDE):
        return fragment(shader)
    colour = {EYE: _EYE, RELIEF: ""}.get(shader, _SKIN)
    label = {EYE: f"{EYE}.0", RELIEF: _HEIGHTS}.get(shader, f"{SKIN}.0")
    return _SURFACE.replace("COLOUR", colour).replace("LABEL", label)


class PhotoRasterizer:
    """Draws people of photos at size x size pixels, supersampled; labels as `HeadRasterizer`'s."""

    def __init__(self, size: int = 128):
        self.size, self.side = size, 384 if size <= 256 else int(np.ceil(size * 1.5))
        self.context = open_context()
        self.programs = {shader: self._program(_fragment(shader)) for shader in _ORDER}
        sides = self.side, self.side
        self.colour, self.label = self.context.texture(sides, 4), self.context.texture(sides, 4, dtype="f4")
        self.target = self.context.framebuffer([self.colour, self.label], self.context.depth_renderbuffer(sides))
        self.noise = self._texture(noise_bank()[0])
        self.person: PhotoPerson | None = None
        self._owned: list = []

    def _program(self, text: str) -> moderngl.Program:
        vertex = _VERTEX if "v_place" in text else VERTEX
        return self.context.program(vertex_shader=vertex, fragment_shader=text)

    def _texture(self, image: np.ndarray) -> moderngl.Texture:
        data = np.ascontiguousarray(image).tobytes()
        texture = self.context.texture(image.shape[1::-1], image.shape[2], data, alignment=1)
        texture.filter = (moderngl.LINEAR, moderngl.LINEAR)
        return texture

    def set_person(self, person: PhotoPerson) -> None:
        """Upload what stays the same for all frames of a person."""
        for resource in self._owned:
            resource.release()
        self.person, layers = person, person.layers
        pictures = {SKIN: layers.person, EYE: layers.eyes, INSIDE: layers.lids, TEETH: layers.teeth}
        self.textures = {name: self._texture(image) for name, image in pictures.items() if image is not None}
        for texture in self.textures.values():
            texture.repeat_x = texture.repeat_y = False
        self.dynamic = self.context.buffer(reserve=len(person.canonical) * 52, dynamic=True)
        static = self.context.buffer(person.canonical.astype(np.float32).tobytes())
        self._owned = [self.dynamic, static, *self.textures.values()]
        values = uniforms(person.identity, person.light)
        values |= {"photo": _PHOTO, "second": _SECOND, "toothed": float(layers.teeth is not None)}
        self.arrays = []
        attributes = {"position": "3f", "normal": "3f", "occlusion": "1f", "lit": "1f", "source": "3f", "place": "2f"}
        for shader, program in self.programs.items():
            index = self.context.buffer(np.ascontiguousarray(person.triangles[shader], np.int32).tobytes())
            content = [(self.dynamic, *layout(program, attributes))]
            if "canonical" in program:
                content.append((static, "4f", "canonical"))
            array = self.context.vertex_array(program, content, index)
            self.arrays.append((shader, array))
            self._owned += [index, array]
            for name in values.keys() & set(program):
                value = values[name]
                program[name].value = value if isinstance(value, int | float) else tuple(float(v) for v in value)

    def draw(
        self, parameters: np.ndarray, source: np.ndarray | None = None, window: Window = (0.0, 0.0, 1.0)
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Draw the person with motion (24,) in a window of the photo.

        source: clip-space vertices of the source frame (None: this one). Returns colour (size,size,3) uint8, the label
        buffer (128,128,4) as `HeadRasterizer.draw`, this frame's clip-space vertices, landmarks (40,2) in [0,1]."""
        person = self.person
        position, normal, occlusion, marks = person.pose(parameters)
        clip, marks = (_windowed(person.project(points), window) for points in (position, marks))
        places, second = person.shown(parameters)
        skin, rig = person.rig.skin_count, len(person.rig.rest)
        second[skin:rig] = 1  # light reaches the inside of the mouth
        vertices = np.concatenate(
            [clip, normal, occlusion[:, None], second[:, None], clip if source is None else source, places], 1
        )
        self.dynamic.write(np.ascontiguousarray(vertices, np.float32))
        self._draw_arrays()
        colour, label = self._read(0, np.uint8), self._read(1, np.float32)
        step = self.side // LABEL_SIZE
        label = label[step // 2 :: step, step // 2 :: step][:LABEL_SIZE, :LABEL_SIZE]
        return self._compose(colour, window), label, clip, (marks[:, :2] * [0.5, -0.5] + 0.5).astype(np.float32)

    def _draw_arrays(self) -> None:
        self.target.use()
        self.target.depth_mask = True
        self.target.clear(0, 0, 0, 0)
        self.context.enable_only(moderngl.DEPTH_TEST)
        lids = self.textures[INSIDE]
        for shader, array in self.arrays:
            if shader in CULL:
                self.context.enable(moderngl.CULL_FACE)
                self.context.cull_face = CULL[shader]
            else:
                self.context.disable(moderngl.CULL_FACE)
            (self.textures[SKIN] if shader in (SKIN, UPPER_SKIN, EYE, RELIEF) else self.noise).use(_PHOTO)
            (self.textures.get(shader, lids) if shader in (EYE, TEETH) else lids).use(_SECOND)
            array.render()

    def _read(self, attachment: int, kind: type) -> np.ndarray:
        data = self.target.read(components=4, attachment=attachment, dtype="f1" if kind is np.uint8 else "f4")
        return np.frombuffer(data, kind).reshape(self.side, self.side, 4)[::-1]

    def _compose(self, colour: np.ndarray, window: Window) -> np.ndarray:
        """Reduce the picture and lay it over the background; of a black and white photo it is so as well."""
        small = cv2.resize(np.ascontiguousarray(colour), (self.size, self.size), interpolation=cv2.INTER_AREA)
        left, top, side = window
        plate = self.person.layers.plate
        at = (np.arange(self.size) + 0.5) / self.size * side
        x, y = np.meshgrid((at + left) * len(plate) - 0.5, (at + top) * len(plate) - 0.5)
        x, y = x.astype(np.float32), y.astype(np.float32)
        behind = cv2.remap(plate, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        clear = 255 - small[..., 3:].astype(np.uint16)
        picture = small[..., :3] + (clear * behind // 255).astype(np.uint8)
        if self.person.grey:
            picture = np.repeat(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None], 3, -1)
        return picture


def _windowed(clip: np.ndarray, window: Window) -> np.ndarray:
    """Clip space with depth (n,3) of the whole photo -> of a window of it."""
    left, top, side = window
    middle = np.array([2 * left + side - 1, 1 - 2 * top - side], np.float32)
    return np.concatenate([(clip[:, :2] - middle) / side, clip[:, 2:]], 1).astype(np.float32)
