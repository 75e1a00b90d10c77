"""The `autosched` command: one file a subcommand, each a function that main.py puts into the app.

Subcommands import what they use when they run, so that `autosched --help` is quick. Nothing imports this package.
"""
