"""What KUnit says: the cases that a source has, and the verdict on each."""

import re


def cases(sources):
    """Names of all cases, from the source: one that did not run is seen to be missing."""
    return [name for source in sources
            for name in re.findall(r"\bKUNIT_CASE\w*\(\s*(\w+)", source.read_text())]


def suite(source):
    """Name of the suite that a source has."""
    return re.search(r"^static struct kunit_suite \w+ = {\n\t\.name = \"(\w+)\"", source.read_text(),
                     re.M)[1]


def parse(results):
    """{case: (verdict, its log)} from KTAP; verdict is ok, not ok or SKIP."""
    found, log = {}, []
    for line in results.splitlines():
        match = re.fullmatch(r"    (ok|not ok) \d+ (?:- )?(\w+)(?: # (SKIP)?.*)?", line)
        if match:
            found[match[2]] = match[3] or match[1], "\n".join(log)
            log = []
        else:
            log.append(line)
    return found
