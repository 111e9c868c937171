"""Pure PyTorch networks: no host, no file access, no global state."""
