"""Measures by networks whose weights the user names: LPIPS, features for FID and FVD, identity, pose and expression.

Each builder takes `Networks` and gives a function of pictures (B,3,H,W) in [0,1].
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ....networks.actalker.arcface import ArcFace
from .networks.efficientnet import EfficientNetLite0
from .networks.emoca import EmocaEncoders
from .networks.i3d import I3D
from .weights import Networks

BACKBONES = {"alex": "alexnet", "vgg": "vgg16"}  # of LPIPS: the library's name, ours
FACE, EMOCA_FACE = 112, 224
CLIP = 16  # frames of a clip of FVD
CHANGE = 4  # by which differences of frames are amplified before EfficientNet sees them
BATCH = 16


def lpips(networks: Networks, backbone: str) -> Callable[[Tensor, Tensor], Tensor]:
    """(B,) LPIPS 0.1 of two batches, by the library `lpips`, which brings its linear layers; "alex" or "vgg"."""
    try:
        from lpips import LPIPS
    except ImportError as fault:
        raise ImportError("LPIPS is measured by the library lpips: pip install 'mamba-portrait[metrics]'") from fault
    measure = LPIPS(net=backbone, pnet_rand=True, verbose=False)
    state = {key.removeprefix("features."): value for key, value in networks.state(BACKBONES[backbone]).items()}
    places = {key.split(".", 1)[1]: key for key in measure.net.state_dict()}  # N.weight: sliceK.N.weight
    wanted = {places[key]: value for key, value in state.items() if key in places}
    missing = set(measure.net.state_dict()) - set(wanted)
    if missing:
        raise ValueError(
            f"{networks.files[BACKBONES[backbone]].name} lacks layers of the backbone, such as {min(missing)}"
        )
    measure.net.load_state_dict(wanted)
    measure = measure.to(networks.device).eval().requires_grad_(False)
    return lambda a, b: measure(2 * a.to(networks.device) - 1, 2 * b.to(networks.device) - 1).flatten().cpu()


def inception_features(networks: Networks) -> Callable[[Tensor], Tensor]:
    """(B,2048) features for FID, by torch-fidelity's port of the network that FID was defined with."""
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except ImportError as fault:
        raise ImportError("FID needs the library torch-fidelity: pip install 'mamba-portrait[metrics]'") from fault
    networks.state("inception")  # read as weights alone before the library opens it
    path = str(networks.files["inception"])
    network = FeatureExtractorInceptionV3("inception", ["2048"], feature_extractor_weights_path=path)
    network = network.to(networks.device)
    return lambda pictures: network(pictures.mul(255).round().byte().to(networks.device))[0].cpu()


def i3d_logits(networks: Networks) -> Callable[[Tensor], Tensor]:
    """Clips (B,3,16,H,W) in [0,1] -> logits (B,400) for FVD: from `i3d_torchscript.pt` as StyleGAN-V distributes it,
    which resizes and scales by itself, or from a state dict of I3D in PyTorch."""
    path, device = networks.check("i3d"), networks.device
    if _is_torchscript(path):
        script = torch.jit.load(str(path), map_location=device).eval()
        return lambda clips: script(255 * clips.to(device), rescale=True, resize=True, return_features=True).cpu()
    network = networks.load("i3d", I3D(), lambda key: key.removeprefix("module."))

    def look(clips: Tensor) -> Tensor:
        frames = clips.to(device).transpose(1, 2).flatten(0, 1)
        frames = F.interpolate(frames, size=(224, 224), mode="bilinear", align_corners=False)
        return network(2 * frames.unflatten(0, (len(clips), -1)).transpose(1, 2) - 1).cpu()

    return look


def _is_torchscript(path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as file:
        return any(name.endswith("constants.pkl") for name in file.namelist())


def clips_of(pictures: Tensor) -> Tensor:
    """(T,3,H,W) -> (N,3,16,H,W), without what remains at the end."""
    count = len(pictures) // CLIP
    return pictures[: count * CLIP].unflatten(0, (count, CLIP)).transpose(1, 2)


def identity(networks: Networks) -> Callable[[Tensor], Tensor]:
    """(B,512) embeddings of length 1 of face crops, by ArcFace (ResNet-50)."""
    network = networks.load("arcface", ArcFace())
    return lambda faces: F.normalize(network(2 * _sized(faces, FACE).to(networks.device) - 1), dim=1).cpu()


def emoca(networks: Networks) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    """Pose (B,6) in radians and expression (B,50) of face crops, by EMOCA's encoders."""

    def keep(key: str) -> str | None:
        key = key.removeprefix("deca.")
        return key if key.startswith(("E_flame.", "E_expression.")) and ".encoder.fc." not in key else None

    network = networks.load("emoca", EmocaEncoders(), keep)

    def look(faces: Tensor) -> tuple[Tensor, Tensor]:
        pose, expression = network(_sized(faces, EMOCA_FACE).to(networks.device))
        return pose.cpu(), expression.cpu()

    return look


def efficientnet_features(networks: Networks) -> Callable[[Tensor], Tensor]:
    """(B,1280) features of EfficientNet-Lite0 for our Frechet distances."""
    network = networks.load("efficientnet", EfficientNetLite0())
    return lambda pictures: network(2 * _sized(pictures, 224).to(networks.device) - 1).cpu()


def changes(pictures: Tensor) -> Tensor:
    """(T,3,H,W) -> (T-1,3,H,W): the differences of successive frames as pictures, grey where nothing moves."""
    return (0.5 + CHANGE / 2 * pictures.diff(dim=0)).clamp(0, 1)


def in_batches(function: Callable[..., Tensor], *pictures: Tensor, size: int = BATCH):
    """The results of a function over batches, joined; a tuple of them where it gives a tuple."""
    parts = [function(*part) for part in zip(*(p.split(size) for p in pictures), strict=True)]
    if isinstance(parts[0], tuple):
        return tuple(torch.cat(each) for each in zip(*parts, strict=True))
    return torch.cat(parts)


def cut_face(pictures: Tensor, box, scale: float = 1.0) -> Tensor:
    """(T,3,H,W) cut to a square around a face box (x0, y0, x1, y1), larger by `scale`, grey beyond the picture."""
    half = scale * max(box[2] - box[0], box[3] - box[1]) / 2
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    left, top, side = round(x - half), round(y - half), max(1, round(2 * half))
    height, width = pictures.shape[-2:]
    pads = (max(0, -left), max(0, left + side - width), max(0, -top), max(0, top + side - height))
    padded = nn.functional.pad(pictures, pads, value=0.5)
    return padded[..., top + pads[2] : top + pads[2] + side, left + pads[0] : left + pads[0] + side]


def _sized(pictures: Tensor, side: int) -> Tensor:
    if pictures.shape[-2:] == (side, side):
        return pictures
    return F.interpolate(pictures, size=(side, side), mode="bilinear", align_corners=False, antialias=True)
