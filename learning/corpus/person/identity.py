"""The random traits of a person, from which the meshes are built.

Lengths are in the units of `geometry` (about ten centimetres), colours are linear-light RGB in 0..1.
The ranges were chosen by eye from the proportions of adult faces; normal distributions are clipped against extremes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np


def clipped_normal(rng: np.random.Generator, deviation: float) -> float:
    """A sample of a normal distribution, clipped at 2.2 standard deviations."""
    return float(np.clip(rng.normal(0, deviation), -2.2 * deviation, 2.2 * deviation))


@dataclass(frozen=True)
class FaceShape:
    """Where features lie and how large they are; `*_half` are half widths."""

    mouth_y: float
    mouth_half: float
    eye_x: float
    eye_y: float
    eye_half: float
    lid_up: float  # height of the open upper lid above the closed line
    lid_down: float  # depth of the open lower lid below the closed line
    eye_slant: float
    eye_radius: float
    iris: float  # angle subtended by the iris at the eyeball's centre, radians
    nose_height: float
    nose_width: float
    nose_tip_y: float
    upper_lip: float
    lower_lip: float
    fullness: float
    mouth_curve: float
    width: float
    jaw_taper: float
    squareness: float
    brow_ridge: float
    cheek: float
    chin: float
    brow_y: float
    brow_half_height: float
    brow_arch: float
    teeth_drop: float  # how far the upper incisors reach below the closed lip line
    lower_teeth: float  # top of the lower incisors against the closed lip line
    seed: int  # of the low-frequency irregularities

    @property
    def slit_y(self) -> float:
        """Height of the closed lid line: low in the eye, as the upper lid does most of the travel."""
        return self.eye_y - 0.028


@dataclass(frozen=True)
class Hair:
    """style: bald, short, medium, long, tied or curly; angles in radians around the head, 0 at the nose."""

    style: str
    length_y: float
    volume: float
    hairline_y: float
    opening: float
    parting: float
    bangs: bool
    frizz: float
    colour: tuple[float, float, float]
    seed: int


@dataclass(frozen=True)
class Look:
    """Surface traits; amounts are 0..1."""

    skin: tuple[float, float, float]
    lips: tuple[float, float, float]
    brows: tuple[float, float, float]
    iris: tuple[float, float, float]
    sclera: tuple[float, float, float]
    teeth: tuple[float, float, float]
    freckles: float
    wrinkles: float
    make_up: float
    make_up_colour: tuple[float, float, float]
    brow_strength: float
    moustache: float
    goatee: float
    beard: float
    beard_length: float
    stubble: float
    shine: float
    pattern: float  # how far a pattern replaces the albedo: a renderer must warp it, as it cannot guess it from skin
    offset: tuple[float, float]  # of this person's texture coordinates in the noise texture
    variation: float  # a random number for details without a trait of their own, such as the size of the pupils


@dataclass(frozen=True)
class Clothes:
    colour: tuple[float, float, float]
    second: tuple[float, float, float]
    weave: int  # 0 plain, 1 horizontal stripes, 2 vertical stripes, 3 blotches
    frequency: float
    neckline: float  # 0 closed .. 1 deep
    collar: bool
    shoulder_width: float
    shoulder_height: float
    neck_half: float
    turn: float  # yaw of the body, radians


@dataclass(frozen=True)
class Glasses:
    half_width: float
    half_height: float
    squareness: float
    rim: float
    colour: tuple[float, float, float]
    tint: tuple[float, float, float]
    tint_amount: float
    reflection: float


@dataclass(frozen=True)
class Hat:
    kind: str  # cap, beanie or brim
    edge_y: float
    height: float
    brim: float
    colour: tuple[float, float, float]


@dataclass(frozen=True)
class Identity:
    """A whole person."""

    shape: FaceShape
    look: Look
    hair: Hair
    clothes: Clothes
    glasses: Glasses | None = None
    hat: Hat | None = None
    ears: tuple[float, float, float] = field(default=(0.0, 0.0, 0.4))  # size change, height, angle


def _shape(rng: np.random.Generator) -> FaceShape:
    u, n = rng.uniform, lambda deviation: clipped_normal(rng, deviation)
    lid_up = 0.081 + n(0.013)
    return FaceShape(
        mouth_y=-0.555 + n(0.03),
        mouth_half=0.245 + n(0.022),
        eye_x=0.28 + n(0.018),
        eye_y=0.04 + n(0.028),
        eye_half=0.142 + n(0.012),
        lid_up=lid_up,
        lid_down=0.016 + abs(n(0.006)),
        eye_slant=0.006 + n(0.022),
        eye_radius=0.16,
        iris=0.40 + n(0.02),
        nose_height=0.24 + n(0.045),
        nose_width=1.02 + n(0.17),
        nose_tip_y=-0.255 + n(0.03),
        upper_lip=0.062 + n(0.019),
        lower_lip=0.080 + n(0.021),
        fullness=0.035 + abs(n(0.018)),
        mouth_curve=n(0.018),
        width=0.94 + n(0.06),
        jaw_taper=n(0.12),
        squareness=2.2 + n(0.12),
        brow_ridge=0.045 + n(0.025),
        cheek=0.05 + n(0.025),
        chin=0.06 + n(0.03),
        brow_y=0.165 + n(0.02),
        brow_half_height=u(0.022, 0.046),
        brow_arch=u(0.3, 1.6),
        teeth_drop=u(0.02, 0.075),
        lower_teeth=u(-0.05, 0.008),
        seed=int(rng.integers(1 << 31)),
    )


def skin_tone(rng: np.random.Generator) -> np.ndarray:
    """Linear-light albedo (3,) between light, olive and dark skin, with some variation of hue."""
    tones = np.array(
        [[0.72, 0.50, 0.40], [0.58, 0.37, 0.26], [0.40, 0.235, 0.15], [0.21, 0.115, 0.072], [0.10, 0.055, 0.036]]
    )
    position = rng.beta(0.9, 1.5) * 4
    base, fraction = min(int(position), 3), position - min(int(position), 3)
    tone = tones[base] * (1 - fraction) + tones[base + 1] * fraction
    return np.clip(tone * (1 + 0.06 * rng.normal(size=3)) * rng.uniform(0.88, 1.1), 0.02, 0.85)


def _hair(rng: np.random.Generator) -> Hair:
    u = rng.uniform
    style = str(
        rng.choice(["bald", "short", "medium", "long", "tied", "curly"], p=[0.10, 0.32, 0.14, 0.24, 0.12, 0.08])
    )
    length = {
        "bald": 1.0,
        "short": u(-0.12, 0.12),
        "medium": u(-0.8, -0.35),
        "long": u(-1.9, -1.1),
        "tied": u(-0.15, 0.1),
        "curly": u(-0.7, 0.1),
    }
    volume = {
        "bald": 0.0,
        "short": u(0.025, 0.11),
        "medium": u(0.06, 0.18),
        "long": u(0.05, 0.2),
        "tied": u(0.015, 0.05),
        "curly": u(0.14, 0.38),
    }
    palette = np.array(
        [
            [0.012, 0.010, 0.009],
            [0.035, 0.022, 0.015],
            [0.09, 0.05, 0.027],
            [0.19, 0.11, 0.055],
            [0.42, 0.29, 0.14],
            [0.24, 0.075, 0.025],
            [0.30, 0.29, 0.28],
            [0.62, 0.60, 0.57],
        ]
    )
    colour = palette[rng.choice(8, p=[0.22, 0.22, 0.16, 0.12, 0.10, 0.05, 0.08, 0.05])] * (
        1 + 0.15 * rng.normal(size=3)
    )
    if rng.random() < 0.04:
        colour = rng.random(3) * 0.7
    bangs = style in ("short", "medium", "long", "curly") and rng.random() < 0.35
    hairline = u(0.27, 0.45) if bangs else u(0.52, 0.70)
    if style == "short" and not bangs and rng.random() < 0.2:
        hairline = u(0.75, 1.1)  # receding, down to a wreath
    return Hair(
        style=style,
        length_y=length[style],
        volume=volume[style],
        hairline_y=hairline,
        opening=u(1.05, 1.38) if style in ("short", "tied") else u(0.62, 1.15),
        parting=float(rng.choice([-1, 1]) * u(0.1, 0.6)) if rng.random() < 0.65 else 0.0,
        bangs=bangs,
        frizz=u(0.5, 1.0) if style == "curly" else u(0.0, 0.4),
        colour=tuple(np.clip(colour, 0.006, 0.8)),
        seed=int(rng.integers(1 << 31)),
    )


def _look(rng: np.random.Generator, hair: Hair) -> Look:
    u = rng.uniform
    skin = skin_tone(rng)
    woman = rng.random() < 0.5
    lips = skin * np.array([0.95, 0.55, 0.55]) * u(0.75, 1.05) + np.array([0.03, 0.0, 0.005])
    make_up = u(0.2, 1.0) if woman and rng.random() < 0.6 else 0.0
    if make_up > 0.5 and rng.random() < 0.7:
        lips = np.array([u(0.12, 0.6), u(0.01, 0.12), u(0.02, 0.15)])
    moustache, goatee, beard, length, stubble = 0.0, 0.0, 0.0, 0.0, 0.0
    if not woman:
        kind = rng.choice(["shaven", "stubble", "full", "moustache", "goatee"], p=[0.42, 0.22, 0.20, 0.08, 0.08])
        stubble = u(0.15, 0.6) if kind == "stubble" else u(0, 0.12)
        if kind == "full":
            moustache, goatee, beard, length = u(0.6, 1), u(0.7, 1), u(0.6, 1), u(0, 1)
        elif kind == "moustache":
            moustache, length = u(0.7, 1), u(0, 0.6)
        elif kind == "goatee":
            moustache, goatee, length = u(0, 1), u(0.6, 1), u(0, 0.7)
    irises = np.array(
        [[0.10, 0.045, 0.018], [0.045, 0.02, 0.01], [0.13, 0.22, 0.33], [0.12, 0.16, 0.07], [0.18, 0.19, 0.19]]
    )
    white = u(0.42, 0.64)
    tooth = u(0.55, 0.85)
    return Look(
        skin=tuple(skin),
        lips=tuple(np.clip(lips, 0.01, 0.8)),
        brows=tuple(np.clip(np.array(hair.colour) * u(0.3, 0.75), 0.006, 0.3)),
        iris=tuple(irises[rng.choice(5, p=[0.3, 0.3, 0.2, 0.1, 0.1])] * u(0.8, 1.2)),
        sclera=(white, white * u(0.88, 0.97), white * u(0.82, 0.95)),
        teeth=(tooth, tooth * u(0.90, 0.97), tooth * u(0.72, 0.92)),
        freckles=u(0, 1) ** 3,
        wrinkles=max(0.0, u(-0.7, 1)),
        make_up=make_up,
        make_up_colour=tuple(rng.random(3) * 0.25),
        brow_strength=u(0.55, 1.0),
        moustache=moustache,
        goatee=goatee,
        beard=beard,
        beard_length=length,
        stubble=stubble,
        shine=u(0.0, 1.0),
        pattern=u(0.5, 1.0) if rng.random() < 0.12 else 0.0,
        offset=(u(0, 1), u(0, 1)),
        variation=u(0, 1),
    )


def _clothes(rng: np.random.Generator) -> Clothes:
    u, n = rng.uniform, lambda deviation: clipped_normal(rng, deviation)
    return Clothes(
        colour=tuple(rng.random(3) ** 2 * u(0.1, 0.9)),
        second=tuple(rng.random(3) ** 2),
        weave=int(rng.choice(4, p=[0.55, 0.15, 0.1, 0.2])),
        frequency=u(4, 14),
        neckline=max(0.0, u(-0.4, 1)),
        collar=rng.random() < 0.35,
        shoulder_width=1.45 + n(0.15),
        shoulder_height=n(0.08),
        neck_half=0.36 + n(0.045),
        turn=n(0.3),
    )


def _glasses(rng: np.random.Generator) -> Glasses:
    u = rng.uniform
    dark = rng.random() < 0.12
    return Glasses(
        half_width=u(0.185, 0.24),
        half_height=u(0.12, 0.19),
        squareness=u(0.45, 1.0),
        rim=u(0.006, 0.018),
        colour=tuple(rng.random(3) ** 2 * u(0.02, 0.6)),
        tint=tuple(rng.random(3) * 0.12),
        tint_amount=u(0.3, 0.7) if dark else u(0.0, 0.1),
        reflection=u(0, 0.35) if rng.random() < 0.5 else 0.0,
    )


def _hat(rng: np.random.Generator) -> Hat:
    u = rng.uniform
    return Hat(
        kind=str(rng.choice(["cap", "beanie", "brim"])),
        edge_y=u(0.36, 0.52),
        height=u(0.1, 0.35),
        brim=u(0.25, 0.55),
        colour=tuple(rng.random(3) ** 2),
    )


def same_person(seeds: Sequence[int], scene: int) -> Identity:
    """The person of `seeds` as in one of their scenes: face, hair and glasses stay, clothes and hat change. Their skin
    has no pattern, by which a person would not be known again."""
    person = random_identity(np.random.default_rng([*seeds, 0]))
    person = replace(person, look=replace(person.look, pattern=0.0))
    if scene == 0:
        return person
    rng = np.random.default_rng([*seeds, scene])
    return replace(person, clothes=_clothes(rng), hat=_hat(rng) if rng.random() < 0.07 else None)


def random_identity(rng: np.random.Generator) -> Identity:
    """A person drawn from `rng`: a sixth wears glasses, one in fourteen a hat."""
    hair = _hair(rng)
    return Identity(
        shape=_shape(rng),
        look=_look(rng, hair),
        hair=hair,
        clothes=_clothes(rng),
        glasses=_glasses(rng) if rng.random() < 0.17 else None,
        hat=_hat(rng) if rng.random() < 0.07 else None,
        ears=(clipped_normal(rng, 0.1), clipped_normal(rng, 0.03), float(rng.uniform(0.3, 0.75))),
    )
