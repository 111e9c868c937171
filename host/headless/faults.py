"""What is wrong with a workflow file."""


class WorkflowError(ValueError):
    """The workflow cannot run; the message says which node and why, a line each."""
