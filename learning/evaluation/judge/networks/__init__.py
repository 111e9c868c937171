"""Networks that measures need, with the parameter names of their published checkpoints."""
