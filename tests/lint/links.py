#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Links of the documentation lead somewhere, and alerts have a runbook.

In README.md, NEWS.md, SECURITY.md, doc/*.md and the pages of contrib, a link to a
file names one that is there, and what stands behind # is one of its headings.
In contrib/prometheus/pgsluice.rules.yml each alert has an annotation runbook that
is such a link, to the heading of its name; headings of that kind in
doc/operations.md have an alert; and metrics that this page speaks of are in
src/tbl.
"""

import re
import sys

import tree

LINK = re.compile(r"\]\(([^()\s]+)\)")
HEADING = re.compile(r"^#{1,6} (.*)$", re.M)
FENCE = re.compile(r"^```.*?^```$", re.M | re.S)
ALERT = re.compile(r"^ +- alert: (\w+)\n((?:(?! +- alert:).*\n?)*)", re.M)
RUNBOOK = re.compile(r'^ +runbook: "([^"]+)"$', re.M)
METRIC = re.compile(r"pgsluice_[a-z0-9_]+")
RULES = "contrib/prometheus/pgsluice.rules.yml"
PAGE = "doc/operations.md"


def slug(heading):
    """As it is made of a heading for links."""
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
    return re.sub(r"[^\w\- ]", "", text).strip().replace(" ", "-")


def anchors(path):
    """Headings of a page; one that comes again has -1, -2 behind it."""
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    seen, out = {}, set()
    for heading in HEADING.findall(text):
        name = slug(heading)
        n = seen.get(name, 0)
        seen[name] = n + 1
        out.add(f"{name}-{n}" if n else name)
    return out


def link_fault(top, base, target):
    if re.match(r"[a-z]+:", target):
        return None
    name, _, anchor = target.partition("#")
    path = (base.parent / name) if name else base
    if not path.exists():
        return f"({target}): there is no such file"
    if anchor and path.suffix == ".md" and anchor not in anchors(path):
        return f"({target}): {path.resolve().relative_to(top.resolve())} " \
            "has no such heading"
    return None


def pages(top):
    found = [top / n for n in ("README.md", "NEWS.md", "SECURITY.md")]
    found += sorted((top / "doc").glob("*.md"))
    found += sorted((top / "contrib").rglob("*.md"))
    return [p for p in found if p.exists()]


def page_faults(top, page):
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for target in LINK.findall(text):
        fault = link_fault(top, page, target)
        if fault:
            yield f"{page.relative_to(top)}: {fault}"


def alert_faults(top):
    if not (top / RULES).exists():
        return
    page = top / PAGE
    sections = {a for a in anchors(page) if a.startswith("pgsluice")}
    named = set()
    for alert, text in ALERT.findall(
            (top / RULES).read_text(encoding="utf-8")):
        runbook = RUNBOOK.search(text)
        wanted = f"{PAGE}#{alert.lower()}"
        if not runbook or runbook[1] != wanted:
            yield f'{RULES}: {alert} has not runbook: "{wanted}"'
        elif alert.lower() not in sections:
            yield f"{PAGE}: there is no section {alert}"
        named.add(alert.lower())
    for section in sorted(sections - named):
        yield f"{PAGE}: section {section} is of no alert"
    tables = "".join(p.read_text(encoding="utf-8")
                     for p in sorted((top / "src/tbl").glob("*.h")))
    for metric in sorted(set(METRIC.findall(
            page.read_text(encoding="utf-8")))):
        bare = metric[len("pgsluice_"):]
        bare = re.sub(r"_(total|bucket|count|sum)$", "", bare)
        if not re.search(rf"\b(pgsluice_)?{bare}(_total)?\b", tables):
            yield f"{PAGE}: there is no metric {metric}"


def main():
    top = tree.root(sys.argv)
    faults = [f for page in pages(top) for f in page_faults(top, page)]
    tree.finish("links", faults + list(alert_faults(top)))


main()
