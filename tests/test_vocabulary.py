"""The shared definitions: all of the package uses the same parameters, parts, landmarks and rates."""

import subprocess
import sys

from mamba_portrait.vocabulary import (
    COUNT,
    FPS,
    FRAMING,
    INDEX,
    LANDMARKS,
    MOTION,
    PARAMETERS,
    REGIONS,
    SAMPLE_RATE,
    SAMPLES_A_FRAME,
    landmarks,
)


def test_storage_order_is_that_of_the_shipped_weights():
    """Weights and corpora store parameters and landmarks by index only, so the order must not change."""
    assert PARAMETERS == tuple(
        "jaw pucker spread smile_left smile_right press upper_lip lower_lip brow_left brow_right furrow blink_left "
        "blink_right gaze_x gaze_y yaw pitch roll shift_x shift_y shift_z shoulder_x shoulder_y tongue".split()
    )
    assert COUNT == 24 and [INDEX[name] for name in PARAMETERS] == list(range(24))
    assert FRAMING == (18, 19, 20, 21, 22)
    assert len(LANDMARKS) == len(set(LANDMARKS)) == 40 and landmarks("mouth", "chin", "left_pupil") == (19, 20, 29, 36)


def test_each_parameter_has_one_region_and_order_in_it():
    assert list(REGIONS) == ["mouth", "brows", "eyes", "pose"]
    assert sorted(name for region in REGIONS.values() for name in region) == sorted(PARAMETERS)
    assert REGIONS["mouth"] == (*PARAMETERS[:8], "tongue") and REGIONS["pose"] == PARAMETERS[15:23]


def test_rest_is_drawn_and_everything_drawn_is_within_the_limits():
    for parameter in MOTION:
        (low, high), (lowest, highest) = parameter.drawn, parameter.limits
        assert lowest < low <= 0 < high < highest, parameter.name


def test_a_frame_has_a_whole_number_of_samples():
    assert SAMPLES_A_FRAME * FPS == SAMPLE_RATE


def test_the_vocabulary_is_light():
    code = "import sys, mamba_portrait.vocabulary; print(sorted({'torch', 'cv2', 'numpy', 'av'} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (shown.stdout, shown.stderr) == ("[]\n", "")
