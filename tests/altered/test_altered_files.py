"""A hundred altered files, and fifty of networks and motions, are read without a death, a hang or a bare error; and the
harness would see them."""

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
    print(json.dumps({"outcomes": {"read": ["read", ""]}, "memory": memory}), flush=True)
"""


@pytest.fixture
def harness(monkeypatch):
    """harness.py as a module."""
    monkeypatch.syspath_prepend(str(HERE))
    import harness

    yield harness
    for name in ("harness", "samples", "checkpoints"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize(("kinds", "count"), [("media", 100), ("networks", 50)])
def test_altered_files_do_no_harm(kinds, count):
    command = [sys.executable, HERE / "harness.py", "--kinds", kinds, "--count", str(count)]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.endswith(f"{count} files, 0 with faults\n") and ", 0 raw, 0 traceback" in ended.stdout


def test_the_same_seed_makes_the_same_files_and_every_sample_is_altered(harness):
    first, again = (list(harness.altered_files(3, 100)) for _ in range(2))
    assert first == again and first != list(harness.altered_files(4, 100))
    made = {(kind, name) for kind, makers in harness.KINDS.items() for name in harness.samples.made(makers)}
    assert {(file.kind, file.name) for file in first} == made and len(made) > 40
    made = {kind: harness.samples.made(makers) for kind, makers in harness.KINDS.items()}
    assert sum(file.data != made[file.kind][file.name] for file in first) > 80


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_death_silence_and_memory_are_seen_and_the_next_file_is_read(harness, tmp_path, monkeypatch):
    (tmp_path / "worker.py").write_text(FAULTY)
    monkeypatch.setattr(harness, "HERE", tmp_path)
    monkeypatch.setattr(harness, "SECONDS", 1)
    with harness.Worker() as worker:
        for name in ("die", "sleep", "swell"):
            outcomes = worker.read("sound", Path(name))
            seen = {"die": "death", "sleep": "hang", "swell": "memory"}[name]
            assert outcomes[seen][0] == seen
            assert name != "die" or "-11" in outcomes[seen][1] and "the last words" in outcomes[seen][1]
            assert worker.read("sound", Path("fine")) == {"read": ["read", ""]}


def test_only_a_sentence_is_right(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))
    import worker

    def raising(error, kind):
        def read(path):
            raise error

        return worker.outcome(read, tmp_path / "x.wav", kind)

    for kind in ("sound", "renderer"):
        assert raising(ValueError("x.wav is empty."), kind) == ("clear", "x.wav is empty.")
        assert raising(FileNotFoundError("Not found: x.wav."), kind) == ("clear", "Not found: x.wav.")
        for error in (ValueError("no full stop"), ValueError("two\nlines."), UnicodeError("a subclass.")):
            assert raising(error, kind)[0] == "raw"
        assert raising(ValueError("x.wav: Error(s) in loading state_dict for Renderer."), kind)[0] == "raw"
        end, told = raising(TypeError("x."), kind)
        assert end == "traceback" and "TypeError" in told
    assert raising(ValueError("a file is empty."), "renderer")[0] == "raw"  # of a network, the file is named


def test_planted_code_that_runs_is_seen(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))
    monkeypatch.chdir(tmp_path)
    import checkpoints
    import worker

    (tmp_path / "stage1.pt").write_bytes(checkpoints.pickle.dumps(checkpoints.Planted(0)))
    monkeypatch.setitem(worker.READERS, "run", (lambda path: checkpoints.pickle.loads(path.read_bytes()),))
    assert worker.outcomes_of("run", tmp_path / "stage1.pt")["planted"][0] == "executed"
    assert not (tmp_path / checkpoints.MARK).exists()
