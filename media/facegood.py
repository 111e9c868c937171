"""FACEGOOD's columns (Audio2Face's mouth weights) to and from motion parameters, by way of ARKit's shapes.

Its README names the partners; mouth_oh_c and mouth_oo_c have none and count as half a funnel and half a pucker when
read. Shapes of brows, eyes and the head are not among its columns.
"""

from __future__ import annotations

import numpy as np

from .arkit import COLUMNS, PLACE, from_arkit

PARTNERS: dict[str, str] = {
    "mouth_stretch_c": "JawOpen",
    "jaw_sideways_l": "JawLeft",
    "mouth_chinRaise_u": "MouthShrugUpper",
    **{f"mouth_funnel_{place}": "MouthFunnel" for place in ("dl", "dr", "ul", "ur")},
    **{f"mouth_suck_d{side}": "MouthRollLower" for side in "lr"},
    **{f"mouth_suck_u{side}": "MouthRollUpper" for side in "lr"},
    **{f"mouth_pucker_{side}": "MouthPucker" for side in "lr"},
    **{
        f"{ours}_{side[0].lower()}": f"{theirs}{side}"
        for ours, theirs in (
            ("mouth_dimple", "MouthDimple"),
            ("mouth_lipCornerPull", "MouthSmile"),
            ("mouth_lipStretch", "MouthStretch"),
            ("mouth_lowerLipDepress", "MouthLowerDown"),
            ("mouth_press", "MouthPress"),
            ("mouth_upperLipRaise", "MouthUpperUp"),
            ("nose_wrinkle", "NoseSneer"),
        )
        for side in ("Left", "Right")
    },
}
"""Column -> ARKit's shape; of several columns with one shape the largest counts."""
HALF = {"mouth_oh_c": "MouthFunnel", "mouth_oo_c": "MouthPucker"}
FACEGOOD: tuple[str, ...] = (
    "mouth_stretch_u", "tooth_d_d", "jaw_sideways_l", "mouth_chinRaise_u", "mouth_dimple_l", "mouth_dimple_r",
    "mouth_funnel_dl", "mouth_funnel_dr", "mouth_funnel_ul", "mouth_funnel_ur", "mouth_lipCornerPullOpen_l",
    "mouth_lipCornerPullOpen_r", "mouth_lipCornerPull_l", "mouth_lipCornerPull_r", "mouth_lipStretch_l",
    "mouth_lipStretch_r", "mouth_lowerLipDepress_l", "mouth_lowerLipDepress_r", "mouth_oh_c", "mouth_oo_c",
    "mouth_press_l", "mouth_press_r", "mouth_pucker_l", "mouth_pucker_r", "mouth_stretch_c", "mouth_suck_dl",
    "mouth_suck_dr", "mouth_suck_ul", "mouth_suck_ur", "mouth_upperLipRaise_l", "mouth_upperLipRaise_r",
    "nose_wrinkle_l", "nose_wrinkle_r",
)  # fmt: skip
"""The 33 of its 116 columns that its recordings move."""


def from_facegood(values: np.ndarray) -> np.ndarray:
    """(T,33) in the order of FACEGOOD -> motion parameters (T,24)."""
    arkit = np.zeros((len(values), len(COLUMNS)), np.float32)
    for i, name in enumerate(FACEGOOD):
        shape, share = (PARTNERS.get(name), 1.0) if name in PARTNERS else (HALF.get(name), 0.5)
        if shape is not None:
            place = PLACE[shape]
            arkit[:, place] = np.maximum(arkit[:, place], share * values[:, i])
    return from_arkit(arkit)


def to_facegood(arkit: np.ndarray) -> np.ndarray:
    """ARKit's columns (T,61) -> (T,33) in the order of FACEGOOD; columns without a partner are 0."""
    values = np.zeros((len(arkit), len(FACEGOOD)), np.float32)
    for i, name in enumerate(FACEGOOD):
        if name in PARTNERS:
            values[:, i] = arkit[:, PLACE[PARTNERS[name]]]
    closed = arkit[:, PLACE["MouthClose"]]
    values[:, FACEGOOD.index("mouth_stretch_c")] = np.maximum(arkit[:, PLACE["JawOpen"]] - closed, 0)
    return values
