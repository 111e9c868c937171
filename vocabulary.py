"""The motion parameters of a drawn head: the language that speech, renderer and read-out share.

Expressions are 0..1 of a wide but natural range (negative values allowed where the muscle has an opposite), angles are
radians, shifts are in half head widths. A head at rest, facing the camera with lips closed and eyes open, is the zero
vector.
"""

PARAMETERS: tuple[str, ...] = (
    "jaw",  # 0 closed .. 1 wide open
    "pucker",  # rounded lips, as in "oo"
    "spread",  # corners drawn apart, as in "ee"
    "smile_left",
    "smile_right",  # -0.5 frown .. 1 smile
    "press",  # lips pressed together, as in "m"
    "upper_lip",  # upper lip raised, upper teeth shown
    "lower_lip",  # lower lip drawn down, lower teeth shown
    "brow_left",
    "brow_right",  # -0.5 lowered .. 1 raised
    "furrow",  # brows drawn together
    "blink_left",
    "blink_right",  # -0.15 wide open .. 1 closed
    "gaze_x",  # radians, positive to the image's right
    "gaze_y",  # radians, positive up
    "yaw",  # radians, positive turns the nose to the image's right
    "pitch",  # radians, positive looks down
    "roll",  # radians, positive tilts the crown to the image's left
    "shift_x",
    "shift_y",
    "shift_z",  # head translation; z towards the camera
    "shoulder_x",
    "shoulder_y",
    "tongue",  # tip raised towards the upper teeth, as in "th" and "l"
)
"""Names in storage order; left and right are the image's."""

INDEX: dict[str, int] = {name: i for i, name in enumerate(PARAMETERS)}
COUNT: int = len(PARAMETERS)

REGIONS: dict[str, tuple[str, ...]] = {
    "mouth": PARAMETERS[0:8] + ("tongue",),
    "brows": PARAMETERS[8:11],
    "eyes": PARAMETERS[11:15],
    "pose": PARAMETERS[15:23],
}
"""The parameters of each face region, the handles for editing and joint control."""
