"""What runs on the wires: socket types, and checks of the values that hosts hand over."""
