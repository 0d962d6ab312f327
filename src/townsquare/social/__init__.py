"""VERBS: what people do."""
