"""GLSL of everything but the skin: each string is the `surface()` of one part (see `shaders`)."""

EYE = """
void surface() {
  float a = v_canonical.x, turn = atan(v_canonical.z, v_canonical.y), ring = eye.x, pupil = eye.y;
  vec4 g = grain(v_canonical.yz * 0.8 + misc.xy);
  albedo = sclera * (1.0 - 0.15 * smoothstep(0.5, 1.0, a));
  albedo *= mix(vec3(1.0), vec3(1.02, 0.80, 0.77), 0.5 * smoothstep(0.7, 1.25, a) + 0.12 * max(0.0, g.r));
  float ray = texture(noise, vec2(turn * 0.32, a * 0.25) + misc.xy).b;
  vec3 coloured = iris * (0.75 + 0.45 * ray + 0.6 * smoothstep(pupil + 0.12, pupil, a));
  coloured *= 1.0 - 0.78 * smoothstep(ring - 0.11, ring, a);
  albedo = mix(albedo, coloured, smoothstep(ring + 0.03, ring - 0.03, a));
  albedo = mix(albedo, vec3(0.004), smoothstep(pupil + 0.02, pupil - 0.02, a));
  gloss = 1.6 * occlusion; hardness = 90.0; wrap = vec3(0.35);
}
"""

TEETH = """
void surface() {
  float h = v_canonical.y; bool low = v_canonical.z > 0.5;
  float x = abs(v_canonical.x) / (low ? 0.72 : 1.0);
  // middle and width of incisors, canine, premolars (arc length from the middle), and how much shorter each is
  float centre = 0.042, width = 0.084, shorter = 0.0;
  if (x > 0.084) { centre = 0.117; width = 0.066; shorter = 0.009; }
  if (x > 0.150) { centre = 0.188; width = 0.076; shorter = 0.003; }
  if (x > 0.226) { centre = 0.261; width = 0.070; shorter = 0.012; }
  if (x > 0.296) { centre = 0.34; width = 0.09; }
  if (low) shorter = 0.002;
  if (low && x < 0.15) { width = 0.075; centre = 0.0375 + 0.075 * step(0.075, x); }
  float u = (x - centre) / width * 2.0, edge = 0.010 * u * u * u * u + shorter;
  if (h < edge) discard;
  albedo = teeth * (1.0 - 0.42 * smoothstep(0.86, 1.0, abs(u))) * mix(0.86, 1.0, smoothstep(0.0, 0.02, h - edge));
  float gum = smoothstep(0.0, 0.012, h - (low ? 0.075 : 0.105) + 0.022 * u * u);
  albedo = mix(albedo, vec3(0.40, 0.13, 0.12), gum);
  occlusion = (0.26 + 0.66 * bell(v_canonical.x, 0.19)) * (low ? 0.72 : 1.0) * (1.0 - 0.5 * smoothstep(0.03, 0.13, h));
  gloss = 0.5; hardness = 40.0; wrap = vec3(0.4); if (back) n = -n;
}
"""

LIP = """
void surface() {
  float depth = v_canonical.x;
  albedo = mix(lips, vec3(0.32, 0.08, 0.08) * (0.35 + 0.65 * lips.r / 0.4), depth * 0.7);
  gloss = 0.5 * (1.0 - depth); hardness = 30.0; wrap = vec3(0.3, 0.2, 0.2);
}
"""

TONGUE = """
void surface() {
  vec4 g = grain(v_canonical.xz * 0.5 + misc.xy);
  albedo = vec3(0.36, 0.13, 0.12) * (1.0 + 0.15 * g.b + 0.1 * g.g) * (1.0 - 0.25 * bell(v_canonical.x, 0.08));
  occlusion = 0.18 + 0.5 * smoothstep(-0.6, 0.9, v_canonical.z); gloss = 0.3; hardness = 18.0;
}
"""

CAVITY = """
void surface() { albedo = vec3(0.10, 0.022, 0.02); occlusion = 0.25; gloss = 0.0; n = vec3(0.0, 0.0, 1.0); }
"""

