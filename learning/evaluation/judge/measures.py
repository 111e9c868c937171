"""The names of all measures: what each says, which way is better, and what it needs."""

from __future__ import annotations

from dataclasses import dataclass

MESH = "MediaPipe (make judge)"


@dataclass(frozen=True)
class Measure:
    """better: "up", "down", or "truth" where the truth's own value is best. needs: names in weights.FILES, MESH, or
    "textgrid". `features` names the features that a Frechet distance is of; other measures are means over samples.
    over: the figure of a sample whose mean divides it (of the means: a clip that hardly moves would rule a mean of
    ratios). ours: defined here, or by another detector than the papers'."""

    title: str
    better: str
    needs: str = ""
    digits: int = 3
    features: str = ""
    ours: bool = False
    over: str = ""


MEASURES: dict[str, Measure] = {
    "psnr": Measure("PSNR", "up", digits=2),
    "ssim": Measure("SSIM", "up"),
    "lpips_alex": Measure("LPIPS (AlexNet)", "down", "alexnet"),
    "lpips_vgg": Measure("LPIPS (VGG)", "down", "vgg16"),
    "fid": Measure("FID", "down", "inception", 2, "inception"),
    "fvd": Measure("FVD", "down", "i3d", 1, "i3d"),
    "lse_d": Measure("LSE-D", "down", "syncnet"),
    "lse_c": Measure("LSE-C", "up", "syncnet"),
    "pose_emoca": Measure("pose distance (EMOCA, rad)", "down", "emoca", 4),
    "expression": Measure("expression similarity (EMOCA)", "up", "emoca"),
    "identity": Measure("identity similarity (ArcFace)", "up", "arcface"),
    "headpose": Measure("head pose (MediaPipe, degrees)", "down", MESH, 2, ours=True),
    "lmd": Measure("LMD (MediaPipe, % of the eyes' distance)", "down", MESH, 2, ours=True),
    "lmd_mouth": Measure("LMD of the mouth (the same)", "down", MESH, 2, ours=True),
    "lips": Measure("lips: opening, correlation at its best lag", "up", MESH, ours=True),
    "lips_lag": Measure("that lag (frames)", "truth", MESH, 2, ours=True),
    "lips_now": Measure("lips: opening, correlation without a lag", "up", MESH, ours=True),
    "lips_reach": Measure("reach of opening, of the truth's", "truth", MESH, 2, ours=True, over="true_reach"),
    "lips_width": Measure("lips: width, correlation at its best lag", "up", MESH, ours=True),
    "width_reach": Measure("reach of width, of the truth's", "truth", MESH, 2, ours=True, over="true_width_reach"),
    "closures": Measure("p b m: lowest opening, of the clip's 90th percentile", "truth", MESH, ours=True),
    "sync_score": Measure("sync by our judge: cosine as it stands", "up", "sync_judge", ours=True),
    "sync_confidence": Measure("sync by our judge: best shift over the median", "up", "sync_judge", ours=True),
    "sync_offset": Measure("sync by our judge: offset of the sound (frames)", "truth", "sync_judge", 2, ours=True),
    "frechet_frames": Measure("Frechet, frames (EfficientNet-Lite0)", "down", "efficientnet", 2, "frames", True),
    "frechet_changes": Measure("Frechet, changes of frames (the same)", "down", "efficientnet", 2, "changes", True),
    "div": Measure("DIV (our motion)", "truth", digits=2, ours=True),
    "tgd": Measure("TGD (our motion)", "down", ours=True),
    "flow_change": Measure("change of optical flow (px of 256)", "truth", ours=True),
    "flow_variance": Measure("variance of motion vectors (px² of 256)", "truth", ours=True),
}

FIGURES = (*MEASURES, *(measure.over for measure in MEASURES.values() if measure.over))
"""What is kept of a sample."""
ALWAYS = tuple(
    name
    for name, measure in MEASURES.items()
    if name in ("psnr", "ssim") or (measure.ours and measure.needs != "sync_judge")
)
NOT_COMPUTED = "not computed"


def shown(name: str, value: float | None, signed: bool = False) -> str:
    """A figure as text; "not computed" for None, "-" where it has no value."""
    if value is None:
        return NOT_COMPUTED
    if value != value or abs(value) == float("inf"):
        return "-"
    return f"{value:{'+' if signed else ''}.{MEASURES[name].digits}f}"
