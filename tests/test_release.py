"""The release check lets nothing undecided, dated wrong or forgotten through."""

import importlib.util
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SPECIFICATION = importlib.util.spec_from_file_location("release", ROOT / "tests" / "release.py")
release = importlib.util.module_from_spec(SPECIFICATION)
SPECIFICATION.loader.exec_module(release)

PYPROJECT = 'version = "1.2.3"\ndependencies = [\n    "numpy",\n    "opencv-python",\n]\n'


@pytest.fixture
def tree(tmp_path):
    """A small tree in git that may be released."""
    if shutil.which("git") is None:
        pytest.skip("no git here")
    for name, text in {
        "pyproject.toml": PYPROJECT,
        "requirements.txt": "# needs\nnumpy\nopencv-python\n",
        "__init__.py": '__version__ = "1.2.3"\n',
        "CHANGELOG.md": "# Changes\n\n## 1.2.3 (2026-12-01)\n\n- All.\n",
        ".comfyignore": "tests/\n*.log\n",
        "tests/test_x.py": "",
        "docs/a page.md": "",
        "kept.log": "",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    run = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", "-C", str(tmp_path)]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "All"]):
        subprocess.run([*run, *command], check=True)
    return tmp_path


def test_the_archive_is_what_is_tracked_and_not_ignored(tree):
    (tree / "new.py").write_text("")
    wanted = [".comfyignore", "CHANGELOG.md", "__init__.py", "docs/a page.md", "pyproject.toml", "requirements.txt"]
    assert release.archived(tree) == wanted


def test_a_good_tree_is_let_through(tree):
    release.check_tree(tree)
    release.check_addresses(release.archived(tree), tree)
    assert release.check_version(tree) == "1.2.3"
    release.check_requirements(tree)


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("pyproject.toml", "1.2.3", "1.2.4", "version 1.2.4"),
        ("CHANGELOG.md", "1.2.3", "1.2.2", "has no entry '## 1.2.3"),
        ("CHANGELOG.md", "(2026-12-01)", "(not released)", "with today's date"),
        ("requirements.txt", "numpy", "numpy>=2", "numpy>=2"),
        ("docs/a page.md", "", "see https://address-not-decided.invalid/x", "docs/a page.md"),
        ("docs/a page.md", "", "git clone <this repository>", "<this repository> in docs"),
        ("__init__.py", "", "# more\n", "__init__.py"),
    ],
)
def test_what_is_refused(tree, file, old, new, told):
    text = (tree / file).read_text()
    (tree / file).write_text(text.replace(old, new) if old else new + text)
    with pytest.raises(release.Refused, match=told.replace("(", r"\(")):
        release.check_addresses(release.archived(tree), tree)
        release.check_version(tree)
        release.check_requirements(tree)
        release.check_tree(tree)


@pytest.mark.parametrize("more", ["torch>=2", "torchaudio", "opencv-python-headless"])
def test_what_the_host_owns_is_not_installed(tree, more):
    (tree / "pyproject.toml").write_text(PYPROJECT.replace('"numpy"', f'"numpy", "{more}"'))
    with (tree / "requirements.txt").open("a") as lines:
        lines.write(f"{more}\n")
    with pytest.raises(release.Refused, match=more.split(">")[0]):
        release.check_requirements(tree)


def test_our_lists_agree():
    release.check_requirements(ROOT)
