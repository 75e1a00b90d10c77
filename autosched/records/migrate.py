"""Files of records that older versions have written, brought up to date one schema at a time.

To change the schema: raise SCHEMA in model.py, add the step from the version before here, and a file of that version
to the tests. Files are only rewritten when something is recorded into them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autosched.records.model import SCHEMA

Data = dict[str, Any]


def _without_machine(file: Data) -> Data:
    """1 to 2: records say what the machine did meanwhile; those that are older do not know."""
    records = [{**r, "machine": None} if isinstance(r, dict) else r for r in file["records"]]
    return {**file, "records": records}


def _without_losses(file: Data) -> Data:
    """2 to 3: records say how a schedule does on all workloads of its bucket; older ones know their own only."""
    records = [{**r, "losses": None} if isinstance(r, dict) else r for r in file["records"]]
    return {**file, "records": records}


def _without_kernel(file: Data) -> Data:
    """3 to 4: searches say which kernel they tuned; older ones do not know."""
    records = [
        {**r, "search": {**r["search"], "kernel": ""}}
        if isinstance(r, dict) and isinstance(r.get("search"), dict)
        else r
        for r in file["records"]
    ]
    return {**file, "records": records}


#: From a version to the next.
STEPS: dict[int, Callable[[Data], Data]] = {1: _without_machine, 2: _without_losses, 3: _without_kernel}


def known(schema: object) -> bool:
    """Whether a file of that schema can be read: it is the present one, or steps lead there."""
    return isinstance(schema, int) and not isinstance(schema, bool) and (schema == SCHEMA or schema in STEPS)


def migrate(file: Data) -> Data:
    """The data of a file under the present schema; its own is known."""
    while file["schema"] != SCHEMA:
        version = file["schema"]
        file = {**STEPS[version](file), "schema": version + 1}
    return file
