"""The figures that the papers print, to stand beside ours. They are of the papers' own data and crops: only a figure
measured on the same clips by the same code may be compared with another."""

from __future__ import annotations

from dataclasses import dataclass

PAPER = "Mamba-Enhanced Implicit Motion Learning (ICME 2026)"
SUPPLEMENT = "ACTalker, supplement"


@dataclass(frozen=True)
class PaperTable:
    """A table as printed: its columns, and rows {method: figures}, None where a dash stands."""

    title: str
    columns: tuple[str, ...]
    rows: dict[str, tuple[float | None, ...]]


HEAD = ("Headpose", "PSNR", "SSIM", "FID", "FVD", "LSE-D", "LSE-C")
BODY = ("Headpose", "PSNR", "SSIM", "LPIPS", "FID", "FVD", "DIV", "TGD", "LSE-D", "LSE-C")
_DASH = (None,) * 4

MEAD = PaperTable(
    f"{PAPER}, MEAD",
    HEAD,
    {
        "AniPortrait": (1.476, 27.446, 0.880, 64.755, 218.258, 10.430, 1.408),
        "DaGAN": (8.008, 31.811, 0.934, 34.834, 129.180, 10.775, 1.214),
        "FOMM": (7.977, 29.236, 0.899, 37.022, 143.790, 10.437, 1.447),
        "LivePortrait": (1.348, 32.518, 0.941, 34.125, 102.980, 10.463, 1.048),
        "MCNet": (7.397, 32.804, 0.940, 33.141, 135.458, 10.038, 1.812),
        "TPSMM": (7.874, 31.924, 0.940, 34.619, 136.075, 10.486, 1.370),
        "the paper's": (1.465, 34.661, 0.953, 30.501, 92.179, 9.025, 2.672),
    },
)
DIVERSE_HEADS = PaperTable(
    f"{PAPER}, DiverseHeads",
    HEAD,
    {
        "AniPortrait": (1.920, 23.245, 0.804, 42.941, 225.998, 10.040, 1.605),
        "DaGAN": (5.159, 26.119, 0.863, 31.567, 115.952, 10.177, 1.579),
        "FOMM": (5.134, 22.990, 0.803, 33.465, 150.046, 10.177, 1.608),
        "LivePortrait": (1.339, 26.216, 0.872, 25.401, 108.540, 9.814, 2.098),
        "MCNet": (4.207, 27.759, 0.885, 27.730, 113.583, 10.075, 1.739),
        "TPSMM": (5.148, 26.997, 0.879, 27.389, 121.976, 10.096, 1.717),
        "the paper's": (1.826, 29.213, 0.908, 23.718, 77.267, 9.248, 2.777),
    },
)
PATS = PaperTable(
    f"{PAPER}, PATS",
    BODY,
    {
        "S2G-MDDiffusion": (1.333, 28.500, 0.894, 0.040, 25.325, 109.424, 6.280, 6.610, 11.010, 0.971),
        "TANGO": (*_DASH, 42.863, 168.313, 5.217, 1.883, 10.365, 1.736),
        "the paper's": (1.115, 28.835, 0.905, 0.027, 19.246, 54.456, 7.159, 5.027, 10.257, 1.531),
    },
)
PATS_ABLATION = PaperTable(
    f"{PAPER}, PATS, ablation",
    BODY,
    {
        "w/o Appearance": (1.694, 26.299, 0.869, 0.043, 28.194, 90.955, 6.511, 6.887, 11.260, 0.721),
        "w/o Trans. in DIT": (1.576, 24.790, 0.854, 0.057, 32.234, 153.641, 5.800, 7.213, 11.692, 0.309),
        "w/o attention map": (1.500, 25.801, 0.863, 0.047, 29.148, 133.441, 6.405, 6.597, 11.780, 0.296),
        "w/o mamba-g": (*_DASH, 31.136, 70.773, 6.139, 6.697, 11.038, 1.230),
        "w/o mamba-l": (*_DASH, 30.587, 71.032, 4.706, 5.593, 11.000, 1.090),
        "the paper's": (1.115, 28.835, 0.905, 0.027, 19.246, 54.456, 7.159, 5.027, 10.257, 1.531),
    },
)
SECONDS = PaperTable(
    f"{PAPER}, seconds for a second of film at 25 fps (of a machine that is not named in what we read)",
    ("img2img (s)", "audio2video (s)"),
    {
        "X-Portrait": (36.973, None),
        "Hallo2": (None, 22.088),
        "FOMM": (0.828, None),
        "LivePortrait": (1.127, None),
        "AniPortrait": (11.498, 11.816),
        "DaGAN": (2.126, None),
        "MCNet": (2.663, None),
        "TPSMM": (2.752, None),
        "the paper's": (1.322, 1.515),
    },
)
CRITERIA = ("Lip-sync", "Naturalness", "Quality")
STUDY = PaperTable(
    f"{SUPPLEMENT}, user study (%)",
    CRITERIA,
    {
        "Ditto-Talking": (0.00, 1.11, 2.78),
        "Echomimic": (5.89, 6.67, 5.56),
        "Hallo": (12.74, 11.11, 11.11),
        "Memo": (14.71, 12.22, 15.74),
        "SadTalker": (1.96, 0.00, 0.00),
        "VExpress": (3.92, 0.00, 0.00),
        "ACTalker": (60.78, 68.89, 64.81),
    },
)
