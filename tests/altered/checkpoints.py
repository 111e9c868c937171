"""Small checkpoints, motion files and pickles, made anew, and what can be altered in them beside their bytes: config,
metadata, tensors, and code planted in a pickle. For harness.py."""

import contextlib
import functools
import io
import json
import math
import pickle
import random
import struct
import tempfile
import zipfile
from fractions import Fraction
from pathlib import Path

import torch
from torch import nn

from mamba_portrait.media.motion import Motion, save_motion
from mamba_portrait.model_loaders import checkpoint
from mamba_portrait.networks.face_finder import FaceFinder, FaceFinderConfig
from mamba_portrait.networks.joint_control import JointControl, JointControlConfig
from mamba_portrait.networks.motion_model.config import MotionModelConfig
from mamba_portrait.networks.motion_model.model import MotionModel
from mamba_portrait.networks.renderer.config import RendererConfig
from mamba_portrait.networks.renderer.model import Renderer

with contextlib.suppress(ImportError):  # diffusers is optional; without it, there are no files of ACTalker's
    from mamba_portrait.model_loaders.actalker.load import save_actalker
    from mamba_portrait.networks.actalker.config import ACTalkerConfig
    from mamba_portrait.networks.actalker.model import ACTalker

RENDERER = RendererConfig(
    image_size=64, motion_size=64, encoder_widths=(8, 8, 8), skip_widths=(4, 8), depth_planes=2, depth_channels=4,
    resnet3d_blocks=1, appearance_dim=16, motion_widths=(8, 8, 8), motion_blocks=(1, 1, 1), deviation_channels=4,
    deviation_layers=1, deviation_dim=16, deviation_blocks=1, deviation_heads=2, regions=2, lmdd_widths=(8, 8),
    refine_width=8, decoder_widths=(8, 8, 8),
)  # fmt: skip
MOTION_MODEL = MotionModelConfig(
    global_width=16, global_layers=1, local_width=16, local_layers=1, headdim=8, d_state=4, width=16, layers=1, heads=2,
    appearance_dim=16,
)  # fmt: skip
JOINT_CONTROL = JointControlConfig(width=4, states=2)
FACE_FINDER = FaceFinderConfig(widths=(4, 4, 4, 8, 8), blocks=1, head=8)
PARTS = ("audio_projector", "motion_projector", "head_pose")
MARK = "executed"  # the file that planted code makes, in the folder where it runs


def _network(make) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make().eval()


def _renderer() -> nn.Module:
    return _network(lambda: Renderer(RENDERER))


def _motion_model() -> nn.Module:
    return _network(lambda: MotionModel(MOTION_MODEL))


def _actalker() -> nn.Module:
    return _network(lambda: ACTalker(ACTalkerConfig.reduced(), PARTS))


