"""convert-actalker: ACTalker's published files to one self-describing file."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..files import check_place
from .options import command

PRECISIONS = ("fp16", "bf16", "fp32")


def add(commands) -> argparse.ArgumentParser:
    """Declare the command."""
    parser = command(
        commands,
        "convert-actalker",
        "convert ACTalker's published files to one self-describing safetensors file",
        run,
        """
convert-actalker models/actalker -o models/mamba_portrait/actalker.safetensors
convert-actalker checkpoints --precision bf16 -o actalker_bf16.safetensors
""",
    )
    parser.add_argument("folder", metavar="FOLDER", help="holds the published files, in any subfolders")
    parser.add_argument("-o", "--out", metavar="FILE.safetensors", required=True, help="the file to write")
    parser.add_argument(
        "--precision", choices=PRECISIONS, default="fp16", help="of UNet and VAE (default: fp16, as published)"
    )
    return parser


def run(options: argparse.Namespace) -> None:
    """Run the command; prints what was written."""
    path = Path(options.out)
    if path.suffix != ".safetensors":
        raise ValueError(f"The file to write must end in .safetensors, not '{path.name}'.")
    if not Path(options.folder).is_dir():
        raise FileNotFoundError(f"There is no folder {options.folder}; give the one that holds ACTalker's files.")
    check_place(path)
    import torch

    from ..model_loaders.actalker.load import convert_actalker  # needs the extra

    dtypes = dict(zip(PRECISIONS, (torch.float16, torch.bfloat16, torch.float32), strict=True))
    convert_actalker(options.folder, path, dtype=dtypes[options.precision])
    print(f"{path}  {path.stat().st_size / 1e9:.2f} GB")
