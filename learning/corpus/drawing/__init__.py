"""How a drawn person becomes a picture with exact labels: scene, shaders and the OpenGL rasterizer."""
