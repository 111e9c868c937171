"""Motion parameters to and from ARKit's blend shapes, as Live Link Face records them.

ARKit names sides by the person, the parameters by the picture: EyeBlinkLeft is blink_right. What the two say alike goes
there and back without loss. What differs:

- ARKit tells a lowered brow and a furrow by one shape: a brow lowered without a furrow comes back with one.
- tongue (its tip behind the teeth) and the shoulders have no shape; TongueOut, cheeks, nose and a jaw moved sideways
  have no parameter.
"""

from __future__ import annotations

import numpy as np

from ..vocabulary import COUNT, INDEX, PARAMETERS

SHAPES: tuple[str, ...] = (
    "EyeBlinkLeft", "EyeLookDownLeft", "EyeLookInLeft", "EyeLookOutLeft", "EyeLookUpLeft", "EyeSquintLeft",
    "EyeWideLeft", "EyeBlinkRight", "EyeLookDownRight", "EyeLookInRight", "EyeLookOutRight", "EyeLookUpRight",
    "EyeSquintRight", "EyeWideRight", "JawForward", "JawRight", "JawLeft", "JawOpen", "MouthClose", "MouthFunnel",
    "MouthPucker", "MouthRight", "MouthLeft", "MouthSmileLeft", "MouthSmileRight", "MouthFrownLeft", "MouthFrownRight",
    "MouthDimpleLeft", "MouthDimpleRight", "MouthStretchLeft", "MouthStretchRight", "MouthRollLower", "MouthRollUpper",
    "MouthShrugLower", "MouthShrugUpper", "MouthPressLeft", "MouthPressRight", "MouthLowerDownLeft",
    "MouthLowerDownRight", "MouthUpperUpLeft", "MouthUpperUpRight", "BrowDownLeft", "BrowDownRight", "BrowInnerUp",
    "BrowOuterUpLeft", "BrowOuterUpRight", "CheekPuff", "CheekSquintLeft", "CheekSquintRight", "NoseSneerLeft",
    "NoseSneerRight", "TongueOut",
)  # fmt: skip
"""The 52 shapes in Live Link Face's order, 0 to 1 each."""
ANGLES: tuple[str, ...] = (
    "HeadYaw", "HeadPitch", "HeadRoll", "LeftEyeYaw", "LeftEyePitch", "LeftEyeRoll", "RightEyeYaw", "RightEyePitch",
    "RightEyeRoll",
)  # fmt: skip
"""Radians. In recordings the eyes' yaw is positive to the person's right and their pitch positive down; the head's are
taken alike, and its roll, by the same axes, positive towards the person's left."""
COLUMNS: tuple[str, ...] = SHAPES + ANGLES
PLACE: dict[str, int] = {name: i for i, name in enumerate(COLUMNS)}

JAW = 1.5  # jaw parameters of JawOpen 1: people who speak reach .3 to .5 of it, of the parameter .68
FROWN, LOWERED, WIDE = 0.6, 0.5, 0.15  # parameters at the opposite ends of smile, brow and blink
YAW, PITCH = 0.65, 0.525  # radians of an eye whose EyeLook is 1, of two recordings (0.63, 0.69; 0.527, 0.525)
FUNNEL_ROUNDS, FUNNEL_PARTS, DIMPLE_SPREADS, ROLL_PRESSES, INNER_RAISES = 0.5, 0.3, 0.5, 0.5, 0.7
SIDES = {"left": "Right", "right": "Left"}  # of the picture -> of the person

CARRIED: tuple[str, ...] = tuple(
    name for name in PARAMETERS if name not in ("tongue", "shift_x", "shift_y", "shift_z", "shoulder_x", "shoulder_y")
)
"""The parameters that ARKit's columns hold."""