def _bytes(write) -> bytes:
    """What a function writes into the path that it is given."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.safetensors"
        write(path)
        metadata, tensors = unpacked(path.read_bytes())
        return packed(dict(sorted(metadata.items())), dict(sorted(tensors.items())))  # safetensors writes any order


def _checkpoint(module: nn.Module, kind: str) -> bytes:
    return _bytes(lambda path: checkpoint.save_checkpoint(path, module, kind, module.config))


def _motion() -> bytes:
    values = torch.sin(torch.arange(5 * 768).reshape(5, 768) / 9)
    return _bytes(lambda path: save_motion(path, Motion(values, values[0].clone(), Fraction(25), "abc")))


def shards() -> dict[str, bytes]:
    """A renderer in parts: file name -> bytes, the index among them."""
    whole, room, saved = checkpoint.SHARD_BYTES, checkpoint.HEADER_BYTES, {}
    checkpoint.SHARD_BYTES, checkpoint.HEADER_BYTES = 100_000, 0
    try:
        with tempfile.TemporaryDirectory() as folder:
            module = _renderer()
            checkpoint.save_checkpoint(Path(folder) / "parts.safetensors", module, "renderer", module.config)
            saved = {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}
    finally:
        checkpoint.SHARD_BYTES, checkpoint.HEADER_BYTES = whole, room
    return saved


def pickled(state, **how) -> bytes:
    """As torch.save writes it."""
    file = io.BytesIO()
    torch.save(state, file, **how)
    return file.getvalue()


def _run(module: nn.Module, name: str) -> bytes:
    """The checkpoint of a training run, as far as `export` reads it."""
    state = {"config": module.config.to_dict(), name: 1, "average": module.state_dict(), "step": 3, "checkpoint": 2}
    return pickled(state | {"spent": 1.0, "motion_language": ""})


@functools.cache  # PyTorch's older format names storages by their addresses
def _part(name: str, **how) -> bytes:
    return pickled(dict(getattr(_actalker(), name).state_dict()), **how)


def _vasa() -> bytes:
    return pickled({"pose_model": dict(_actalker().head_pose.state_dict())})


INDEX = "parts.safetensors.index.json"
KINDS = {
    "renderer": {"renderer.safetensors": lambda: _checkpoint(_renderer(), "renderer")},
    "motion_model": {"motion_model.safetensors": lambda: _checkpoint(_motion_model(), "motion_model")},
    "face_finder": {
        "finder.safetensors": lambda: _checkpoint(_network(lambda: FaceFinder(FACE_FINDER)), "face_finder")
    },
    "joint_control": {
        "control.safetensors": lambda: _checkpoint(_network(lambda: JointControl(JOINT_CONTROL)), "joint_control")
    },
    "index": {INDEX: lambda: shards()[INDEX]},
    "motion": {"motion.safetensors": _motion},
    "run": {"stage1.pt": lambda: _run(_renderer(), "renderer"), "stage2.pt": lambda: _run(_motion_model(), "model")},
}
if "ACTalker" in globals():
    KINDS |= {
        "actalker": {"actalker.safetensors": lambda: _bytes(lambda path: save_actalker(_actalker(), path))},
        "part": {
            "motion_projector.pth": lambda: _part("motion_projector"),
            "audio_projector.pth": lambda: _part("audio_projector", _use_new_zipfile_serialization=False),
            "head_pose.ckpt": _vasa,
        },
    }


# ------------------------------------------------- alterations: (bytes, random, another file) -> bytes

ABSURD = (
    None, True, False, "x", "", "\ud800", -1, 0, 1, 3, 7, 64, 1 << 31, 10**9, 10**30, -(10**9), 0.5, 1.5, -0.0, 1e308,
    math.nan, math.inf, [], [1], [0, 0, 0],
    [10**6, 10**6, 10**6], [[1]], [None], ["x", "y", "z"], {}, {"a": 1}, "y" * 5000,
)  # fmt: skip
NO_CONFIG = ("", "{", "[]", "null", "3", '"x"', "[" * 5000, '{"a": ' + "1" * 5000 + "}", "NaN", "{}", '{"config": {}}')
NO_TEXT = ("", "0", "1/0", "-25", "nan", "inf", "1e999999999", "9" * 5000, "x" * 3000, "\0", "1e-300", "30000/1001/2",
           "25 ", "renderer", "motion", "two\nlines", "999", "[]")  # fmt: skip
DTYPES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1,
          "F8_E4M3": 1, "F8_E5M2": 1, "U16": 2, "C64": 8, "F8_E8M0": 1}  # fmt: skip


def unpacked(data: bytes) -> tuple[dict, dict]:
    """A safetensors file -> metadata, and name -> [dtype, shape, bytes]."""
    (size,) = struct.unpack_from("<Q", data)
    header, body = json.loads(data[8 : 8 + size]), data[8 + size :]
    metadata = header.pop("__metadata__", {})
    return metadata, {n: [t["dtype"], t["shape"], body[slice(*t["data_offsets"])]] for n, t in header.items()}


def packed(metadata: dict, tensors: dict) -> bytes:
    """The inverse of `unpacked`."""
    header, place = {"__metadata__": metadata}, 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [place, place + len(data)]}
        place += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(data for _, _, data in tensors.values())


def _replace_within(value, rng: random.Random):
    """A value of JSON with something in it replaced."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        name = rng.choice(list(value))
        return value | {name: _replace_within(value[name], rng)}
    if isinstance(value, list) and value and rng.random() < 0.5:
        place = rng.randrange(len(value))
        return [*value[:place], _replace_within(value[place], rng), *value[place + 1 :]]
    return rng.choice(ABSURD)


def config_value(data: bytes, rng: random.Random, other: bytes) -> bytes:
    """A value of the config replaced by another, most of them absurd."""
    metadata, tensors = unpacked(data)
    config = json.loads(metadata.get("config", "{}"))
    for _ in range(rng.choice((1, 1, 1, 2))):
        config = _replace_within(config, rng)
    return packed(metadata | {"config": json.dumps(config)}, tensors)


def config_field(data: bytes, rng: random.Random, other: bytes) -> bytes:
    """A field gone or new, or no config at all."""
    metadata, tensors = unpacked(data)
    config = json.loads(metadata.get("config", "{}"))
    how = rng.random()
    if how < 0.4:
        text = rng.choice(NO_CONFIG)
    elif how < 0.7 and config:
        config.pop(rng.choice(list(config)))
        text = json.dumps(config)
    else:
        text = json.dumps(config | {rng.choice(("new", "", "__class__", "\ud800")): rng.choice(ABSURD)})
    return packed(metadata | {"config": text}, tensors)


def metadata_text(data: bytes, rng: random.Random, other: bytes) -> bytes:
    """A text of the metadata replaced or gone."""
    metadata, tensors = unpacked(data)
    name = rng.choice(list(metadata))
    if rng.random() < 0.2:
        metadata.pop(name)
    else:
        metadata[name] = rng.choice(NO_TEXT)
    return packed(metadata, tensors)


