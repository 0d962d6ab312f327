"""What a process counts and how long things take, for Prometheus; health of every role; spans where they are wanted.

Box: metrics.
"""
