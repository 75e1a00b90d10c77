"""How an algorithm is computed: directives as frozen data, Schedule, JSON both ways, legality.

Imports lang. A schedule is data from outside: everything in it is checked and nothing evaluated.
"""

from autosched.schedule.nest import resolve
from autosched.schedule.schedule import SCHEMA, Schedule
from autosched.schedule.show import show

__all__ = ["SCHEMA", "Schedule", "resolve", "show"]