def tensor_form(data: bytes, rng: random.Random, other: bytes) -> bytes:
    """A tensor of another dtype or shape, gone, new, or under another name."""
    metadata, tensors = unpacked(data)
    name, how = rng.choice(list(tensors)), rng.randrange(5)
    dtype, shape, values = tensors[name]
    if how == 0:
        dtype = rng.choice(list(DTYPES))
        tensors[name] = [dtype, shape, values * 4][:2] + [(values * 8)[: math.prod(shape) * DTYPES[dtype]]]
    elif how == 1:
        tensors[name] = [dtype, rng.choice(([math.prod(shape)], shape[::-1], [1, *shape], [0], [])), values]
        count = math.prod(tensors[name][1])
        tensors[name][2] = values[: count * DTYPES[dtype]]
    elif how == 2:
        del tensors[name]
    elif how == 3:
        tensors[rng.choice(("new", "", name + "x"))] = [dtype, shape, values]
    else:
        tensors[name + "."] = tensors.pop(name)
    return packed(metadata, tensors)


def tensor_values(data: bytes, rng: random.Random, other: bytes) -> bytes:
    """Numbers of a tensor that are none, or far too large."""
    metadata, tensors = unpacked(data)
    name = rng.choice([n for n, (dtype, shape, _) in tensors.items() if dtype in ("F16", "F32") and math.prod(shape)])
    dtype, shape, values = tensors[name]
    form = "<e" if dtype == "F16" else "<f"
    number = rng.choice((math.nan, math.inf, -math.inf, 6e4, -6e4, -1.0, 0.0))
    if dtype == "F32" and rng.random() < 0.5:
        number = rng.choice((3e38, -3e38, 1e20))
    changed = bytearray(values)
    width = struct.calcsize(form)
    for _ in range(rng.choice((1, 3, math.prod(shape)))):
        place = rng.randrange(math.prod(shape)) * width
        changed[place : place + width] = struct.pack(form, number)
    tensors[name] = [dtype, shape, bytes(changed)]
    return packed(metadata, tensors)


def index_value(data: bytes, rng: random.Random, other: bytes) -> bytes:
    """A value of a JSON file replaced."""
    return json.dumps(_replace_within(json.loads(data), rng)).encode()


class Planted:
    """Pickles as a call that makes a file."""

    def __init__(self, way: int):
        self.way = way

    def __reduce__(self):
        code = f"open({MARK!r}, 'w').close()"
        return ((exec, (code,)), (eval, (code,)), (open, (MARK, "w")))[self.way]


def planted(data: bytes, rng: random.Random, other: bytes) -> bytes:
    """Code in a pickle: alone, in a zip as torch.save makes it, or in the place of the true file's pickle."""
    how = rng.randrange(4)
    payload = Planted(rng.randrange(3))
    if how == 0:
        return pickle.dumps(payload)
    if how == 1:
        return pickled({"config": payload, "average": {}, "model": 1})
    if how == 2:
        return pickled({"weight": payload}, _use_new_zipfile_serialization=False)
    try:
        source = zipfile.ZipFile(io.BytesIO(data))
    except zipfile.BadZipFile:
        return pickle.dumps({"weight": payload})
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as target:
        for name in source.namelist():
            target.writestr(
                zipfile.ZipInfo(name), pickle.dumps(payload) if name.endswith("data.pkl") else source.read(name)
            )
    return out.getvalue()


def state_value(data: bytes, rng: random.Random, other: bytes) -> bytes:
    """A pickled state with something in it replaced: values that are no tensors, names that are no texts."""
    state = torch.load(io.BytesIO(data), weights_only=True)

    def replace(value):
        if isinstance(value, dict) and value and rng.random() < 0.85:
            name = rng.choice(list(value))
            return value | {name: replace(value[name])}
        if isinstance(value, torch.Tensor) and rng.random() < 0.7:
            ways = (value.flatten(), value.to(torch.int64), value * math.nan, value[None], value.to_sparse(),
                    value.half(), value.to(torch.complex64), torch.empty(0))  # fmt: skip
            return rng.choice(ways)
        return rng.choice((*ABSURD, {3: torch.zeros(2)}, [torch.zeros(2)], torch.zeros(2)))

    return pickled(replace(dict(state)))


CHECKPOINT = (config_value, config_value, config_value, config_field, metadata_text, tensor_form, tensor_values)
PICKLE = (planted, planted, state_value, state_value, state_value)
ALTERATIONS = {
    "renderer": CHECKPOINT,
    "motion_model": CHECKPOINT,
    "face_finder": CHECKPOINT,
    "joint_control": CHECKPOINT,
    "actalker": CHECKPOINT,
    "index": (index_value,) * 3,
    "motion": (metadata_text, metadata_text, tensor_form, tensor_values),
    "part": PICKLE,
    "run": PICKLE,
}
