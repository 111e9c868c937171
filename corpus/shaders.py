"""The GLSL of the drawn parts. One program a part: a single large program was three to four times slower in software.

Every fragment shader is PRELUDE + its own `surface()`, which fills albedo, normal, occlusion and gloss, + LIGHTING.
Attachment 0 is the colour premultiplied by coverage, attachment 1 = (source x, y in clip space, source depth, label).
"""

from .parts import CAVITY, EAR, EYE, GLASS, HAIR, LENS, LIP, NECK, SKIN, TEETH, TONGUE, TORSO

VERTEX = """#version 330
in vec3 position; in vec3 normal; in float occlusion; in vec3 source; in vec4 canonical;
out vec3 v_normal; out float v_occlusion; out vec3 v_source; out vec4 v_canonical;
void main() {
  // position is already divided by depth; multiplying back keeps the interpolation perspective-correct.
  gl_Position = vec4(position.xy * position.z, (position.z - 1.0) / 12.0 * position.z - position.z, position.z);
  v_normal = normal; v_occlusion = occlusion; v_source = source; v_canonical = canonical;
}
"""

PRELUDE = """#version 330
in vec3 v_normal; in float v_occlusion; in vec3 v_source; in vec4 v_canonical;
layout(location=0) out vec4 out_colour; layout(location=1) out vec4 out_label;
uniform sampler2D noise;    // r coarse, g middle, b fine, a sparse spots
uniform sampler2D pattern;
uniform vec3 key, key_colour, fill, fill_colour, rim, rim_colour, sky, ground;
uniform vec3 skin, lips, brows, iris, sclera, teeth, hair, cloth, cloth2, frame, tint, hat, make_up_colour;
uniform vec4 face;      // mouth y, mouth half width, eye x, lid line y
uniform vec4 face2;     // eye half width, upper lip, lower lip, nose tip y
uniform vec4 brow;      // y, half height, strength, -
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
  if (misc.z > 0.0) albedo = mix(albedo, pow(texture(pattern, p).rgb, vec3(2.2)) * 0.8, misc.z);
}
"""

LIGHTING = """
void main() {
  back = !gl_FrontFacing; n = normalize(v_normal); occlusion = v_occlusion;
  surface();
  vec3 k = max(vec3(0.0), (dot(n, key) + wrap) / (1.0 + wrap));
  float f = max(0.0, dot(n, fill) * 0.8 + 0.2);
  vec3 ambient = mix(ground, sky, n.y * 0.5 + 0.5);
  vec3 light = k * key_colour * mix(1.0, occlusion, 0.75) + (f * fill_colour + ambient) * occlusion;
  float grazing = 1.0 - max(0.0, n.z);
  light += grazing * grazing * grazing * max(0.0, dot(n, rim)) * rim_colour;
  vec3 middle = normalize(key + vec3(0.0, 0.0, 1.0));
  float shine = gloss * pow(max(0.0, dot(n, middle)), hardness) * step(0.0, dot(n, key)) * occlusion;
  vec3 c = albedo * light + shine * key_colour * 0.4;
  c = c / (1.0 + max(vec3(0.0), c - 0.55) * 0.55);
  out_colour = vec4(pow(clamp(c, 0.0, 1.0), vec3(1.0 / 2.2)), 1.0);
  out_label = vec4(v_source, LABEL);
}
"""