HAIR = """
void surface() {
  float angle = v_canonical.x, side = abs(angle), y = v_canonical.y, outer = v_canonical.z;
  vec2 along = hairline.w > 0.45 ? vec2(1.0, 0.6) : vec2(1.0, 0.16);   // curls or drawn out
  float lean = hair_kind.z < 0.5 ? (angle - hairline.z) * 0.12 * (1.0 - y) : 0.0;
  vec4 g = grain(vec2(angle * 0.72 + lean, y) * along + misc.xy);
  vec4 h = grain(vec2(angle * 1.9 + 2.0 * lean, y * 1.2) * along + misc.yx);
  float strand = 0.55 * g.b + 0.45 * h.g, edge = 0.05 * h.b + 0.04 * g.g;
  float line = hairline.x - 0.02 + 0.04 * cos(angle * 3.0) + edge;
  if (hair_kind.w > 0.5) line += 0.16 * bell(angle - hairline.z, 0.28) * step(0.01, abs(hairline.z));
  float open = hairline.y * smoothstep(line + 0.03, line - 0.22, y) + 0.6 * edge;
  bool gone = y < line && side < open;
  gone = gone || (y < hair_kind.y + 0.16 * (0.5 + 0.5 * h.b) + 0.05 * g.b && y < 0.5);
  gone = gone || (hair_kind.y > -0.25 && y < 0.06 + edge && side < 1.75);   // short hair leaves the ears free
  gone = gone || (outer > 0.5 && strand < 0.12 - 0.25 * hairline.w + 0.1 * smoothstep(0.6, 1.0, y));
  if (gone) discard;
  albedo = hair * (0.72 + 0.6 * strand + 0.25 * g.r) * (outer > 0.5 ? 1.12 : 0.92);
  if (hairline.z != 0.0 && hair_kind.z < 0.5) {
    float parting = bell(angle - hairline.z, 0.03) * smoothstep(line, line + 0.05, y) * smoothstep(0.98, 0.8, y);
    albedo = mix(albedo, skin * 0.6, 0.6 * parting);
  }
  occlusion *= 0.62 + 0.38 * smoothstep(-0.25, 0.35, strand); gloss = 0.35 + 0.35 * traits.w; hardness = 12.0;
  if (back) { n = -n; occlusion = 0.30; gloss = 0.0; }
  n = normalize(n + vec3(0.45 * strand, 0.15 * h.g, 0.0)); patterned(vec2(angle, y) * 0.6); wrap = vec3(0.25);
}
"""

HAT = """
void surface() {
  vec4 g = grain(v_canonical.xy * vec2(1.4, 1.6) + misc.xy);
  albedo = hat * (1.0 + 0.22 * g.b + 0.1 * g.g) * (0.9 + 0.1 * sin(v_canonical.y * 90.0));
  gloss = 0.03; if (back) { n = -n; occlusion = 0.4; }
  patterned(v_canonical.xy * 0.6); wrap = vec3(0.2);
}
"""

NECK = """
void surface() {
  vec4 g = grain(v_canonical.xy * 0.42 + misc.xy);
  albedo = skin * vec3(0.97, 0.95, 0.94) * (1.0 + 0.08 * g.r + 0.05 * g.g);
  float ring = 0.5 + 0.5 * sin(v_canonical.y * 25.0 + g.r); ring *= ring; ring *= ring;
  albedo *= 1.0 - 0.12 * traits.y * ring * ring;
  float collar = step(0.5, weave.w) * step(v_canonical.y, -1.20 - 0.2 * bell(v_canonical.z, 0.5) + 0.02 * g.g);
  albedo = mix(albedo, cloth * (1.0 + 0.15 * g.b), collar); gloss *= 1.0 - collar;
  patterned(v_canonical.xy * 0.5); wrap = vec3(0.38, 0.22, 0.17); if (back) n = -n;
}
"""

CLOTH = """
vec3 woven(vec2 q, vec4 g) {
  float across = weave.x < 1.5 ? q.y : q.x + 0.1 * g.g;
  float second = smoothstep(0.45, 0.55, abs(fract(across * weave.y * 0.6) - 0.5) * 2.0) * step(0.5, weave.x);
  if (weave.x > 2.5) second = smoothstep(-0.1, 0.2, grain(q * weave.y * 0.04).g);
  return mix(cloth, cloth2, second) * (1.0 + 0.15 * g.g + 0.12 * grain(q * 1.9).b);
}
"""

