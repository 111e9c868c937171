"""GLSL of the skin, in two programs: below the eyes (nose, mouth, beard) and from the lids up (eyes, brows, scalp).

Software rendering evaluates both sides of every branch, so each program has the features of its half only. Coordinates
q are the canonical x, y of the head before any displacement: texture coordinates that move with the skin.
"""

COMMON = """
vec4 g; vec2 q; float ax, band, angle, front, cheek;
void base() {
  q = v_canonical.xy; ax = abs(q.x); band = v_canonical.w; angle = abs(v_canonical.z);
  front = smoothstep(1.75, 1.2, angle);
  float tip = face2.w;
  g = grain(vec2(v_canonical.z * 0.75, q.y) * 0.42 + misc.xy);
  albedo = skin * (1.0 + 0.10 * vec3(g.r, g.g * 0.7 + g.r * 0.3, g.g) + 0.045 * g.b);
  // blood near the surface: cheeks, nose, chin; make-up adds to the cheeks
  cheek = bell(length((vec2(ax, q.y) - vec2(0.40, -0.20)) / vec2(1.0, 0.8)), 0.22);
  float red = cheek + 0.8 * bell(length(q - vec2(0.0, tip)), 0.13) + 0.4 * bell(length(q - vec2(0.0, -0.85)), 0.14);
  albedo *= mix(vec3(1.0), vec3(1.03, 0.84, 0.82), clamp(red, 0.0, 1.0) * (0.7 + 0.3 * g.r) * front);
  albedo = mix(albedo, vec3(0.55, 0.12, 0.13) * (skin.r + 0.2), traits.z * 0.35 * cheek * front);
  albedo *= 1.0 - (0.40 * traits.x + 0.02) * smoothstep(0.2, 0.9, g.a) * front;
}
void finish(float smooth_part) {
  patterned(vec2(v_canonical.z * 0.6, q.y * 0.5) + misc.xy);
  n = normalize(n + vec3(g.g, g.r, 0.0) * 0.035 + (0.012 + traits.y * 0.03) * vec3(g.b, -g.b, 0.0));
  gloss = 0.10 + 0.22 * traits.w * (0.5 + bell(ax, 0.12) + 0.5 * cheek);
  gloss *= (1.0 - smooth_part) * (0.8 + 0.4 * g.b);
  hardness = mix(9.0, 20.0, traits.w); wrap = vec3(0.38, 0.22, 0.17);
}
"""

LOWER = (
    COMMON
    + """
void surface() {
  base();
  float my = face.x, mw = face.y, tip = face2.w;
  // folds beside the mouth, deeper with a smile
  float fold = ax - (0.155 + 0.17 * smoothstep(tip, my - 0.04, q.y) + 0.03 * pose_face.x);
  float reach = smoothstep(my - 0.12, my + 0.02, q.y) * smoothstep(tip + 0.02, tip - 0.1, q.y);
  float crease = (0.25 + traits.y + 1.1 * max(0.0, pose_face.x)) * bell(fold, 0.022) * reach;
  albedo *= 1.0 - 0.24 * vec3(0.8, 1.0, 1.05) * min(crease, 1.6) * front;
  // nostrils and wings of the nose
  float hole = length((vec2(ax, q.y) - vec2(0.060, tip - 0.108)) / vec2(1.35, 0.75));
  albedo *= 1.0 - vec3(0.72, 0.82, 0.84) * smoothstep(0.040, 0.016, hole) * front;
  albedo *= 1.0 - 0.20 * bell(ax - 0.165, 0.022) * bell(q.y - tip + 0.055, 0.05);
  // lips
  float over = q.y - my, lx = clamp(1.0 - q.x * q.x / (mw * mw * 1.02), 0.0, 1.0), root = sqrt(lx);
  float up = face2.y * root * (1.0 - 0.2 * bell(q.x, 0.035) + 0.06 * bell(ax - 0.07, 0.04)) * (0.85 + 0.15 * root);
  float down = face2.z * root, side = band > 0.5 ? over : -over, height = band > 0.5 ? up : down;
  float lip = smoothstep(height, height * 0.74 - 0.004, side) * front * step(0.001, lx);
  // moustache, chin, jaw; strands are noise stretched downwards
  float hairs = texture(noise, vec2(v_canonical.z * 2.3, q.y * 0.7) + misc.yx).b, edge = 0.05 * g.g;
  float upper = smoothstep(0.045, 0.07, over + edge * 0.3) * smoothstep(0.21, 0.16, over + edge);
  upper *= smoothstep(mw + 0.07, mw - 0.03, ax + 0.6 * max(0.0, 0.12 - over));
  float chin = smoothstep(my - 0.10, my - 0.17, q.y + edge) * smoothstep(0.27, 0.15, ax + edge);
  chin += 0.75 * smoothstep(0.06, 0.0, abs(ax - mw - 0.035 + edge)) * smoothstep(my + 0.12, my - 0.02, q.y);
  float line = -0.28 - 0.75 * max(0.0, 0.62 - ax) + 0.35 * smoothstep(0.55, 0.68, ax);
  float jaw = smoothstep(line + 0.09, line - 0.07, q.y + 2.0 * edge) * smoothstep(1.62, 1.3, angle);
  jaw *= max(smoothstep(0.2, 0.32, ax), smoothstep(my - 0.08, my - 0.2, q.y));
  chin = min(chin, 1.0);
  float dense = max(max(growth.x * upper, growth.y * chin), growth.z * jaw) * (1.0 - lip);
  float cover = min(dense * (0.45 + 1.1 * hairs), 0.97) * smoothstep(0.0, 0.25, dense);
  albedo = mix(albedo, hair * (0.55 + 0.9 * hairs), cover);
  vec3 shadow = mix(hair, skin * vec3(0.45, 0.47, 0.52), 0.6);
  albedo = mix(albedo, shadow, growth.w * max(upper, max(chin, jaw)) * (0.5 + 0.5 * hairs) * (1.0 - lip));
  albedo = mix(albedo, lips * (1.0 + 0.22 * (hairs - 0.5) + 0.08 * g.g), lip * 0.92);
  albedo *= 1.0 - vec3(0.35, 0.5, 0.5) * bell(over, 0.009) * smoothstep(0.0, 0.12, lx) * front;
  albedo *= 1.0 - 0.28 * bell(length(vec2(ax - mw, over * 1.4)), 0.022) * front;
  float nape = smoothstep(1.68, 1.85, angle) * smoothstep(-0.55, -0.42, q.y) * step(hair_kind.x, 0.5);
  albedo = mix(albedo, hair * (0.5 + 0.6 * hairs), 0.9 * nape);
  finish(max(min(dense, 0.9), 0.0));
  gloss = mix(gloss, 0.35 + 0.4 * traits.z, lip); hardness = mix(hardness, 26.0, lip);
}
"""
)

