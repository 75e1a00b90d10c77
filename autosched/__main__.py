"""`python -m autosched`: the command line."""

from autosched.cli.main import main

main()
