"""The headless host, in place of ComfyUI: node types, model folders, and a runner of workflow files."""