TORSO = (
    CLOTH
    + """
void surface() {
  vec2 q = v_canonical.xy; vec4 g = grain(q * 0.35 + misc.xy);
  albedo = woven(q, g);
  float depth = q.y + 1.26 + 0.5 * weave.z;
  float bare = step(0.0, v_canonical.z) * step(0.0, depth) * step(abs(q.x), 0.10 + depth * 0.75) * step(weave.w, 0.5);
  albedo = mix(albedo, skin * vec3(0.96, 0.93, 0.92) * (1.0 + 0.06 * g.r), bare);
  patterned(q * 0.4);
  n = normalize(n + vec3(g.r, g.g, 0.0) * 0.28 * (1.0 - 0.8 * bare)); gloss = 0.03; wrap = vec3(0.2);
}
"""
)

GLASS = """
void surface() { albedo = frame; gloss = 0.9; hardness = 40.0; }
"""

EAR = """
void surface() {
  vec4 g = grain(v_canonical.xy * 0.3 + misc.xy); float d = length(v_canonical.yz - vec2(0.05, 0.1));
  albedo = skin * vec3(1.02, 0.86, 0.83) * (1.0 + 0.08 * g.g);
  albedo *= 1.0 - 0.45 * bell(d, 0.36) - 0.22 * bell(d - 0.64, 0.1);
  patterned(v_canonical.yz * 0.3); wrap = vec3(0.45, 0.25, 0.2);
}
"""

LENS_MAIN = """
void main() {
  vec2 q = v_canonical.xy; float amount = lens.x * (0.85 + 0.15 * q.y), across = q.x * 0.8 + q.y;
  float streak = smoothstep(0.16, 0.05, abs(across - 0.3)) + 0.5 * smoothstep(0.06, 0.0, abs(across + 0.15));
  streak *= lens.y;
  vec3 c = sqrt(tint) * amount * (1.0 - streak) + streak * clamp(sky * 2.0 + 0.4, 0.0, 1.0);
  out_colour = vec4(c, amount + streak * (1.0 - amount)); out_label = vec4(0.0);
}
"""

HAND = """
uniform vec3 nail;
void surface() {
  vec4 g = grain(v_canonical.xy * 0.55 + misc.yx); float palm = v_canonical.z, mark = v_canonical.w;
  albedo = skin * (1.0 + 0.09 * vec3(g.r, g.g * 0.7 + g.r * 0.3, g.g) + 0.04 * g.b);
  albedo = mix(albedo, mix(skin, vec3(0.56, 0.36, 0.29), 0.45) * (1.0 + 0.07 * g.g), 0.8 * palm);
  albedo *= mix(vec3(1.0), vec3(1.02, 0.84, 0.82), clamp(-mark, 0.0, 1.0));
  albedo *= 1.0 - (0.30 * traits.x + 0.02) * smoothstep(0.2, 0.9, g.a) * (1.0 - palm);
  float plate = smoothstep(0.25, 0.6, mark);
  albedo = mix(albedo, nail, plate);
  n = normalize(n + vec3(g.g, g.r, 0.0) * 0.05 + (0.015 + traits.y * 0.04) * vec3(g.b, -g.b, 0.0));
  patterned(v_canonical.xy * 0.5); wrap = vec3(0.38, 0.22, 0.17);
  gloss = mix(0.10 + 0.12 * traits.w, 0.35 + 0.4 * traits.z, plate); hardness = mix(10.0, 30.0, plate);
}
"""

SLEEVE = (
    CLOTH
    + """
void surface() {
  vec2 q = v_canonical.xy; vec4 g = grain(q * 0.35 + misc.xy);
  albedo = woven(q, g);
  patterned(q * 0.4);
  n = normalize(n + vec3(g.r, g.g, 0.0) * 0.28); gloss = 0.03; wrap = vec3(0.2);
  if (back) { n = -n; occlusion = 0.25; }
}
"""
)
