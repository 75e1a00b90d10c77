"""Tuned records: the JSON files in which the best schedules are kept, and how one is found for a machine.

Written by the command line with what tune finds, read by vlm. Uses schedules and the CPU's fingerprint; knows nothing
of how either is made.
"""

from autosched.records.here import key_here, origin_here, tuned
from autosched.records.lookup import Answer, Located, lookup
from autosched.records.merge import merge
from autosched.records.model import SCHEMA, Key, Machine, Origin, Record, RecordFile, Search, Times
from autosched.records.store import Written, find, nearest, put, read, read_strictly, refuse_newer, write
from autosched.shipped import tuned_directories

__all__ = [
    "SCHEMA",
    "Answer",
    "Key",
    "Located",
    "Machine",
    "Origin",
    "Record",
    "RecordFile",
    "Search",
    "Times",
    "Written",
    "find",
    "key_here",
    "lookup",
    "merge",
    "nearest",
    "origin_here",
    "put",
    "read",
    "read_strictly",
    "refuse_newer",
    "tuned",
    "tuned_directories",
    "write",
]
