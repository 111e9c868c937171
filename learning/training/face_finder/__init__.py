"""Training of the face finder on drawn heads in composed scenes."""
