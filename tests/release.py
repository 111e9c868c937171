"""The release check: may this tree be given to a registry?

    COMFYUI_PATH=/path/to/ComfyUI make release-check

Builds the archive as a registry does (the tracked files without those of .comfyignore), unpacks it into the
custom_nodes of an empty base folder, starts ComfyUI on it and asks for its nodes. Refuses a tree with changes that are
not committed, an address that is not decided, a version that differs between the files or has no dated entry in
CHANGELOG.md, lists of requirements that differ or name what is the host's, and generated files that are out of date.
COMFYUI_PYTHON names ComfyUI's Python where it is not a virtual environment in or beside its folder.
"""

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
UNDECIDED = ("address-not-decided.invalid", "<this repository>")
HOSTS_OWN = {"torch", "torchvision", "torchaudio"}
BUILDERS = ("locales.build", "workflows.build")
VERSION = re.compile(r"\d+\.\d+\.\d+")  # semantic, without pre-releases, which registries do not take
DATED = r"^## {} \(\d{{4}}-\d{{2}}-\d{{2}}\)$"
START_SECONDS = 300


class Refused(Exception):
    """Why there can be no release."""


def git(*arguments: str, root: Path = ROOT) -> list[str]:
    """The lines that a git command prints."""
    listed = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True).stdout
    return [name for name in listed.split("\0" if "-z" in arguments else "\n") if name]


def archived(root: Path = ROOT) -> list[str]:
    """The files of the archive: what git tracks, without what .comfyignore names."""
    ignored = git("ls-files", "-z", "--cached", "--ignored", f"--exclude-from={root / '.comfyignore'}", root=root)
    return sorted(set(git("ls-files", "-z", root=root)) - set(ignored))


def check_tree(root: Path = ROOT) -> None:
    """Nothing that is not committed."""
    if changed := git("status", "--porcelain", root=root):
        raise Refused(f"{len(changed)} files are not committed, such as {changed[0][3:]}: commit or remove them.")


def check_addresses(files: list[str], root: Path = ROOT) -> None:
    """No file of the archive holds the placeholder of the public address."""
    found = {f"{mark} in {name}" for name in files for mark in UNDECIDED if mark.encode() in (root / name).read_bytes()}
    if found:
        raise Refused(f"The public address is not decided: {', '.join(sorted(found))}.")


def check_version(root: Path = ROOT) -> str:
    """The version: the same everywhere, and with a date in the changelog."""
    (declared,) = re.findall(r'^version = "(.*)"$', (root / "pyproject.toml").read_text("utf8"), re.M)
    (told,) = re.findall(r'^__version__ = "(.*)"$', (root / "__init__.py").read_text("utf8"), re.M)
    if declared != told or not VERSION.fullmatch(declared):
        raise Refused(f"pyproject.toml has version {declared} and __init__.py {told}: give both the same X.Y.Z.")
    if not re.search(DATED.format(re.escape(declared)), (root / "CHANGELOG.md").read_text("utf8"), re.M):
        raise Refused(f"CHANGELOG.md has no entry '## {declared} (YYYY-MM-DD)': write it, with today's date.")
    return declared


def check_requirements(root: Path = ROOT) -> None:
    """What a registry installs is one list in both files, and leaves torch to the host."""
    block = re.search(r"^dependencies = \[(.*?)^\]", (root / "pyproject.toml").read_text("utf8"), re.M | re.S)[1]
    declared = set(re.findall(r'"([^"]+)"', block))
    lines = (root / "requirements.txt").read_text("utf8").splitlines()
    installed = {line.strip() for line in lines if line.strip() and not line.startswith("#")}
    if declared != installed:
        raise Refused(f"Only one of requirements.txt and pyproject.toml has {', '.join(sorted(declared ^ installed))}.")
    names = {re.split(r"[^\w-]", line)[0].lower() for line in installed}
    if wrong := names & HOSTS_OWN:
        raise Refused(f"{', '.join(sorted(wrong))} would be installed over the host's own: take them out of the lists.")
    if (opencv := {name for name in names if name.startswith("opencv")}) != {"opencv-python"}:
        raise Refused(f"The lists name {opencv or 'no OpenCV'}: opencv-python alone.")