_SKIN = """
void surface() {
  vec2 q = v_canonical.xy; float ax = abs(q.x), band = v_canonical.w, angle = abs(v_canonical.z);
  float front = smoothstep(1.75, 1.2, angle);
  float my = face.x, mw = face.y, ex = face.z, ly = face.w, ew = face2.x, tip = face2.w;
  vec4 g = grain(vec2(v_canonical.z * 0.75, q.y) * 0.42 + misc.xy);
  albedo = skin * (1.0 + 0.09 * vec3(g.r, g.g * 0.7 + g.r * 0.3, g.g) + 0.035 * g.b);
  // blood near the surface: cheeks, nose, chin, ears; make-up adds to the cheeks
  float cheek = bell(length((vec2(ax, q.y) - vec2(0.40, -0.20)) / vec2(1.0, 0.8)), 0.22);
  float red = cheek + 0.8 * bell(length(q - vec2(0.0, tip)), 0.13) + 0.4 * bell(length(q - vec2(0.0, -0.85)), 0.14);
  albedo *= mix(vec3(1.0), vec3(1.03, 0.84, 0.82), clamp(red, 0.0, 1.0) * (0.7 + 0.3 * g.r) * front);
  albedo = mix(albedo, vec3(0.55, 0.12, 0.13) * (skin.r + 0.2), traits.z * 0.35 * cheek * front);
  albedo *= 1.0 - (0.45 * traits.x + 0.04) * smoothstep(0.25, 0.8, g.a) * front;
  // wrinkles: forehead (with raised brows), folds beside the mouth (with a smile), under the eyes, between the brows
  float fold = ax - (0.155 + 0.17 * smoothstep(tip, my - 0.04, q.y) + 0.03 * pose_face.x);
  float crease = (0.25 + traits.y + 1.1 * max(0.0, pose_face.x)) * bell(fold, 0.022) * smoothstep(my - 0.12, my + 0.02, q.y) * smoothstep(tip + 0.02, tip - 0.1, q.y);
  float lines = pow(0.5 + 0.5 * sin(q.y * 58.0 + 3.0 * g.r), 8.0) * smoothstep(0.27, 0.36, q.y) * smoothstep(0.62, 0.5, q.y) * smoothstep(0.5, 0.15, ax);
  crease += (0.5 * traits.y + 0.9 * max(0.0, pose_face.z)) * lines;
  crease += (0.3 + 0.6 * traits.y + 0.5 * pose_face.w) * bell(q.y - (ly - 0.085 + 0.5 * (ax - ex) * (ax - ex)), 0.013) * bell(ax - ex, 0.12);
  crease += (0.2 * traits.y + pose_face.y) * bell(ax - 0.045, 0.012) * bell(q.y - brow.x - 0.01, 0.06);
  albedo *= 1.0 - 0.26 * vec3(0.8, 1.0, 1.05) * clamp(crease, 0.0, 1.6) * front;
  // eyes: shade around them, crease and make-up of the lid, lashes on the upper line, a pale rim below
  albedo *= 1.0 - vec3(0.10, 0.14, 0.14) * bell(length(vec2((ax - ex) / 1.35, q.y - ly - 0.01)), 0.12) * front;
  float across = smoothstep(ew * 1.18, ew * 0.9, abs(ax - ex)), above = band > 1.5 ? q.y - ly : 9.0;
  albedo = mix(albedo, make_up_colour, traits.z * 0.5 * smoothstep(0.13, 0.03, above) * across * front);
  albedo *= 1.0 - 0.32 * bell(above - 0.075, 0.012) * across * front;
  float lash = band > 1.5 ? smoothstep(0.014 + 0.012 * traits.z, 0.006, above) : 0.45 * smoothstep(0.007, 0.003, ly - q.y) * step(0.5, band);
  albedo = mix(albedo, brows * 0.3, lash * smoothstep(ew * 1.12, ew * 0.97, abs(ax - ex)) * front * (0.6 + 0.4 * traits.z));
  // brows, strand by strand
  float t = (ax - ex + 0.03) / 0.2, past = max(t, 0.0);
  float by = brow.x + 0.018 * (1.0 - t * t) - 0.03 * past * past, bh = brow.y * (1.0 - 0.6 * past) * smoothstep(-1.02, -0.7, t) * smoothstep(1.2, 0.6, t);
  float strand = texture(noise, vec2(q.x * 2.6 + q.y * 1.3 * sign(q.x), q.y * 0.8 - ax * 0.9)).b;
  float tuft = smoothstep(bh, bh * 0.3, abs(q.y - by) + 0.016 * (strand - 0.5)) * step(0.002, bh);
  albedo = mix(albedo, brows, clamp(tuft * brow.z * (0.55 + 0.75 * strand), 0.0, 1.0) * front);
  // nose: nostrils and wings
  float hole = length((vec2(ax, q.y) - vec2(0.060, tip - 0.108)) / vec2(1.35, 0.75));
  albedo *= 1.0 - vec3(0.72, 0.82, 0.84) * smoothstep(0.040, 0.016, hole) * front;
  albedo *= 1.0 - 0.22 * bell(ax - 0.168, 0.02) * bell(q.y - tip + 0.055, 0.05);
  // lips
  float over = q.y - my, lx = clamp(1.0 - q.x * q.x / (mw * mw * 1.02), 0.0, 1.0);
  float up = face2.y * pow(lx, 0.62) * (1.0 - 0.2 * bell(q.x, 0.035) + 0.06 * bell(ax - 0.07, 0.04)), down = face2.z * pow(lx, 0.55);
  float lip = (band > 0.5 ? smoothstep(up, up * 0.75 - 0.004, over) : smoothstep(down, down * 0.72 - 0.004, -over)) * front * step(0.001, lx);
  // beard: moustache, chin, jaw; strands by noise stretched downwards
  float hairs = texture(noise, vec2(v_canonical.z * 2.3, q.y * 0.7) + misc.yx).b, edge = 0.05 * g.g;
  float upper = smoothstep(0.045, 0.07, over + edge * 0.3) * smoothstep(0.21, 0.16, over + edge) * smoothstep(mw + 0.07, mw - 0.03, ax + 0.6 * max(0.0, 0.12 - over));
  float chin = smoothstep(my - 0.10, my - 0.17, q.y + edge) * smoothstep(0.26, 0.17, ax + edge) + smoothstep(0.05, 0.0, abs(ax - mw - 0.03)) * smoothstep(my + 0.14, my + 0.05, q.y);
  float line = -0.28 - 0.75 * max(0.0, 0.62 - ax) + 0.35 * smoothstep(0.55, 0.68, ax);
  float jaw = smoothstep(line + 0.04, line - 0.05, q.y + edge) * smoothstep(1.62, 1.4, angle) * smoothstep(0.2, 0.3, ax + (q.y < my - 0.14 ? 1.0 : 0.0));
  float dense = max(max(growth.x * upper, growth.y * clamp(chin, 0.0, 1.0)), growth.z * jaw);
  albedo = mix(albedo, hair * (0.55 + 0.9 * hairs), clamp(dense * (0.45 + 1.1 * hairs), 0.0, 0.97) * (1.0 - lip) * smoothstep(0.0, 0.25, dense));
  albedo = mix(albedo, mix(hair, skin * vec3(0.45, 0.47, 0.52), 0.6), growth.w * max(upper, max(clamp(chin, 0.0, 1.0), jaw)) * (0.5 + 0.5 * hairs) * (1.0 - lip));
  albedo = mix(albedo, lips * (1.0 + 0.16 * grain(vec2(q.x * 1.9, q.y * 0.35) + misc.xy).b + 0.06 * g.g), lip * 0.92);
  float corner = smoothstep(0.0, 0.12, lx);
  albedo *= 1.0 - vec3(0.35, 0.5, 0.5) * bell(over, 0.009) * corner * front;
  albedo *= 1.0 - 0.28 * bell(length(vec2(ax - mw, over * 1.4)), 0.022) * front;
  // scalp under the hair
  if (hair_kind.x < 0.5) {
    float h = hairline.x + 0.06 * cos(q.x * 4.0) + 0.035 * g.g - 0.5 * smoothstep(0.46, 0.7, ax) + 0.02 * (hairs - 0.5);
    float scalp = max(smoothstep(-0.03, 0.03, q.y - h), smoothstep(1.62, 1.8, angle) * smoothstep(-0.75, -0.6, q.y));
    albedo = mix(albedo, hair * (0.6 + 0.6 * hairs), scalp * 0.93);
  }
  patterned(vec2(v_canonical.z * 0.6, q.y * 0.5) + misc.xy);
  n = normalize(n + vec3(g.g, g.r, 0.0) * 0.035 + traits.y * 0.03 * vec3(g.b, g.g, 0.0));
  gloss = mix(0.10 + 0.22 * traits.w * (0.5 + bell(ax, 0.12) + 0.5 * cheek), 0.35 + 0.4 * traits.z, lip) * (1.0 - clamp(dense, 0.0, 0.9));
  hardness = mix(9.0, 26.0, max(lip, traits.w * 0.4)); wrap = vec3(0.38, 0.22, 0.17);
}
"""

