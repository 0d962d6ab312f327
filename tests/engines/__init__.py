"""The real servers behind the boxes, on this machine: installed, started, waited for, stopped, killed.

One small program for contract suites, faults, benches and CI: `python -m tests.engines install|start|... NAME...`.
Every server keeps to loopback, to its own folder and to ports of its own.
"""
