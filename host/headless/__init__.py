"""The stand-in for ComfyUI: node types, model folders, and a runner of workflow files."""
