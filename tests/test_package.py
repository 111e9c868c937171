"""The repository and the package are one thing: what is there is declared, light to import, and honours its arrows."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import mamba_portrait

ROOT = Path(mamba_portrait.__file__).parent
LIBRARY = (
    *("cli", "corpus", "datasets", "evaluation", "host", "locales", "media", "model_loaders", "networks", "nodes"),
    *("pipelines", "sampling", "training", "workflows"),
)


def sources(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Top folders of the package that a file imports, by any relative import."""
    depth = len(path.relative_to(ROOT).parts) - 1
    dots = r"\." * (depth + 1)
    found = re.findall(rf"^\s*from {dots}(\w+)[\w.]* import|^\s*from {dots} import (\w+)", path.read_text("utf8"), re.M)
    return {name for pair in found for name in pair if name}


def test_every_package_is_declared():
    declared = set(re.findall(r'"mamba_portrait((?:\.\w+)+)"', (ROOT / "pyproject.toml").read_text("utf8")))
    there = {
        "." + ".".join(init.parent.relative_to(ROOT).parts)
        for folder in LIBRARY
        for init in (ROOT / folder).rglob("__init__.py")
    }
    assert declared == there, "list the packages in pyproject.toml"


def test_every_folder_of_code_is_a_package():
    missing = {p.parent for folder in LIBRARY for p in sources(folder) if not (p.parent / "__init__.py").exists()}
    assert not missing


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [
        ("networks", {*LIBRARY, "files"} - {"networks"}),
        ("sampling", {*LIBRARY, "files"} - {"sampling", "networks"}),
        ("media", set(LIBRARY) - {"media", "networks", "model_loaders"}),
        ("pipelines", {"cli", "corpus", "datasets", "host", "nodes", "training", "evaluation"}),
        ("nodes", {"cli", "corpus", "datasets", "training", "evaluation"}),
        ("training", {"cli", "host", "nodes"}),
        ("corpus", {"cli", "host", "nodes", "training", "networks"}),
    ],
)
def test_arrows_run_one_way(folder, forbidden):
    wrong = {f"{path.relative_to(ROOT)} -> {name}" for path in sources(folder) for name in imported(path) & forbidden}
    assert not wrong


def test_import_is_light_and_silent():
    code = "import sys, mamba_portrait; print(sorted({'torch', 'cv2', 'numpy', 'av'} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (shown.stdout, shown.stderr) == ("[]\n", "")


def test_all_imports_are_relative():
    absolute_import = re.compile(r"^\s*(from|import) mamba_portrait", re.M)
    files = [path for folder in LIBRARY for path in sources(folder)]
    absolute = [path for path in files if absolute_import.search(path.read_text("utf8"))]
    assert not absolute


def test_test_files_have_unique_names():
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert len(names) == len(set(names))