def to_arkit(parameters: np.ndarray) -> np.ndarray:
    """Motion parameters (T,24) -> (T,61) float32 in the order of COLUMNS: shapes in [0,1], angles in radians."""
    p = {name: parameters[:, i].astype(np.float64) for name, i in INDEX.items()}
    out = {"JawOpen": p["jaw"] / JAW, "MouthClose": -p["jaw"] / JAW, "MouthPucker": p["pucker"]}
    raised = {side: p[f"brow_{side}"] + LOWERED * _down(p, side) for side in SIDES}
    out["BrowInnerUp"] = np.clip(np.minimum(raised["left"], raised["right"]), 0, 1)
    for side, person in SIDES.items():
        out[f"MouthStretch{person}"] = p["spread"]
        out[f"MouthPress{person}"] = p["press"]
        out[f"MouthUpperUp{person}"] = p["upper_lip"]
        out[f"MouthLowerDown{person}"] = p["lower_lip"]
        out[f"MouthSmile{person}"] = p[f"smile_{side}"]
        out[f"MouthFrown{person}"] = -p[f"smile_{side}"] / FROWN
        out[f"EyeBlink{person}"] = p[f"blink_{side}"]
        out[f"EyeWide{person}"] = -p[f"blink_{side}"] / WIDE
        out[f"BrowDown{person}"] = _down(p, side)
        out[f"BrowOuterUp{person}"] = raised[side]
        aside = -1 if person == "Right" else 1  # gaze_x is positive to the person's left, outwards for the left eye
        out[f"EyeLookOut{person}"] = aside * p["gaze_x"] / YAW
        out[f"EyeLookIn{person}"] = -aside * p["gaze_x"] / YAW
        out[f"EyeLookUp{person}"] = p["gaze_y"] / PITCH
        out[f"EyeLookDown{person}"] = -p["gaze_y"] / PITCH
        out[f"{person}EyeYaw"], out[f"{person}EyePitch"] = -p["gaze_x"], -p["gaze_y"]
    out |= {"HeadYaw": -p["yaw"], "HeadPitch": p["pitch"], "HeadRoll": -p["roll"]}
    values = np.zeros((len(parameters), len(COLUMNS)), np.float32)
    for name, column in out.items():
        values[:, PLACE[name]] = np.clip(column, 0, 1) if name in SHAPES else column
    return values


def _down(p: dict[str, np.ndarray], side: str) -> np.ndarray:
    """BrowDown of a side of the picture: the furrow, or more where the brow is lowered further than one lowers it."""
    return np.clip(np.maximum(p["furrow"], -p[f"brow_{side}"] / LOWERED), 0, 1)


def from_arkit(values: np.ndarray) -> np.ndarray:
    """(T,61) in the order of COLUMNS -> motion parameters (T,24) float32, those that ARKit does not tell at 0."""
    v = {name: values[:, i].astype(np.float64) for name, i in PLACE.items()}

    def both(name: str) -> np.ndarray:
        return (v[f"{name}Left"] + v[f"{name}Right"]) / 2

    funnel = v["MouthFunnel"]
    p = {
        "jaw": JAW * (v["JawOpen"] - v["MouthClose"]),
        "pucker": v["MouthPucker"] + FUNNEL_ROUNDS * funnel,
        "spread": both("MouthStretch") + DIMPLE_SPREADS * both("MouthDimple"),
        "press": both("MouthPress") + ROLL_PRESSES * (v["MouthRollLower"] + v["MouthRollUpper"]) / 2,
        "upper_lip": both("MouthUpperUp") + FUNNEL_PARTS * funnel,
        "lower_lip": both("MouthLowerDown") + FUNNEL_PARTS * funnel,
        "furrow": np.minimum(v["BrowDownLeft"], v["BrowDownRight"]),
        "gaze_x": YAW * (v["EyeLookOutLeft"] - v["EyeLookInLeft"] + v["EyeLookInRight"] - v["EyeLookOutRight"]) / 2,
        "gaze_y": PITCH * (both("EyeLookUp") - both("EyeLookDown")),
        "yaw": -v["HeadYaw"],
        "pitch": v["HeadPitch"],
        "roll": -v["HeadRoll"],
    }
    for side, person in SIDES.items():
        raised = np.maximum(v[f"BrowOuterUp{person}"], INNER_RAISES * v["BrowInnerUp"])
        p[f"brow_{side}"] = raised - LOWERED * v[f"BrowDown{person}"]
        p[f"smile_{side}"] = v[f"MouthSmile{person}"] - FROWN * v[f"MouthFrown{person}"]
        p[f"blink_{side}"] = v[f"EyeBlink{person}"] - WIDE * v[f"EyeWide{person}"]
    found = np.zeros((len(values), COUNT), np.float32)
    for name, column in p.items():
        found[:, INDEX[name]] = column
    return found
