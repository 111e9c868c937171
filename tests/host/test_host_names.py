"""ComfyUI's side of the host and the headless one: the same names, the same parameters. Read as source, since the one
cannot be imported without ComfyUI."""

import ast
from pathlib import Path

HOST = Path(__file__).parents[2] / "host"
SIDES = {name: ast.parse((HOST / name).read_text("utf8")).body for name in ("comfyui.py", "headless/settings.py")}


def listed():
    """Names that `host/__init__.py` takes from the program it runs in."""
    pairs = [
        (node.targets[0].id, node.value.attr)
        for node in ast.parse((HOST / "__init__.py").read_text("utf8")).body
        if isinstance(node, ast.Assign) and ast.unparse(node.value).startswith("program.")
    ]
    assert len(pairs) > 15 and all(name == source for name, source in pairs)
    return [name for name, _ in pairs]


def defined(body):
    """What a module defines or imports, by name: its node."""
    names = {}
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names[node.name] = node
        elif isinstance(node, ast.Assign):
            names |= {target.id: node for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name: node for alias in node.names}
    return names


def parameters(node):
    """Parameters with their defaults, of a function under "" or of a class's methods under their names."""
    if isinstance(node, ast.ClassDef):
        methods = [part for part in node.body if isinstance(part, ast.FunctionDef)]
        return {m.name: parameters(m)[""][1:] for m in methods if not m.name.startswith("_") or m.name.endswith("__")}
    taken = node.args
    assert not (taken.posonlyargs or taken.kwonlyargs or taken.vararg or taken.kwarg), node.name
    required = len(taken.args) - len(taken.defaults)
    defaults = ["", *(f"={ast.unparse(default)}" for default in taken.defaults)]
    return {"": [arg.arg + defaults[max(0, i - required + 1)] for i, arg in enumerate(taken.args)]}


def test_both_sides_define_every_name_of_the_host():
    for side, body in SIDES.items():
        assert not set(listed()) - set(defined(body)), side


def test_both_sides_take_the_same_parameters():
    comfyui, headless = (defined(body) for body in SIDES.values())
    ours = [name for name in listed() if isinstance(comfyui[name], ast.FunctionDef | ast.ClassDef)]
    assert {"save_path", "progress_bar", "ManagedModel"} <= set(ours)
    for name in ours:
        assert parameters(comfyui[name]) == parameters(headless[name]), name
