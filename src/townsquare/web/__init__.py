"""DOOR stateless web servers: parse, call one verb, hydrate, render."""
