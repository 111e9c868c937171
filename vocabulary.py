"""Definitions shared by the drawn corpus, the networks and the product: motion parameters, parts and landmarks of a
drawn face, rates of sound and motion. It imports nothing of the package and no torch.
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from math import inf

FPS = 25
"""Frames a second of motion and of the films made from it (the papers' rate)."""
SAMPLE_RATE = 16_000
"""Samples a second of the networks' audio input, as for most speech models."""
SAMPLES_A_FRAME = SAMPLE_RATE // FPS
"""640 samples of sound a frame of motion."""
ACTALKER_FPS = Fraction(FPS, 2)
"""12.5 frames a second: the rate of ACTalker's published weights."""

HEIGHTS: dict[str, float | None] = {"mouth": 0.35, "brows": -0.2, "eyes": -0.05, "pose": None}
"""Vertical position of a region in a portrait, -1 top .. 1 bottom; None: it moves the whole picture."""


@dataclass(frozen=True)
class Parameter:
    """One motion parameter of a drawn head.

    Expressions are 0..1 of a wide but natural range (negative values allowed where the muscle has an opposite), angles
    are radians, shifts are in half head widths. Zero is a head at rest, facing the camera, lips closed and eyes open.

    name; region: a key of `HEIGHTS`.
    drawn: (low, high), the 0.1 and 99.9 percentile in the corpus, measured by
    `python -m mamba_portrait.learning.corpus.ranges`.
    spread: its standard deviation in the stills of the corpus, and
    weight: of its direction among the 768 numbers of motion, both for the initialisation of a new motion space.
    limits: (low, high), the range that faces reach; infinite where photographs are encoded too inexactly for a limit.
    framing: it says where head or shoulders are in the picture, or how near. Only its changes can be seen in pictures:
    a small head nearby looks like a large one far away.
    """

    name: str
    region: str
    drawn: tuple[float, float]
    spread: float
    weight: float = 1.0
    limits: tuple[float, float] = (-inf, inf)
    framing: bool = False

    @property
    def height(self) -> float | None:
        """Vertical position in a portrait, see `HEIGHTS`."""
        return HEIGHTS[self.region]


# Limits lie somewhat outside of the corpus's range. Most parameters have none: with a limit on the lids, for example,
# narrow eyes, which the encoder takes for half closed ones, could not close.
MOTION: tuple[Parameter, ...] = (
    Parameter("jaw", "mouth", (0.0, 0.99), 0.23, 1.5, limits=(-0.2, 1.2)),  # 0 closed .. 1 wide open
    Parameter("pucker", "mouth", (0.0, 0.99), 0.23),  # rounded lips, as in "oo"
    Parameter("spread", "mouth", (0.0, 0.99), 0.2),  # corners drawn apart, as in "ee"
    Parameter("smile_left", "mouth", (-0.53, 1.05), 0.31),  # -0.5 frown .. 1 smile
    Parameter("smile_right", "mouth", (-0.53, 1.05), 0.31),
    Parameter("press", "mouth", (0.0, 0.99), 0.18),  # lips pressed together, as in "m"
    Parameter("upper_lip", "mouth", (0.0, 0.79), 0.23),  # upper lip raised, upper teeth shown
    Parameter("lower_lip", "mouth", (0.0, 0.8), 0.21),  # lower lip drawn down, lower teeth shown
    Parameter("brow_left", "brows", (-0.57, 1.07), 0.3, 0.8),  # -0.5 lowered .. 1 raised
    Parameter("brow_right", "brows", (-0.57, 1.07), 0.3, 0.8),
    Parameter("furrow", "brows", (0.0, 0.99), 0.24, 0.5),  # brows drawn together
    Parameter("blink_left", "eyes", (-0.15, 1.0), 0.34),  # -0.15 wide open .. 1 closed
    Parameter("blink_right", "eyes", (-0.15, 1.0), 0.34),
    Parameter("gaze_x", "eyes", (-0.52, 0.52), 0.15, 0.7),  # positive to the image's right
    Parameter("gaze_y", "eyes", (-0.33, 0.33), 0.1, 0.7),  # positive up
    Parameter("yaw", "pose", (-0.6, 0.6), 0.18, 1.5, limits=(-1.1, 1.1)),  # positive: nose to the image's right
    Parameter("pitch", "pose", (-0.37, 0.37), 0.11, 1.5, limits=(-0.75, 0.75)),  # positive looks down
    Parameter("roll", "pose", (-0.28, 0.27), 0.08, 1.5, limits=(-0.5, 0.5)),  # positive: crown to the image's left
    Parameter("shift_x", "pose", (-0.14, 0.14), 0.042, 1.2, framing=True),  # of the head; positive to the image's right
    Parameter("shift_y", "pose", (-0.12, 0.12), 0.038, 1.2, framing=True),  # up
    Parameter("shift_z", "pose", (-0.4, 0.39), 0.125, 1.2, framing=True),  # towards the camera
    Parameter("shoulder_x", "pose", (-0.09, 0.09), 0.03, 0.5, framing=True),
    Parameter("shoulder_y", "pose", (-0.09, 0.09), 0.03, 0.5, framing=True),
    Parameter("tongue", "mouth", (0.0, 0.99), 0.23, 0.5),  # tip raised towards the upper teeth, as in "th" and "l"
)
"""The motion parameters in storage order; left and right are the image's."""

PARAMETERS: tuple[str, ...] = tuple(parameter.name for parameter in MOTION)
"""Names of the motion parameters."""
INDEX: dict[str, int] = {name: i for i, name in enumerate(PARAMETERS)}
COUNT: int = len(PARAMETERS)
REGIONS: dict[str, tuple[str, ...]] = {
    region: tuple(parameter.name for parameter in MOTION if parameter.region == region) for region in HEIGHTS
}
"""The parameters of each region of the face, for editing and joint control."""
HAND_MOVES: tuple[Parameter, ...] = (
    Parameter("out", "pose", (-0.25, 0.8), 0.35),  # of the wrist, away from the middle of the body
    Parameter("up", "pose", (-0.25, 1.3), 0.55),
    Parameter("near", "pose", (-0.25, 0.5), 0.2, 0.7),  # towards the camera
    Parameter("flex", "pose", (-0.55, 0.65), 0.25, 0.5),  # radians of the wrist, towards the palm
)
"""How one hand of a drawn half body moves, in tenths of a metre from where it rests before the belly."""
ARMS: tuple[Parameter, ...] = tuple(
    replace(move, name=f"{side}_{move.name}") for side in ("left", "right") for move in HAND_MOVES
) + (
    Parameter("lift", "pose", (-0.18, 0.18), 0.07, 0.5),  # of both shoulders
    Parameter("lean", "pose", (-0.09, 0.09), 0.03, 0.7),  # of the body, radians, as roll
)
"""Further parameters of checkpoints for half bodies, after those of `MOTION`; left and right are the image's."""
FRAMINGS: tuple[str, ...] = ("head", "half")
"""What pictures show: head and shoulders, or the body down to the hips with arms and hands."""
FRAMING: tuple[int, ...] = tuple(i for i, parameter in enumerate(MOTION) if parameter.framing)
"""Indices of the parameters that say where head and shoulders are in the picture."""

MOTION_MODES: tuple[str, ...] = ("relative", "keep_lips", "absolute", "expression")
"""How motion is retargeted to a portrait (`media.motion.retarget`)."""

LENGTH_MODES: tuple[str, ...] = ("cut", "hold", "loop", "bounce", "retime")
"""What becomes of motion that is not as long as it should be (`media.motion_length.fit_length`)."""

BACKGROUND, SKIN, EYE, TEETH, TONGUE, HAIR, NECK, TORSO, GLASS, EAR, CAVITY = range(11)
HAND = 16
"""Part numbers in the labels of drawn pictures. Beards and lips are skin, hats are hair, a bare forearm is its hand."""
INSIDE_MOUTH = (TEETH, TONGUE, CAVITY)
"""Parts that are visible only in an open mouth."""

LANDMARKS: tuple[str, ...] = (
    "left_eye_outer", "left_eye_inner", "left_lid_upper", "left_lid_lower",
    "right_eye_outer", "right_eye_inner", "right_lid_upper", "right_lid_lower",
    "left_brow_outer", "left_brow_middle", "left_brow_inner",
    "right_brow_outer", "right_brow_middle", "right_brow_inner",
    "nose_bridge", "nose_tip", "nose_left", "nose_right", "nose_base",
    "mouth_left", "mouth_right", "upper_lip_inner", "lower_lip_inner", "upper_lip_outer", "lower_lip_outer",
    "upper_lip_inner_left", "upper_lip_inner_right", "lower_lip_inner_left", "lower_lip_inner_right",
    "chin", "jaw_left", "jaw_right", "cheek_left", "cheek_right", "temple_left", "temple_right",
    "left_pupil", "right_pupil", "forehead", "crown",
)  # fmt: skip
"""The 2-D landmarks in storage order (left and right are the image's); all but the crown bound the face box."""


SIDES = "left", "right"  # the image's
ARM_LANDMARKS: tuple[str, ...] = tuple(
    f"{side}_{point}" for side in SIDES for point in ("shoulder", "forearm", "wrist", "tip")
)
"""Further landmarks of half bodies, after those: joint, middle of the forearm, wrist, tip of the middle finger."""


ARM_BONES: tuple[str, ...] = tuple(f"{side}_{bone}" for bone in ("upper_arm", "forearm", "hand") for side in SIDES)
"""The bones of a half body's arms, from the body outwards."""


def landmarks(*starts: str) -> tuple[int, ...]:
    """Indices of the landmarks whose names begin with one of `starts`, in storage order."""
    return tuple(i for i, name in enumerate(LANDMARKS) if name.startswith(starts))
