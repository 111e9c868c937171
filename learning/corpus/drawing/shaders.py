"""The GLSL programs, one for each part: a single large one was three to four times slower in software.

Every fragment shader is PRELUDE + its own `surface()`, which fills albedo, normal, occlusion and gloss, + LIGHTING.
Attachment 0 is the colour premultiplied by coverage, attachment 1 = (source x, y in clip space, source depth, label).
"""

from ....vocabulary import CAVITY, EAR, EYE, GLASS, HAIR, HAND, NECK, SKIN, TEETH, TONGUE, TORSO
from ..person.parts import HAT, INSIDE, LABEL_OF, LENS, LIP, SLEEVE, UPPER_SKIN
from . import shader_parts as surfaces
from . import shader_skin as skin

VERTEX = """#version 330
in vec3 position; in vec3 normal; in float occlusion; in float lit; in vec3 source; in vec4 canonical;
out vec3 v_normal; out vec2 v_occlusion; out vec3 v_source; out vec4 v_canonical;
void main() {
  // position is already divided by depth; multiplying back keeps the interpolation perspective-correct.
  gl_Position = vec4(position.xy * position.z, (position.z - 1.0) / 12.0 * position.z - position.z, position.z);
  v_normal = normal; v_occlusion = vec2(occlusion, lit); v_source = source; v_canonical = canonical;
}
"""

PRELUDE = """#version 330
in vec3 v_normal; in vec2 v_occlusion; in vec3 v_source; in vec4 v_canonical;
layout(location=0) out vec4 out_colour; layout(location=1) out vec4 out_label;
uniform sampler2D noise;    // r coarse, g middle, b fine, a sparse spots
uniform sampler2D pattern;
uniform vec3 key, key_colour, fill, fill_colour, rim, rim_colour, sky, ground;
uniform vec3 skin, lips, brows, iris, sclera, teeth, hair, cloth, cloth2, frame, tint, hat, make_up_colour;
uniform vec4 face;      // mouth y, mouth half width, eye x, lid line y
uniform vec4 face2;     // eye half width, upper lip, lower lip, nose tip y
uniform vec4 brow;      // y, half height, strength, arch
uniform vec4 growth;    // moustache, goatee, beard, stubble
uniform vec4 traits;    // freckles, wrinkles, make-up, shine
uniform vec4 hairline;  // y, opening angle, parting angle, frizz
uniform vec4 hair_kind; // bald?, bottom y, tied?, bangs?
uniform vec4 weave;     // kind, frequency, neckline, collar
uniform vec4 lens;      // tint amount, reflection, -, -
uniform vec4 pose_face; // smile, furrow, brow raise, squint
uniform vec4 misc;      // noise offset x, y, pattern amount, chance
uniform vec2 eye;       // iris angle, pupil angle
vec3 albedo = vec3(0.5), n; float occlusion, gloss = 0.1, hardness = 16.0; vec3 wrap = vec3(0.15);
bool back;
float bell(float x, float w) { return exp(-x * x / (w * w)); }
vec4 grain(vec2 p) { return texture(noise, p) * 2.0 - 1.0; }
void patterned(vec2 p) {
  if (misc.z > 0.0) { vec3 c = texture(pattern, p).rgb; albedo = mix(albedo, c * c * 0.8, misc.z); }
}
"""

LIGHTING = """
void main() {
  back = !gl_FrontFacing; n = normalize(v_normal); occlusion = v_occlusion.x;
  surface();
  vec3 k = max(vec3(0.0), (dot(n, key) + wrap) / (1.0 + wrap)) * v_occlusion.y;
  float f = max(0.0, dot(n, fill) * 0.8 + 0.2);
  vec3 ambient = mix(ground, sky, n.y * 0.5 + 0.5);
  vec3 light = k * key_colour * mix(1.0, occlusion, 0.75) + (f * fill_colour + ambient) * occlusion;
  float grazing = 1.0 - max(0.0, n.z);
  light += grazing * grazing * grazing * max(0.0, dot(n, rim)) * rim_colour;
  vec3 middle = normalize(key + vec3(0.0, 0.0, 1.0));
  float shine = gloss * pow(max(0.0, dot(n, middle)), hardness) * step(0.0, dot(n, key)) * occlusion * v_occlusion.y;
  vec3 c = albedo * light + shine * key_colour * 0.4;
  c = c / (1.0 + max(vec3(0.0), c - 0.55) * 0.55);
  out_colour = vec4(sqrt(clamp(c, 0.0, 1.0)), 1.0);   // gamma 2: a square root is far cheaper than the exact curve
  out_label = vec4(v_source, LABEL);
}
"""

_SURFACES = {
    SKIN: skin.LOWER,
    UPPER_SKIN: skin.UPPER,
    EYE: surfaces.EYE,
    TEETH: surfaces.TEETH,
    TONGUE: surfaces.TONGUE,
    HAIR: surfaces.HAIR,
    HAT: surfaces.HAT,
    NECK: surfaces.NECK,
    TORSO: surfaces.TORSO,
    GLASS: surfaces.GLASS,
    EAR: surfaces.EAR,
    CAVITY: surfaces.CAVITY,
    INSIDE: surfaces.CAVITY,
    LIP: surfaces.LIP,
    HAND: surfaces.HAND,
    SLEEVE: surfaces.SLEEVE,
}


def fragment(shader: int) -> str:
    """The complete fragment shader of one part."""
    if shader == LENS:
        return PRELUDE + surfaces.LENS_MAIN
    return PRELUDE + _SURFACES[shader] + LIGHTING.replace("LABEL", f"{LABEL_OF.get(shader, shader)}.0")
