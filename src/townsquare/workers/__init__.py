"""DOOR workers: the same verbs, by task."""