def build(archive: Path, files: list[str], root: Path = ROOT) -> None:
    """Write the zip file."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in files:
            packed.write(root / name, name)


def check_generated(pack: Path) -> None:
    """The commands that write the generated files change none of the unpacked archive's."""
    before = {path: path.read_bytes() for path in pack.rglob("*") if path.is_file()}
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "mamba_portrait").symlink_to(pack, target_is_directory=True)
        environment = os.environ | {"PYTHONPATH": place, "PYTHONDONTWRITEBYTECODE": "1"}
        for name in BUILDERS:
            command = [sys.executable, "-m", f"mamba_portrait.{name}"]
            done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True)
            if done.returncode:
                raise Refused(f"python -m mamba_portrait.{name} fails:\n{done.stderr[-2000:]}")
    after = {path: path.read_bytes() for path in pack.rglob("*") if path.is_file()}
    if stale := [str(path.relative_to(pack)) for path in after if after[path] != before.get(path)]:
        raise Refused(f"Out of date: {', '.join(stale)}. Run python -m mamba_portrait.{' and '.join(BUILDERS)}.")


def python_of(comfyui: Path) -> str:
    """ComfyUI's Python."""
    places = [base / name / "bin" / "python" for base in (comfyui, comfyui.parent) for name in (".venv", "venv")]
    return os.environ.get("COMFYUI_PYTHON") or next((str(p) for p in places if p.is_file()), sys.executable)


def nodes_of_host(comfyui: Path, base: Path) -> list[str]:
    """Start ComfyUI on a base folder; the ids of the nodes that it lists from there."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [python_of(comfyui), "main.py", "--cpu", "--port", str(port), "--listen", "127.0.0.1"]
    command += ["--base-directory", str(base), "--disable-api-nodes"]
    log = base / "server.log"
    with log.open("w") as written:
        process = subprocess.Popen(command, cwd=comfyui, stdout=written, stderr=subprocess.STDOUT)
    try:
        end = time.monotonic() + START_SECONDS
        while process.poll() is None and time.monotonic() < end:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/object_info", timeout=60) as reply:
                    listed = json.load(reply)
                return sorted(name for name, node in listed.items() if "mamba-portrait" in node["python_module"])
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.5)
        raise Refused(f"ComfyUI does not start:\n{log.read_text(errors='replace')[-3000:]}")
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


def check_in_host(base: Path, pack: Path) -> int:
    """The number of nodes that ComfyUI lists: those of the English texts, all of them."""
    given = os.environ.get("COMFYUI_PATH")
    if not given or not (Path(given) / "main.py").is_file():
        raise Refused("COMFYUI_PATH names no ComfyUI folder: the archive must start in one.")
    for name in ("input", "output", "temp", "user", "models"):
        (base / name).mkdir()
    listed = nodes_of_host(Path(given), base)
    texts = json.loads((pack / "locales" / "en" / "nodeDefs.json").read_text("utf8"))
    if missing := {name for name in texts if name.startswith("MambaPortrait")} - set(listed):
        log = (base / "server.log").read_text(errors="replace")[-3000:]
        raise Refused(f"ComfyUI does not list {', '.join(sorted(missing))}:\n{log}")
    return len(listed)


def check(root: Path = ROOT) -> None:
    """All checks; prints what was found."""
    problems = []

    def tried(call, *arguments):
        try:
            return call(*arguments)
        except Refused as refused:
            problems.append(str(refused))

    files = archived(root)
    tried(check_tree, root)
    tried(check_addresses, files, root)
    version = tried(check_version, root)
    tried(check_requirements, root)
    with tempfile.TemporaryDirectory() as folder:
        archive, base = Path(folder) / "pack.zip", Path(folder) / "base"
        build(archive, files, root)
        pack = base / "custom_nodes" / "mamba-portrait"
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(pack)
        size = archive.stat().st_size / 1e6
        print(f"archive of version {version or '(none)'}: {len(files)} files, {size:.1f} MB")
        tried(check_generated, pack)
        if (nodes := tried(check_in_host, base, pack)) is not None:
            print(f"in a clean ComfyUI: {nodes} nodes")
    if problems:
        raise Refused("\n".join(problems))


if __name__ == "__main__":
    try:
        check()
    except Refused as refused:
        sys.exit(f"No release:\n{refused}")
    print("This tree can be released.")
