"""ComfyUI's own modules, on a machine without a GPU: our networks are wholly on the compute device under every flag of
its memory management."""

SCRIPT = """
import json, sys
sys.argv = ["main.py", "--cpu"]
import comfy.options
comfy.options.enable_args_parsing()
import torch
import comfy.model_management as management
import folder_paths
from mamba_portrait import host

device = torch.device("meta")  # one that is not the CPU: what stays behind shows
management.get_free_memory = lambda *args, **more: (1e12, 1e12) if more.get("torch_free_too") else 1e12
management.get_torch_device = lambda: device

def places(network):
    return sorted({str(value.device) for value in (*network.parameters(), *network.buffers())})

found = {"interrupted": host.Interrupted is management.InterruptProcessingException}
for state in ("NORMAL_VRAM", "LOW_VRAM", "NO_VRAM", "HIGH_VRAM"):
    management.vram_state = management.VRAMState[state]
    network = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Sequential(torch.nn.BatchNorm1d(4)))
    network.weight_of_its_own = torch.nn.Parameter(torch.zeros(3))
    model = host.ManagedModel(network, "network")
    found[state] = [places(network)]
    for _ in range(2):
        model.on_device(1000)
        found[state].append(places(network))
    found[state].append(any(loaded.model is model.patcher for loaded in management.current_loaded_models))
print(json.dumps(found))
"""


def test_a_network_is_wholly_on_its_device_under_every_flag(run_in_comfyui):
    found = run_in_comfyui(SCRIPT)
    assert found.pop("interrupted")
    assert len(found) == 4 and all(seen == [["cpu"], ["meta"], ["meta"], True] for seen in found.values()), found
