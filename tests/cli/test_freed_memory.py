"""Commands keep the memory that they free for the next frame."""

import os
import platform
import subprocess
import sys

import pytest

BLOCK = 8 << 20
TIMES = 20
AGAIN = f"""
import resource, sys
if sys.argv[1:] == ["main"]:
    from mamba_portrait import cli
    try:
        cli.main(["--version"])
    except SystemExit:
        pass
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
b"x" * {BLOCK}
before = faults()
for _ in range({TIMES}):
    b"x" * {BLOCK}
print(faults() - before)
"""


def faults(*arguments: str, **environment: str) -> int:
    """Pages that a process touches for the first time while it fills and frees a block again and again."""
    told = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")} | environment
    done = subprocess.run(
        [sys.executable, "-c", AGAIN, *arguments], capture_output=True, text=True, check=True, env=told
    )
    return int(done.stdout.split()[-1])


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries are left alone")
def test_a_command_takes_what_it_has_freed():
    pages = TIMES * BLOCK // os.sysconf("SC_PAGE_SIZE")
    assert faults("main") < pages / 20  # a twentieth is one time of twenty


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries are left alone")
def test_what_the_environment_says_counts():
    pages = TIMES * BLOCK // os.sysconf("SC_PAGE_SIZE")
    assert faults("main", MALLOC_MMAP_THRESHOLD_="131072") > pages / 2
