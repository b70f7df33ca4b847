#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
r"""Lists in the documentation say what the tables in src/tbl say.

    tests/lint/tabledoc.py            compare (part of make check)
    tests/lint/tabledoc.py --write    write the lists

A list stands in README.md or a page of doc/ between these two lines:

    <!-- begin tbl/pin_reasons.h -->
    <!-- end tbl/pin_reasons.h -->

In a manual page they are comments of its kind, and each row is a tagged
paragraph of the first three cells:

    .\" begin tbl/console_roles.h
    .\" end tbl/console_roles.h

What is between them is written here; all other text is the page's own.  Every
table named in TABLES has to stand in some page.  Console commands that pages
speak of, in the form `SHOW POOLS`, have to be in the table.
"""

import re
import sys

import tree
from confdoc import arguments, cell

MARK = re.compile(r"<!-- (begin|end) tbl/(\w+)\.h -->|"
                  r'\.\\" (begin|end) tbl/(\w+)\.h')
SPOKEN_OF = re.compile(
    r"(?:`|-c '|\")((?:SHOW|FLUSH|SHUTDOWN) [A-Z_]+|(?:PAUSE|RESUME|RECONNECT|"
    r"WAIT_CLOSE|DISABLE|ENABLE|KILL|KILL_CLIENT|RELOAD|SHUTDOWN)(?= |`|'|\"))")


def code(text):
    return f"`{text}`" if text else ""


def reason(args):
    """REASON(symbol, name, doc)"""
    return [code(args[1]), cell(args[2])]


def name_only(args):
    return [code(args[0])]


def close_reason(args):
    """CLOSE_REASON(symbol, counter, sqlstate, text)"""
    counter = "" if args[1] == "none" else f"pgsluice_{args[1]}_total"
    state = "" if args[2] == "NULL" else args[2]
    return [cell(args[3]), code(state), code(counter)]


def session_state(args):
    """SESSION_STATE(symbol, name, messages, server, doc)"""
    messages = {"NULL": "kept for later", "": "none"}.get(
        args[2], code(args[2]))
    server = {"'n'": "no", "'y'": "yes", "'?'": "perhaps"}[args[3]]
    return [code(args[1]), cell(args[4]), messages, server]


def owed(args):
    """OWED(symbol, name)"""
    return [code(args[0]), cell(args[1])]


def api_page(args):
    """API_PAGE(page, doc), API_SHOW(key, command, doc) or
    API_OWN(key, writer, doc)"""
    if len(args) == 2:
        return [code(f"/api/{args[0]}.json"), "", cell(args[1])]
    of = f", as `{args[1]}`" if args[1].startswith("SHOW") and \
        args[1] not in args[2] else ""
    return ["", code(args[0]), cell(args[2]) + of]


def api_action(args):
    """API_ACTION(name, command, doc)"""
    return [code(args[0]), code(args[1]), cell(args[2])]


# What stands in the page for a sign of the pattern of a command.
SIGNS = {"#": "id", "$": "db", "%": "setting", "=": "=", "+": "value",
         "&": "...", "*": "..."}


def console_command(args):
    """COMMAND(words, permission, handler, columns, help), or
    ABSENT(words, permission, why)"""
    if len(args) == 3:
        return [code(args[0]), args[1].lower(), cell(
            f"Not supported: {args[2]}"), ""]
    words = [SIGNS.get(w, w) for w in args[0].split()]
    columns = re.sub(r":\w", "", args[3]).split()
    return [code(" ".join(words).replace("... ...", "...")),
            args[1].lower(), cell(args[4]),
            ", ".join(code(c) for c in columns)]


def console_role(args):
    """CONSOLE_ROLE(symbol, name, setting, doc)"""
    return [cell(args[1]), code(args[2]), cell(args[3])]


SECTIONS = {"GLOBAL": "[pgbouncer]", "DATABASE": "[databases]",
            "USER": "[users]", "PEER": "[peers]"}


def imported(args):
    """IMPORT(place, name, fate, how, to, doc)"""
    to = args[4].replace(".", " ")
    becomes = {"MAPPED": f"conninfo {to}" if args[3] in
               ("CONNINFO", "HOST", "OPTION") else to,
               "UNNEEDED": "", "IMPOSSIBLE": ""}[args[2]]
    return [SECTIONS[args[0]], code(args[1]), code(becomes) or
            {"UNNEEDED": "not needed", "IMPOSSIBLE": "not possible"}[args[2]],
            cell(args[5])]