_EYE = """
void surface() {
  float a = v_canonical.x, turn = atan(v_canonical.z, v_canonical.y), ring = eye.x, pupil = eye.y;
  vec4 g = grain(v_canonical.yz * 0.8 + misc.xy);
  albedo = sclera * (1.0 - 0.12 * smoothstep(0.5, 1.0, a)) * mix(vec3(1.0), vec3(1.05, 0.82, 0.80), 0.6 * smoothstep(0.65, 1.05, a) + 0.15 * max(0.0, g.r));
  vec3 coloured = iris * (0.75 + 0.45 * texture(noise, vec2(turn * 0.32, a * 0.25) + misc.xy).b + 0.6 * smoothstep(pupil + 0.12, pupil, a));
  coloured *= 1.0 - 0.75 * smoothstep(ring - 0.10, ring, a);
  albedo = mix(albedo, coloured, smoothstep(ring + 0.025, ring - 0.025, a));
  albedo = mix(albedo, vec3(0.004), smoothstep(pupil + 0.02, pupil - 0.02, a));
  gloss = 1.6 * occlusion; hardness = 90.0; wrap = vec3(0.35);
}
"""

_TEETH = """
void surface() {
  float s = abs(v_canonical.x), h = v_canonical.y; bool low = v_canonical.z > 0.5;
  float k = low ? 0.72 : 1.0, x = s / k;
  // boundaries of incisors, canine, premolars (arc length from the middle, in ten centimetres)
  float centre, width;
  if (x < 0.084) { centre = 0.042; width = 0.084; } else if (x < 0.150) { centre = 0.117; width = 0.066; }
  else if (x < 0.226) { centre = 0.188; width = 0.076; } else if (x < 0.296) { centre = 0.261; width = 0.070; } else { centre = 0.34; width = 0.09; }
  if (low && x < 0.15) { float i = step(0.075, x); centre = 0.0375 + 0.075 * i; width = 0.075; }
  float u = (x - centre) / width * 2.0, edge = 0.010 * u * u * u * u + (low ? 0.002 : (x < 0.084 ? 0.0 : (x < 0.15 ? 0.009 : (x < 0.226 ? 0.003 : 0.012))));
  if (h < edge) discard;
  vec4 g = grain(vec2(v_canonical.x, h) * 0.9 + misc.xy);
  albedo = teeth * (1.0 + 0.05 * g.g) * (1.0 - 0.45 * smoothstep(0.86, 1.0, abs(u))) * mix(0.86, 1.0, smoothstep(0.0, 0.02, h - edge));
  float gum = smoothstep(0.0, 0.012, h - (low ? 0.075 : 0.105) + 0.022 * u * u * (low ? 1.0 : 1.0));
  albedo = mix(albedo, vec3(0.40, 0.13, 0.12), gum);
  occlusion = (0.30 + 0.62 * bell(v_canonical.x, 0.19)) * (low ? 0.72 : 1.0) * (1.0 - 0.55 * smoothstep(0.03, 0.13, h));
  gloss = 0.5; hardness = 40.0; wrap = vec3(0.4); if (back) n = -n;
}
"""

