"""Charts as SVG that needs no script to be read. Box: render."""
