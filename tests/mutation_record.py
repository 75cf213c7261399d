"""
Which mutations the tests have been seen to notice, when, and by which tests: docs/results/mutations.json.
An entry is of the mutation as it is in the file, and no longer counts when that has changed.
"""

import datetime
import hashlib
import json
import re

from lab import files
from lab.paths import ROOT

RECORD = ROOT / "docs/results/mutations.json"


def seen(mutation):
    entry = _read().get(mutation.stem)
    return bool(entry) and entry["patch"] == _digest(mutation)


def note(mutation, noticed_by):
    """Written at once: the next mutation may be interrupted."""
    record = _read() | {mutation.stem: {"patch": _digest(mutation),
                                        "date": datetime.date.today().isoformat(),
                                        "noticed by": sorted(noticed_by)}}
    record = {name: record[name] for name in sorted(record)
              if mutation.with_name(f"{name}.patch").exists()}
    files.write(RECORD, json.dumps(record, indent=1) + "\n")


def _read():
    return json.loads(RECORD.read_text()) if RECORD.exists() else {}


def _digest(mutation):
    """Of what it changes and what has to fail, wherever in the file that is by now."""
    text = re.sub(r"^(index .*|@@ .*|Date: .*)$", "", mutation.read_text(), flags=re.M)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