_LIP = """
void surface() {
  float depth = v_canonical.x;
  albedo = mix(lips, vec3(0.32, 0.08, 0.08) * (0.35 + 0.65 * lips.r / 0.4), depth * 0.7);
  gloss = 0.5 * (1.0 - depth); hardness = 30.0; wrap = vec3(0.3, 0.2, 0.2);
}
"""

_TONGUE = """
void surface() {
  vec4 g = grain(v_canonical.xz * 0.5 + misc.xy);
  albedo = vec3(0.36, 0.13, 0.12) * (1.0 + 0.15 * g.b + 0.1 * g.g) * (1.0 - 0.25 * bell(v_canonical.x, 0.08));
  occlusion = 0.18 + 0.5 * smoothstep(-0.6, 0.9, v_canonical.z); gloss = 0.3; hardness = 18.0;
}
"""

_CAVITY = """
void surface() { albedo = vec3(0.10, 0.022, 0.02); occlusion = 0.25; gloss = 0.0; n = vec3(0.0, 0.0, 1.0); }
"""

_HAIR = """
void surface() {
  float angle = v_canonical.x, side = abs(angle), y = v_canonical.y, layer = v_canonical.z;
  if (layer > 1.5) {
    vec4 g = grain(vec2(angle * 1.4, y * 1.6) + misc.xy);
    albedo = hat * (1.0 + 0.22 * g.b + 0.1 * g.g) * (0.9 + 0.1 * sin(y * 90.0)); gloss = 0.03; if (back) { n = -n; occlusion = 0.4; }
    patterned(vec2(angle, y) * 0.6); return;
  }
  float lean = hairline.z != 0.0 && hair_kind.z < 0.5 ? (angle - hairline.z) * 0.12 : 0.0;
  vec2 along = vec2(angle * 0.62 + lean * (1.0 - y), y * mix(0.10, 0.5, hairline.w));
  vec4 g = grain(along + misc.xy), h = grain(vec2(angle * 1.7 + lean * y, y * mix(0.13, 0.7, hairline.w)) + misc.yx);
  float strand = 0.55 * g.b + 0.45 * h.g, edge = 0.05 * h.b + 0.04 * g.g;
  float line = hairline.x - 0.02 + 0.04 * cos(angle * 3.0) + edge;
  if (hairline.z != 0.0 && hair_kind.w > 0.5) line += 0.16 * bell(angle - hairline.z, 0.28);
  float open = hairline.y * smoothstep(line + 0.03, line - 0.22, y) + 0.12 * edge;
  if (y < line && side < open) discard;
  if (y < hair_kind.y + 0.16 * (0.5 + 0.5 * h.b) + 0.05 * g.b && y < 0.5) discard;
  if (hair_kind.y > -0.25 && y < 0.06 + edge && side < 1.75) discard;   // short hair leaves the ears free
  if (layer > 0.5 && strand < 0.12 - 0.25 * hairline.w + 0.1 * smoothstep(0.6, 1.0, y)) discard;
  albedo = hair * (0.72 + 0.6 * strand + 0.25 * g.r) * (layer > 0.5 ? 1.12 : 0.92);
  if (hairline.z != 0.0 && hair_kind.z < 0.5) albedo = mix(albedo, skin * 0.6, 0.6 * bell(angle - hairline.z, 0.03) * smoothstep(line, line + 0.05, y) * smoothstep(0.98, 0.8, y));
  occlusion *= 0.62 + 0.38 * smoothstep(-0.25, 0.35, strand) ; gloss = 0.45 + 0.3 * traits.w; hardness = 12.0;
  if (back) { n = -n; occlusion = 0.30; gloss = 0.0; }
  n = normalize(n + vec3(0.45 * strand, 0.0, 0.0)); patterned(vec2(angle, y) * 0.6); wrap = vec3(0.25);
}
"""

