"""What Linux counts: MemTotal, and the pages of each zone of each node."""

import re

ZONE = re.compile(r"^Node (\d+), zone +(\w+)$(.*?)(?=^Node|\Z)", re.M | re.S)
FIELD = re.compile(r"^ +(?:pages )?(free|spanned|present|managed|count:) +(\d+)$", re.M)


COMMAND = "echo 1 > /proc/sys/vm/stat_refresh; cat /proc/meminfo /proc/zoneinfo"


def parse(text):
    """{name: number}, in pages, from what COMMAND prints. What CPUs keep for themselves is free."""
    found = {"MemTotal": int(re.search(r"^MemTotal: +(\d+) kB$", text, re.M)[1]) // 4}
    for node, zone, body in ZONE.findall(text):
        for field, number in FIELD.findall(body):
            name = f"node {node} {zone} {field.replace('count:', 'free')}"
            found[name] = found.get(name, 0) + int(number)
    return found


def since(before, now):
    """What has changed, apart from what has not."""
    changes = {name: now.get(name, 0) - before.get(name, 0) for name in {**before, **now}}
    return {name: change for name, change in sorted(changes.items()) if change}
