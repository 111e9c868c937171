"""Who is drawn: faces and bodies as meshes, their shapes, their hair, and the parameters that move them."""