_NECK = """
void surface() {
  vec4 g = grain(v_canonical.xy * 0.42 + misc.xy);
  albedo = skin * vec3(0.97, 0.95, 0.94) * (1.0 + 0.08 * g.r + 0.05 * g.g);
  albedo *= 1.0 - 0.12 * traits.y * pow(0.5 + 0.5 * sin(v_canonical.y * 25.0 + g.r), 8.0);
  if (weave.w > 0.5 && v_canonical.y < -1.22 + 0.25 * bell(v_canonical.z, 0.5) * -1.0 + 0.02 * g.g) { albedo = cloth * (1.0 + 0.15 * g.b); gloss = 0.02; }
  patterned(v_canonical.xy * 0.5); wrap = vec3(0.38, 0.22, 0.17); if (back) n = -n;
}
"""

_TORSO = """
void surface() {
  vec2 q = v_canonical.xy; vec4 g = grain(q * 0.35 + misc.xy), fine = grain(q * 1.9);
  albedo = cloth;
  if (weave.x > 0.5 && weave.x < 1.5) albedo = mix(cloth, cloth2, smoothstep(0.45, 0.55, abs(fract(q.y * weave.y * 0.6) - 0.5) * 2.0));
  else if (weave.x > 1.5 && weave.x < 2.5) albedo = mix(cloth, cloth2, smoothstep(0.45, 0.55, abs(fract(q.x * weave.y * 0.6 + 0.1 * g.g) - 0.5) * 2.0));
  else if (weave.x > 2.5) albedo = mix(cloth, cloth2, smoothstep(-0.1, 0.2, grain(q * weave.y * 0.04).g));
  albedo *= 1.0 + 0.15 * g.g + 0.12 * fine.b;
  float depth = -1.36 - 0.5 * weave.z, v = q.y - depth;
  if (v_canonical.z > 0.0 && v > 0.0 && abs(q.x) < 0.10 + v * 0.75 && weave.w < 0.5) albedo = skin * vec3(0.96, 0.93, 0.92) * (1.0 + 0.06 * g.r);
  patterned(q * 0.4);
  n = normalize(n + vec3(g.r, g.g, 0.0) * 0.28); gloss = 0.03; wrap = vec3(0.2);
}
"""

