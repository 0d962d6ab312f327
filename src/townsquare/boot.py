"""The one module that knows every engine: settings to ports to a role.

Box: boot.
"""