# Table: its macro, the columns' titles (None: one line of names), and what
# makes cells of a row's arguments.
TABLES = {
    "auth_methods": ("AUTH_METHOD", ["method", "proof"], reason),
    "bypass_reasons": ("BYPASS_REASON", ["reason", "the statement ..."],
                       reason),
    "cache_wishes": ("CACHE_WISH", ["setting", "value"], reason),
    "feed_states": ("FEED_STATE", ["state", ""], reason),
    "guards": ("GUARD", ["guard", "why an experiment is stopped"], reason),
    "import_pgbouncer": ("IMPORT",
                         ["section", "setting", "becomes", ""], imported),
    "lease_outcomes": ("LEASE_OUTCOME", ["outcome", ""], reason),
    "pin_reasons": ("PIN_REASON", ["reason", "because of"], reason),
    "close_reasons": ("CLOSE_REASON",
                      ["why", "SQLSTATE told", "counted in"], close_reason),
    "session_states": ("SESSION_STATE",
                       ["state", "the session is", "client messages acted on",
                        "holds a server"], session_state),
    "owed": ("OWED", ["entry", "reply to"], owed),
    "console_commands": ("(?:COMMAND|ABSENT)", ["command", "role", "does", "columns"],
                         console_command),
    "console_roles": ("CONSOLE_ROLE", ["role", "users of", "may"],
                      console_role),
    "output_settings": ("OUTPUT_SETTING", None, name_only),
    "board_counts": ("BOARD_COUNT", ["count", ""], reason),
    "rulings": ("RULING", ["ruling", ""], reason),
    "replica_reasons": ("REPLICA_REASON", ["reason", "the statement ..."],
                        reason),
    "replica_states": ("REPLICA_STATE", ["state", "the replica ..."], reason),
    "reported": ("REPORTED", None, name_only),
    "api_pages": ("API_(?:PAGE|SHOW|OWN)", ["page", "member", "holds"],
                  api_page),
    "api_actions": ("API_ACTION", ["action", "command", "does"], api_action),
}


def rows(top, name):
    macro, _, cells = TABLES[name]
    path = top / "src/tbl" / f"{name}.h"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return [cells(arguments(a))
            for a in re.findall(rf"^{macro}\((.*)\)$", text, re.M)]


def roff(text):
    return text.replace("`", "").replace("\\", "\\e").replace("-", "\\-")


def rendered(top, name, manual):
    titles = TABLES[name][1]
    found = rows(top, name)
    if manual:
        return "".join(f".TP\n.B {roff(r[0])}\n" + ": ".join(
            roff(c) for c in r[1:3] if c) + "\n" for r in found)
    if titles is None:
        return ",\n".join(r[0] for r in found) + "\n"
    lines = [titles, ["---"] * len(titles)] + found
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def pages(top):
    doc = top / "doc"
    return [p for p in [top / "README.md", *sorted(doc.glob("*.md")),
                        *sorted(doc.glob("*.[1-9]"))] if p.exists()]


def unknown_commands(top, page):
    """Console commands that a page speaks of and the table has not."""
    known = set()
    for row in rows(top, "console_commands"):
        words = row[0].strip("`").split()
        known |= {" ".join(words[:2]), words[0]}
    known.discard("SHOW")
    for said in SPOKEN_OF.findall(page.read_text(encoding="utf-8")):
        if said not in known:
            yield f"{page.relative_to(top)}: there is no command {said}"


def page_as_it_should_be(top, page, used, faults):
    """The page's text with every list written anew."""
    where = page.relative_to(top)
    out, inside = [], None
    lines = page.read_text(encoding="utf-8").splitlines(keepends=True)
    for number, line in enumerate(lines, 1):
        mark = MARK.fullmatch(line.strip())
        if not mark:
            if inside is None:
                out.append(line)
            continue
        kind, name = [g for g in mark.groups() if g]
        if name not in TABLES:
            faults.append(f"{where}:{number}: tbl/{name}.h is not known")
        elif (kind == "begin") != (inside is None) or \
                inside not in (None, name):
            faults.append(f"{where}:{number}: {kind} of tbl/{name}.h without "
                          "its other half")
        if kind == "begin" and name in TABLES:
            out += [line, rendered(top, name, page.suffix != ".md")]
            used.add(name)
        else:
            out.append(line)
        inside = name if kind == "begin" else None
    if inside is not None:
        faults.append(f"{where}: tbl/{inside}.h has no end")
    return "".join(out)


def main():
    top = tree.root(sys.argv)
    faults, used, stale = [], set(), []
    for page in pages(top):
        faults += unknown_commands(top, page)
        text = page_as_it_should_be(top, page, used, faults)
        if text != page.read_text(encoding="utf-8"):
            stale.append((page, text))
    faults += [f"src/tbl/{n}.h: no rows found" for n in TABLES
               if not rows(top, n)]
    faults += [f"src/tbl/{n}.h: stands in no page" for n in TABLES
               if n not in used]
    # A page with a broken mark is not written: text could be lost.
    write = "--write" in sys.argv and not faults
    for page, text in stale:
        if write:
            page.write_text(text, encoding="utf-8")
            print(f"tabledoc: wrote {page.relative_to(top)}")
        else:
            faults.append(f"{page.relative_to(top)}: a list is not what the "
                          "tables say: run tests/lint/tabledoc.py --write")
    tree.finish("tabledoc", faults)


if __name__ == "__main__":
    main()
