"""The repository and the package are one thing: what is there is declared, light to import, and keeps the import rules
of CONTRIBUTING."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import mamba_portrait

ROOT = Path(mamba_portrait.__file__).parent
OUTSIDE = {"tests", "build", "output", "runs"}


def sources() -> list[Path]:
    """All files of the package, without tests and hidden folders."""
    inner = (path.relative_to(ROOT) for path in ROOT.rglob("*.py"))
    return sorted(path for path in inner if path.parts[0] not in OUTSIDE and not path.parts[0].startswith("."))


def room_of(module: tuple[str, ...]) -> str:
    """The room of a module of the package; `learning` has one for each of its folders."""
    if not module:
        return "__init__"
    return "/".join(module[:2]) if module[0] == "learning" and len(module) > 1 else module[0]


def imports(path: Path) -> set[tuple[str, bool]]:
    """(room, at import) of every relative import of a file; not at import where it stands in a function."""
    tree = ast.parse((ROOT / path).read_text("utf8"))
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    later = {id(node) for function in functions for node in ast.walk(function)}
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = path.parts[:-1][: len(path.parts) - node.level]
            base += tuple(node.module.split(".")) if node.module else ()
            modules = [base] if base and base != ("learning",) else [(*base, alias.name) for alias in node.names]
            for module in modules:
                is_module = (ROOT / module[0]).is_dir() or (ROOT / f"{module[0]}.py").is_file()
                found.add((room_of(module if is_module else ()), id(node) not in later))
    return found


def rules() -> dict[str, tuple[set[str], set[str]]]:
    """The table of CONTRIBUTING: room -> (rooms it may import, rooms it may import inside functions)."""
    rows = re.findall(
        r"^\| `([\w/]+)` \|[^|]*\|([^|]*)\|([^|]*)\|$", (ROOT / "CONTRIBUTING.md").read_text("utf8"), re.M
    )
    return {room: tuple(set(re.findall(r"`([\w/]+)`", cell)) for cell in cells) for room, *cells in rows}


def test_every_room_has_a_row():
    rooms = {room_of(path.with_suffix("").parts) for path in sources()}
    rooms.discard("learning/__init__")
    assert rooms == set(rules())


@pytest.mark.parametrize("room", sorted(rules()))
def test_imports_keep_the_rules(room):
    always, inside = rules()[room]
    wrong = []
    for path in sources():
        if room_of(path.with_suffix("").parts) == room:
            for other, at_import in imports(path):
                allowed = always if at_import else always | inside
                if other != room and other not in allowed and other.split("/")[0] not in allowed:
                    wrong.append(f"{path} -> {other}{'' if at_import else ', in a function'}")
    assert not wrong


def test_the_rules_have_no_circle():
    order, left = [], {room: always - {"__init__"} for room, (always, _) in rules().items()}
    while left:
        free = [room for room, needed in left.items() if needed <= set(order)]
        assert free, f"these import each other: {sorted(left)}"
        order += free
        left = {room: needed for room, needed in left.items() if room not in order}


def test_every_package_is_declared():
    declared = set(re.findall(r'"mamba_portrait((?:\.\w+)+)"', (ROOT / "pyproject.toml").read_text("utf8")))
    there = {"." + ".".join(path.parent.parts) for path in sources() if path.name == "__init__.py"} - {"."}
    assert declared == there, "list the packages in pyproject.toml"


def test_every_folder_of_code_is_a_package():
    assert not {path.parent for path in sources() if not (ROOT / path.parent / "__init__.py").exists()}


def test_import_is_light_and_silent():
    code = "import sys, mamba_portrait; print(sorted({'torch', 'cv2', 'numpy', 'av'} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (shown.stdout, shown.stderr) == ("[]\n", "")


def test_all_imports_are_relative():
    absolute_import = re.compile(r"^\s*(from|import) mamba_portrait", re.M)
    assert not [path for path in sources() if absolute_import.search((ROOT / path).read_text("utf8"))]


def test_test_files_have_unique_names():
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert len(names) == len(set(names))


def test_test_folders_are_those_of_the_package():
    folders = {path.parent.relative_to(ROOT / "tests") for path in (ROOT / "tests").rglob("test_*.py")}
    folders -= {Path("altered")}  # damaged files, read through several folders of the package
    assert not [folder for folder in folders if not ((ROOT / folder).is_dir() or (ROOT / f"{folder}.py").is_file())]
