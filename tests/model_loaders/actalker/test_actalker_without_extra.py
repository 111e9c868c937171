"""Without diffusers and transformers the rest of ACTalker imports, and what needs them says so in a sentence."""

import os
import subprocess
import sys

SCRIPT = """
import mamba_portrait
from mamba_portrait.networks.actalker import arcface, config, expression, head_pose, pcm, projectors
from mamba_portrait.pipelines import control
from mamba_portrait.pipelines.actalker import masks
from mamba_portrait.sampling import actalker
try:
    from mamba_portrait.pipelines.actalker import stages
except ImportError as fault:
    assert "pip install diffusers transformers" in str(fault) and "actalker" in str(fault)
else:
    raise AssertionError("the stand-ins were imported")
"""


def test_import_without_the_extra(tmp_path):
    for name in ("diffusers", "transformers"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('absent')")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    run = subprocess.run([sys.executable, "-c", SCRIPT], env=os.environ | {"PYTHONPATH": path}, capture_output=True)
    assert run.returncode == 0, run.stderr.decode()
