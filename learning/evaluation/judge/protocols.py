"""The papers' protocols by name: on which data, at which size, with which measures, and the tables they are read in."""

from __future__ import annotations

from dataclasses import dataclass

from . import papers
from .papers import PaperTable

VIDEO, VOICE, PHONES = "video", "voice", "phones"
"""What drives the portrait: the clip's own pictures, its sound, or its sound with the lips of its TextGrid's phones."""
DRIVES = (VIDEO, VOICE)


@dataclass(frozen=True)
class Protocol:
    """sets: the data that the paper names. size: side of the pictures that are compared. columns: (title in the paper,
    measure, drive); a drive of "" stands for each drive that was run, a row each. tables: the paper's own figures in
    the same columns. framing: of the people, and so of our networks."""

    name: str
    what: str
    sets: tuple[str, ...]
    size: int
    columns: tuple[tuple[str, str, str], ...]
    tables: tuple[PaperTable, ...] = ()
    framing: str = "head"


PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            "implicit-motion-talking-head",
            "self-reenactment from the first frame, 256 x 256, 25 fps; the same driven by the voice",
            ("MEAD", "DiverseHeads"),
            256,
            (
                ("Headpose", "headpose", ""),
                ("PSNR", "psnr", ""),
                ("SSIM", "ssim", ""),
                ("FID", "fid", ""),
                ("FVD", "fvd", ""),
                ("LSE-D", "lse_d", ""),
                ("LSE-C", "lse_c", ""),
            ),
            (papers.MEAD, papers.DIVERSE_HEADS),
        ),
        Protocol(
            "implicit-motion-gesture",
            "half-body speakers, 256 x 256, 25 fps: pictures of self-reenactment, and films driven by the voice",
            ("PATS",),
            256,
            (
                ("Headpose", "headpose", VIDEO),
                ("PSNR", "psnr", VIDEO),
                ("SSIM", "ssim", VIDEO),
                ("LPIPS", "lpips_alex", VIDEO),
                ("FID", "fid", VOICE),
                ("FVD", "fvd", VOICE),
                ("DIV", "div", VOICE),
                ("TGD", "tgd", VOICE),
                ("LSE-D", "lse_d", VOICE),
                ("LSE-C", "lse_c", VOICE),
            ),
            (papers.PATS, papers.PATS_ABLATION),
            "half",
        ),
        Protocol(
            "actalker",
            "the measures of the supplement's section A.2 on films driven by the voice and by the clip's own pictures",
            (),
            640,
            (
                ("Sync-C", "lse_c", ""),
                ("Sync-D", "lse_d", ""),
                ("PSNR", "psnr", ""),
                ("SSIM", "ssim", ""),
                ("LPIPS", "lpips_vgg", ""),
                ("FID", "fid", ""),
                ("FVD", "fvd", ""),
                ("LMD", "lmd", ""),
                ("Pose distance", "pose_emoca", ""),
                ("Expression similarity", "expression", ""),
                ("Identity similarity", "identity", ""),
                ("Smoothness", "flow_variance", ""),
            ),
        ),
    )
}


def protocol_of(name: str) -> Protocol:
    """ValueError, which names them all, for one that does not exist."""
    if name not in PROTOCOLS:
        raise ValueError(f"There is no protocol '{name}'; use one of {', '.join(PROTOCOLS)}.")
    return PROTOCOLS[name]
