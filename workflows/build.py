"""Write the example workflows in both forms: TITLE.json for ComfyUI's page, api/NAME.json for scripts; and the talking
portrait as one node, in a template and in ../subgraphs.

    python -m mamba_portrait.workflows.build

Run it after a change of a node's inputs; a test checks that the files are up to date. Inputs that are left out have the
nodes' defaults.
"""

import json
from pathlib import Path

from ..nodes.workflow import node_classes
from . import conversation, dubbing, examples, expression, finishing, half_body, joint, one_node
from .forms import api_form, ui_form

FOLDER = Path(__file__).parent
BLUEPRINT = f"../subgraphs/{one_node.NAME}.json"
WORKFLOWS = (
    *examples.WORKFLOWS,
    *joint.WORKFLOWS,
    *half_body.WORKFLOWS,
    *finishing.WORKFLOWS,
    expression.EDITED,
    *dubbing.WORKFLOWS,
    *conversation.WORKFLOWS,
)


def documents() -> dict[str, dict]:
    """Path from `workflows/` -> content, of all workflows in both forms and of the one node."""
    schemas = {node_id: cls.GET_SCHEMA() for node_id, cls in node_classes().items()}
    found = {}
    for workflow in WORKFLOWS:
        found[workflow.page_file] = ui_form(workflow, schemas)
        found[workflow.api_file] = api_form(workflow, schemas)
    found[one_node.OUTSIDE.page_file] = one_node.page_form(schemas)
    found[BLUEPRINT] = one_node.blueprint(schemas)
    return found


def dump(document: dict) -> str:
    """The text of a workflow file."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for name, document in documents().items():
        (FOLDER / name).parent.mkdir(exist_ok=True)
        (FOLDER / name).write_text(dump(document), encoding="utf-8")
        print(name)