_GLASS = """
void surface() { albedo = frame; gloss = 0.9; hardness = 40.0; }
"""

_LENS = """
void main() {
  vec2 q = v_canonical.xy; float amount = lens.x * (0.85 + 0.15 * q.y);
  float streak = lens.y * smoothstep(0.16, 0.05, abs(q.x * 0.8 + q.y - 0.3)) + lens.y * 0.5 * smoothstep(0.06, 0.0, abs(q.x * 0.8 + q.y + 0.15));
  vec3 c = pow(tint, vec3(1.0 / 2.2)) * amount * (1.0 - streak) + streak * clamp(sky * 2.0 + 0.4, 0.0, 1.0);
  out_colour = vec4(c, amount + streak * (1.0 - amount)); out_label = vec4(0.0);
}
"""

_EAR = """
void surface() {
  vec4 g = grain(v_canonical.xy * 0.3 + misc.xy); float d = length(v_canonical.yz - vec2(0.05, 0.1));
  albedo = skin * vec3(1.02, 0.86, 0.83) * (1.0 + 0.08 * g.g) * (1.0 - 0.45 * bell(d, 0.36) - 0.22 * bell(d - 0.64, 0.1));
  patterned(v_canonical.yz * 0.3); wrap = vec3(0.45, 0.25, 0.2);
}
"""

_SURFACES = {
    SKIN: _SKIN, EYE: _EYE, TEETH: _TEETH, TONGUE: _TONGUE, HAIR: _HAIR, NECK: _NECK, TORSO: _TORSO, GLASS: _GLASS, EAR: _EAR,
    CAVITY: _CAVITY, LIP: _LIP,
}  # fmt: skip


def fragment(shader: int) -> str:
    """The complete fragment shader of one part."""
    if shader == LENS:
        return PRELUDE + _LENS
    label = SKIN if shader == LIP else shader
    return PRELUDE + _SURFACES[shader] + LIGHTING.replace("LABEL", f"{label}.0")
