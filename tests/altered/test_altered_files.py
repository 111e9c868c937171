"""A hundred altered files are read without a death, a hang or a bare error; and the harness would see them."""

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FAULTY = """
import json, os, signal, sys, time
print(json.dumps({"memory": 100}), flush=True)
for line in sys.stdin:
    if "die" in line:
        print("the last words", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGSEGV)
    time.sleep(60 * ("sleep" in line))
    memory = 10_000 if "swell" in line else 100
    print(json.dumps({"outcomes": {"read": [True, ""]}, "memory": memory}), flush=True)
"""


@pytest.fixture
def harness(monkeypatch):
    """harness.py as a module."""
    monkeypatch.syspath_prepend(str(HERE))
    import harness

    yield harness
    for name in ("harness", "samples"):
        sys.modules.pop(name, None)


def test_a_hundred_altered_files_do_no_harm():
    ended = subprocess.run([sys.executable, HERE / "harness.py", "--count", "100"], capture_output=True, text=True)
    assert ended.returncode == 0 and ended.stdout.endswith("100 files, 0 with faults\n"), ended.stdout + ended.stderr


def test_the_same_seed_makes_the_same_files_and_every_sample_is_altered(harness):
    first, again = (list(harness.altered_files(3, 100)) for _ in range(2))
    assert first == again and first != list(harness.altered_files(4, 100))
    made = {(kind, name) for kind, makers in harness.KINDS.items() for name in harness.samples.made(makers)}
    assert {(file.kind, file.name) for file in first} == made and len(made) > 40
    assert sum(file.data != harness.KINDS[file.kind][file.name]() for file in first) > 80


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_death_silence_and_memory_are_seen_and_the_next_file_is_read(harness, tmp_path, monkeypatch):
    (tmp_path / "worker.py").write_text(FAULTY)
    monkeypatch.setattr(harness, "HERE", tmp_path)
    monkeypatch.setattr(harness, "SECONDS", 1)
    with harness.Worker() as worker:
        for name in ("die", "sleep", "swell"):
            outcomes = worker.read("sound", Path(name))
            seen = {"die": "death", "sleep": "hang", "swell": "memory"}[name]
            assert not outcomes[seen][0]
            assert name != "die" or "-11" in outcomes[seen][1] and "the last words" in outcomes[seen][1]
            assert worker.read("sound", Path("fine")) == {"read": [True, ""]}


def test_only_a_sentence_is_right(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))
    import worker

    def raising(error):
        def read(path):
            raise error

        return worker.outcome(read, tmp_path)

    assert raising(ValueError("x.wav is empty.")) == (True, "x.wav is empty.")
    assert raising(FileNotFoundError("Not found: x.")) == (True, "Not found: x.")
    for error in (ValueError("no full stop"), ValueError("two\nlines."), UnicodeError("a subclass."), TypeError("x.")):
        right, told = raising(error)
        assert not right and "Traceback" in told
