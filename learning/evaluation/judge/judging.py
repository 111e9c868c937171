"""Every measure of a film against the truth. What is seen in one film alone is observed once and used for all."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from ....media.faces import find_faces
from ....networks.renderer.model import Renderer
from ..metrics import psnr, ssim
from ..sync.judge import judge as judge_sync
from ..sync.judge import load_sync_judge
from ..sync.mouths import find_mouths
from . import perceptual
from .filming import phones_of_sample
from .frechet import frechet_distance, joined
from .lips import closures, compare_lips
from .measures import FIGURES, MEASURES
from .mesh import MeshProcess, without_gaps
from .motion import diversity, flow_measures, landmark_distance, optical_flow, pose_distance, temporal_distance
from .networks.syncnet import SyncNet
from .samples import Sample
from .sync import measure_sync, mouth_crop
from .weights import Networks

EVERY = 3  # of the frames EfficientNet sees one
LOOKS = 5  # frames in which a face is sought
EMOCA_SCALE = 1.25


@dataclass
class Observation:
    """What is seen in a film (T,3,S,S) alone. Parts that were not computed are None."""

    pictures: Tensor
    box: np.ndarray | None = None
    landmarks: np.ndarray | None = None
    motion: Tensor | None = None
    embeddings: Tensor | None = None
    codes: tuple[Tensor, Tensor] | None = None
    values: dict[str, float] = field(default_factory=dict)
    features: dict[str, np.ndarray] = field(default_factory=dict)


class Judge:
    """The instruments: MediaPipe's process, the user's networks, and our own motion encoder."""

    def __init__(self, networks: Networks, mesh: MeshProcess | None = None, renderer: Renderer | None = None):
        self.networks, self.mesh, self.renderer = networks, mesh, renderer
        builders: dict[str, Callable] = {
            "inception": perceptual.inception_features,
            "i3d": perceptual.i3d_logits,
            "arcface": perceptual.identity,
            "emoca": perceptual.emoca,
            "efficientnet": perceptual.efficientnet_features,
            "syncnet": lambda files: files.load("syncnet", SyncNet()),
            "sync_judge": lambda files: load_sync_judge(files.check("sync_judge")).to(files.device),
        }
        self.tools = {name: build(networks) for name, build in builders.items() if networks.has(name)}
        self.lpips = {
            name: perceptual.lpips(networks, name) for name, file in perceptual.BACKBONES.items() if networks.has(file)
        }

    def missing(self) -> dict[str, str]:
        """{measure: what it needs and lacks}."""
        there = {*self.tools, *(perceptual.BACKBONES[name] for name in self.lpips), "", "textgrid"}
        there |= {MEASURES["lmd"].needs} if self.mesh is not None else set()
        lacking = {name: measure.needs for name, measure in MEASURES.items() if measure.needs not in there}
        return lacking | ({name: "a renderer" for name in ("div", "tgd")} if self.renderer is None else {})

    @torch.inference_mode()
    def observe(self, frames: np.ndarray, sound: Tensor | None) -> Observation:
        """Frames (T,S,S,3) uint8 at 25 fps, and their sound (640 * T,)."""
        seen = Observation(torch.from_numpy(frames).movedim(-1, 1).float() / 255)
        if {"arcface", "emoca", "syncnet"} & set(self.tools):
            seen.box = face_box(frames)
        if self.mesh is not None:
            seen.landmarks = without_gaps(self.mesh.landmarks(frames))
        if self.renderer is not None:
            seen.motion = self._motion(seen.pictures)
            seen.values["div"] = diversity(seen.motion)
        seen.values |= flow_measures(optical_flow(frames))
        if "sync_judge" in self.tools and sound is not None:
            seen.values |= self._own_sync(frames, sound)
        self._faces(seen, frames, sound)
        self._features(seen)
        return seen

    def _motion(self, pictures: Tensor) -> Tensor:
        device = next(self.renderer.parameters()).device
        return perceptual.in_batches(lambda part: self.renderer.encode_motion(part.to(device)).float().cpu(), pictures)

    def _own_sync(self, frames: np.ndarray, sound: Tensor) -> dict[str, float]:
        mouths = find_mouths(torch.from_numpy(frame).float() / 255 for frame in frames)
        if mouths is None:
            return {}
        found = judge_sync(self.tools["sync_judge"], mouths.to(self.networks.device), sound.to(self.networks.device))
        return {
            "sync_score": found.score,
            "sync_confidence": found.confidence,
            "sync_offset": float(found.offset),
        }

    def _faces(self, seen: Observation, frames: np.ndarray, sound: Tensor | None) -> None:
        if seen.box is None:
            return
        if "arcface" in self.tools:
            faces = perceptual.cut_face(seen.pictures, seen.box)
            seen.embeddings = perceptual.in_batches(self.tools["arcface"], faces)
        if "emoca" in self.tools:
            faces = perceptual.cut_face(seen.pictures, seen.box, EMOCA_SCALE)
            seen.codes = perceptual.in_batches(self.tools["emoca"], faces)
        if "syncnet" in self.tools and sound is not None:
            seen.values |= measure_sync(self.tools["syncnet"], mouth_crop(frames, seen.box), sound)

    def _features(self, seen: Observation) -> None:
        def keep(name: str, tool: str, pictures: Tensor) -> None:
            if tool in self.tools and len(pictures):
                seen.features[name] = perceptual.in_batches(self.tools[tool], pictures).numpy()

        keep("inception", "inception", seen.pictures)
        keep("i3d", "i3d", perceptual.clips_of(seen.pictures))
        keep("frames", "efficientnet", seen.pictures[::EVERY])
        keep("changes", "efficientnet", perceptual.changes(seen.pictures)[::EVERY])

    @torch.inference_mode()
    def compare(self, made: Observation, truth: Observation, sample: Sample) -> dict[str, float]:
        """The measures of one sample; those that are not computed are left out. Both films are cut to the shorter."""
        length = min(len(made.pictures), len(truth.pictures))
        ours, theirs = made.pictures[:length], truth.pictures[:length]
        row = dict(made.values)
        row["psnr"] = float(perceptual.in_batches(psnr, ours, theirs).mean())
        row["ssim"] = float(perceptual.in_batches(ssim, ours, theirs).mean())
        for name, measure in self.lpips.items():
            row[f"lpips_{name}"] = float(perceptual.in_batches(measure, ours, theirs).mean())
        if made.motion is not None:
            row["tgd"] = temporal_distance(made.motion[:length], truth.motion[:length])
        if made.landmarks is not None and truth.landmarks is not None:
            a, b = made.landmarks[:length], truth.landmarks[:length]
            row |= {"headpose": pose_distance(a, b), **landmark_distance(a, b), **compare_lips(a, b)}
            if phones := phones_of_sample(sample):
                row["closures"] = closures(a, phones)
        if made.embeddings is not None and truth.embeddings is not None:
            row["identity"] = float((made.embeddings @ truth.embeddings[0]).mean())
        if made.codes is not None and truth.codes is not None:
            (pose, expression), (true_pose, true_expression) = made.codes, truth.codes
            row["pose_emoca"] = float((pose[:length] - true_pose[:length]).abs().mean())
            alike = torch.cosine_similarity(expression[:length], true_expression[:length], dim=1)
            row["expression"] = float(alike.mean())
        return {name: value for name, value in row.items() if name in FIGURES}


def face_box(frames: np.ndarray) -> np.ndarray | None:
    """The median box x0, y0, x1, y1 of the largest face in some frames (T,H,W,3) uint8, by our finder; None without."""
    picked = np.linspace(0, len(frames) - 1, min(LOOKS, len(frames))).round().astype(int)
    boxes = [faces[0].box for i in picked if (faces := find_faces(frames[i].astype(np.float32) / 255))]
    return np.median(np.float32(boxes), axis=0) if boxes else None


@dataclass
class Judged:
    """A method's figures: `rows` {sample: {measure: value}}, and `features` {sample: {name: (n,D)}} of its films."""

    rows: dict[str, dict[str, float]] = field(default_factory=dict)
    features: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)

    def means(self, truth: Judged) -> dict[str, float]:
        """Means over samples, and Frechet distances from the truth's features of the same samples."""
        found = {}
        for name, measure in MEASURES.items():
            if measure.features:
                pairs = self.pairs(truth, measure.features)
                if pairs:
                    found[name] = frechet_distance(*(joined(parts) for parts in zip(*pairs, strict=True)))
            else:
                rows = [row for row in self.rows.values() if math.isfinite(row.get(name, math.nan))]
                if rows:
                    whole = sum(row[measure.over] for row in rows) if measure.over else len(rows)
                    found[name] = sum(row[name] for row in rows) / max(whole, 1e-6)
        return found

    def pairs(self, truth: Judged, name: str) -> list[tuple[np.ndarray, np.ndarray]]:
        """Features of a name of each sample that both have, with the truth's."""
        return [
            (own[name], truth.features[sample][name])
            for sample, own in self.features.items()
            if name in own and name in truth.features.get(sample, {})
        ]
