"""The nouns: frozen, without I/O. Every part may import them."""