UPPER = (
    COMMON
    + """
void surface() {
  base();
  float ex = face.z, ly = face.w, ew = face2.x;
  float wave = 0.5 + 0.5 * sin(q.y * 58.0 + 3.0 * g.r); wave *= wave; wave *= wave; wave *= wave;
  float lines = wave * smoothstep(0.27, 0.36, q.y) * smoothstep(0.62, 0.5, q.y) * smoothstep(0.5, 0.15, ax);
  float crease = (0.5 * traits.y + 0.9 * max(0.0, pose_face.z)) * lines;
  float bag = q.y - (ly - 0.085 + 0.5 * (ax - ex) * (ax - ex));
  crease += (0.3 + 0.6 * traits.y + 0.5 * pose_face.w) * bell(bag, 0.013) * bell(ax - ex, 0.12);
  crease += (0.2 * traits.y + pose_face.y) * bell(ax - 0.045, 0.012) * bell(q.y - brow.x - 0.01, 0.06);
  albedo *= 1.0 - 0.24 * vec3(0.8, 1.0, 1.05) * min(crease, 1.6) * front;
  // eyes: shade around them, crease and make-up of the lid, lashes along both edges
  albedo *= 1.0 - vec3(0.12, 0.17, 0.17) * bell(length(vec2((ax - ex) / 1.35, q.y - ly - 0.01)), 0.12) * front;
  float across = smoothstep(ew * 1.18, ew * 0.9, abs(ax - ex)), above = band > 1.5 ? q.y - ly : 9.0;
  albedo = mix(albedo, make_up_colour, traits.z * 0.5 * smoothstep(0.13, 0.03, above) * across * front);
  albedo *= 1.0 - 0.34 * bell(above - 0.072, 0.012) * across * front;
  float lash = smoothstep(0.018 + 0.014 * traits.z, 0.006, above);
  float low = 0.45 * smoothstep(0.008, 0.003, ly - q.y) * step(band, 1.5);
  lash = max(lash * (0.75 + 0.25 * traits.z), low) * smoothstep(ew * 1.12, ew * 0.97, abs(ax - ex));
  albedo = mix(albedo, brows * 0.25, lash * front);
  // brows, strand by strand
  float t = (ax - ex + 0.03) / 0.2, past = max(t, 0.0);
  float by = brow.x + 0.022 * (1.0 - t * t) - 0.03 * past * past * brow.w;
  float bh = brow.y * (1.0 - 0.55 * past) * smoothstep(-1.05, -0.65, t) * smoothstep(1.25, 0.6, t);
  float strand = texture(noise, vec2(q.x * 2.6 + q.y * 1.3 * sign(q.x), q.y * 0.8 - ax * 0.9)).b;
  float tuft = smoothstep(bh, bh * 0.3, abs(q.y - by) + 0.018 * (strand - 0.5)) * step(0.002, bh);
  albedo = mix(albedo, brows, min(tuft * brow.z * (0.65 + 0.75 * strand), 1.0) * front);
  // scalp: the same line as the hair's own edge, a little inside it
  if (hair_kind.x < 0.5) {
    float edge = 0.05 * g.g + 0.03 * (strand - 0.5);
    float hair_line = hairline.x + 0.04 + 0.05 * hair_kind.w + 0.04 * cos(v_canonical.z * 3.0);
    float opening = min(hairline.y + 0.14, 1.45) * smoothstep(hair_line + 0.03, hair_line - 0.22, q.y) + 0.03;
    float scalp = smoothstep(-0.03, 0.04, q.y - hair_line + edge);
    scalp = max(scalp, smoothstep(-0.02, 0.06, angle - opening + edge) * smoothstep(0.06, 0.2, q.y + edge));
    scalp = max(scalp, smoothstep(1.66, 1.82, angle));
    float lock = 0.55 * grain(vec2(v_canonical.z * 0.72, q.y) * vec2(1.0, 0.16) + misc.xy).b + 0.45 * (strand - 0.5);
    albedo = mix(albedo, hair * (0.66 + 0.6 * lock), scalp * 0.95);
  }
  finish(0.0);
}
"""
)
