"""From a posed person to a picture with exact labels: scene, shaders and the OpenGL rasterizer."""
