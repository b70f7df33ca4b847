#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""doc/configuration.md and doc/pgsluice.conf.5 say what src/tbl/settings.h and
blocks.h say.

    tests/lint/confdoc.py            compare (part of make check)
    tests/lint/confdoc.py --write    write the pages

Options, types, bounds, defaults and one sentence each come from the tables;
the text around them stands here.  The manual page has its own text: lists are
written between its comments "begin settings" and "end settings", "begin blocks"
and "end blocks".
"""

import re
import sys

import tree

UNITS = {
    "TIME": [("d", 86400 * 10**9), ("h", 3600 * 10**9), ("min", 60 * 10**9),
             ("s", 10**9), ("ms", 10**6), ("us", 10**3), ("ns", 1)],
    "SIZE": [("TB", 1024**4), ("GB", 1024**3), ("MB", 1024**2),
             ("kB", 1024), ("B", 1)],
}
NAMES = {"S_": 10**9, "KB_": 1024, "MB_": 1024**2, "GB_": 1024**3,
         "NSEC_PER_SEC": 10**9, "NSEC_PER_MSEC": 10**6}
TYPES = {"STR": "text", "LIST": "list", "INT": "number", "SIZE": "size",
         "TIME": "time", "BOOL": "true or false", "WORD": "word",
         "ENUM": "word", "MONTH": "month"}

INTRO = """\
# Configuration

<!-- Written by tests/lint/confdoc.py --write. -->

`pgsluice FILE` reads one file. `pgsluice --check FILE` only says what is wrong
with it, one mistake a line as `file:line: what, expected what`, and exits 1, or
`FILE: ok` and exits 0. SIGHUP, or `RELOAD` on the console, reads the file again; one
mistake in it and all of the old configuration stays in force. `SHOW CONFIG`
shows every value in force, passwords as `***`.

## Writing it

```
name = value                    # a setting or an option
name = {"one", "other"}         # a list; one value needs no braces
block "title" { name = value }  # a block
```

- `#` and `//` start comments up to the end of the line, `/* */` enclose them.
- Values of letters, digits and `. : - _` need no quotes. Inside double quotes
  `\\"` is a quote, `${NAME}` the environment variable NAME and `${NAME:-text}` text
  where there is no such variable; inside single quotes everything stands for itself.
- *time*: `250ms`, `30s`, `5min`, `1h`, `7d`, or `0`. *size*: bytes, or `64kB`, `64MB`,
  `1GB`. *month*: `2026-01`. *true or false*: also on, off, yes, no.
- An option may be given once. An empty list is the same as none given.
- A title is written once per kind of block, but see `table` and `cache`.

"""

SETTINGS = """\
## Settings

Reload "no" means: a change takes effect after a restart, and a reload says so.

"""

BLOCKS = """\
## Blocks

At least one `backend` and one `database` are needed.

"""

PROSE = {
    "backend": """\
```
backend "main" { conninfo = "host=db1 dbname=app passfile=/etc/pgsluice/pgpass" }
```

Whose password is used: that of the conninfo, or of its passfile, or the plain
password in the users file. A pool belongs to one backend and one user.
""",
    "database": """\
```
database "app" { backend = "main"  pool_mode = "session" }
```
""",
    "table": """\
```
table "app.events" {
    key_column  = "tenant_id"
    key_type    = "uuid"
    time_column = "occurred_at"
    use         = "sharded"
    variant "plain"   { kind = "plain"   backend = "main"    relation = "app.events_plain" }
    variant "monthly" { kind = "monthly" backend = "monthly" relation = "app.events" }
    variant "sharded" { kind = "sharded" backend = "coordinator"
                        relation = "app.events_sharded"
                        shard_relation = "app.events_shard"
                        shards = {"shard0", "shard1"} }
}
```

The variants are forms of the same rows. Statements name the table by its
title; the one in use decides where they run and under which name.
""",
    "variant": """\
A sharded variant's partition of a row is computed as PostgreSQL computes it
for `PARTITION BY HASH (key_column)`: the shard at place *r* of the list holds the
partition `MODULUS` (number of shards), `REMAINDER` *r*.
""",
    "rewrite": """\
```
variant "split" { kind = "plain" backend = "main" only_rewrites = true
    rewrite "details" {
        query = "SELECT name, rules FROM clusters WHERE cid = :cid"
        text  = "SELECT name, rules FROM clustercore JOIN clusterinfo USING (cid) WHERE cid = :cid" }
    rewrite "new" {
        query = "INSERT INTO clusters (cid, name, rules) VALUES (:cid, :name, :rules)"
        text  = {"INSERT INTO clustercore (cid, name) VALUES (:cid, :name)",
                 "INSERT INTO clusterinfo (cid, rules) VALUES (:cid, :rules)"} } }
```

A statement is the query if it is the same but for blanks, comments, letter case of
keywords, values and casts around these; TRUE, FALSE and NULL are no values. Each
value of the query must have a name, and each name must stand in the text. The
answer must have the same columns. Several statements see what was there before all of them.
""",
    "span": """\
```
variant "monthly" { kind = "monthly" backend = "all" relation = "app.events"
    span "hot"     { backend = "ssd"  from  = "2026-01" }
    span "archive" { backend = "disk" until = "2026-01" } }
```

A statement confined to months of one span runs on that span's backend, every
other on the variant's.
""",
    "experiment": """\
```
experiment "events layout" {
    table = "app.events"
    arms  = {"plain:50", "monthly:50"}
    unit  = "tenant"
    stop_if_error_ratio = 1.5
    stop_if_p95_ratio   = 2
}
```

See [experiments](experiments.md).
""",
    "check": """\
```
check "posts behind" {
    backend  = "main"
    query    = "SELECT count(*) FROM tb_post p LEFT JOIN tv_post v USING (id) WHERE v.synced_at IS NULL OR v.synced_at < p.updated_at"
    interval = 5s
}
```

At most 32 of them. The last answer is `pgsluice_check_value{check="posts behind"}` and in
`SHOW CHECKS`; see [alerts](operations.md#alerts). It is none while the question fails:
an error, NULL, more than one value, no number, or no answer in time. Tables that may be in
other schemas than the user's own are named with theirs. Neither `/healthz` nor `/readyz`
looks at it: the load balancer is not to take a proxy out because data are old.
""",
    "peer": """\
```
node = "${NODE}"                  # 1, 2 or 3, from the environment
peer "1" { host = "10.0.0.1" }
peer "2" { host = "10.0.0.2" }
peer "3" { host = "10.0.0.3" }
```

See [several nodes](operations.md#several-nodes).
""",
    "cache": """\
```
cache "recent events" {
    databases = {"app"}
    tables = {"app.events"}
    ttl = 60s  l1_ttl = 10s  grace = 5s  ttl_closed_month = 1h
}
cache "model details" {
    query = "SELECT * FROM models WHERE id = :model_id"
    key = "model:{model_id}:details"
    ttl = 1h
}
```

Without a rule nothing is cached. Tables are named as statements name them;
they need no `table` block. See [named results](cache.md#named-results) for
`query` and `key`.
""",
    "writes": """\
```
writes "tb_post" { also = {"tv_post"} }
```

A table with triggers or rules ends every result when it is written, unless
such a block says what else changes, or its trigger functions are named in
`readonly_functions`. See [the cache](cache.md#triggers-and-rules).
""",
    "user": """\
```
user "reports" { max_user_client_connections = 10  query_timeout = 5min }
```
""",
    "user_map": """\
```
user_map "webapp" { to = "app" }
```
""",
}


def arguments(text):
    """Arguments of a macro call; strings joined and without quotes."""
    out, cur, depth = [], "", 0
    for piece in re.findall(r'"(?:[^"\\]|\\.)*"|.', text):
        if piece == "," and depth == 0:
            out.append(cur.strip())
            cur = ""
            continue
        depth += (piece == "(") - (piece == ")")
        cur += piece
    out.append(cur.strip())
    return [text_of(a) if a.startswith('"') else a for a in out]


def text_of(literals):
    """The value of one or more adjacent C string literals."""
    parts = re.findall(r'"((?:[^"\\]|\\.)*)"', literals)
    return re.sub(r"\\(.)", r"\1", "".join(parts))


def number(expr):
    """A constant expression of the tables."""
    expr = re.sub(r"\b0([0-7]+)\b", r"0o\1", expr)
    expr = re.sub(r"\b(\d+)(?:ll|ull)\b", r"\1", expr)
    if not re.fullmatch(r"[\w\s*+()]*", expr):
        sys.exit(f"confdoc: cannot compute {expr}")
    return eval(expr, {"__builtins__": {}}, NAMES)


def printed(kind, name, expr):
    value = number(expr)
    if kind == "INT":
        return f"0{value:03o}" if name.endswith("_mode") else str(value)
    if value == 0:
        return "0"
    return next(f"{value // n}{unit}" for unit, n in UNITS[kind]
                if value % n == 0)


def cell(text):
    return text.replace("|", "\\|")


def code(text):
    return f"`{text}`" if text != "" else ""


def word_of(words, symbol):
    """Default of an ENUM: a place, or a symbol that ends like its word."""
    if symbol.isdigit():
        return words.split("|")[int(symbol)]
    tail = symbol.split("_")[-1].lower()
    return next(w for w in words.split("|") if w.startswith(tail))


def setting_row(kind, args):
    name, doc, reload = args[0], args[-1], args[-2]
    accepts = ""
    if kind in ("INT", "SIZE", "TIME"):
        default = printed(kind, name, args[1])
        accepts = " to ".join(printed(kind, name, a) for a in args[2:4])
    elif kind == "ENUM":
        default = word_of(args[3], args[2])
        accepts = args[3].replace("|", ", ")
    else:
        default = args[1]
    what = TYPES[kind] + (": " + accepts if accepts else "")
    return (f"| `{name}` | {what} | {code(default)} | "
            f"{'yes' if reload == 'true' else 'no'} | {cell(doc)} |\n")


def settings(top):
    out = SETTINGS
    for line in (top / "src/tbl/settings.h").read_text().splitlines():
        head = re.fullmatch(r"/\* (.*) \*/", line)
        if head:
            title = head.group(1)
            out += f"\n### {title[0].upper()}{title[1:]}\n\n"
            out += ("| setting | type | default | reload | |\n"
                    "|---|---|---|---|---|\n")
        row = re.fullmatch(r"SETTING_(\w+)\((.*)\)", line)
        if row:
            out += setting_row(row.group(1), arguments(row.group(2)))
    return out.replace("\n\n\n", "\n\n") + "\n"


def option_row(args):
    _, name, kind, need, default, accepts, doc = args
    accepts = accepts.replace("|", ", ").replace("..", " to ")
    what = TYPES[kind] + (": " + accepts if accepts else "")
    default = "*needed*" if need == "MUST" else code(default)
    return f"| `{name}` | {what} | {default} | {cell(doc)} |\n"


def blocks(top):
    out = BLOCKS
    names = {}
    rows = re.findall(r"^(BLOCK|BLOCK_OPTION)\((.*)\)$",
                      (top / "src/tbl/blocks.h").read_text(), re.M)
    rows = [(macro, arguments(text)) for macro, text in rows]
    for macro, args in rows:
        if macro == "BLOCK_OPTION":
            continue
        symbol, name, parent, doc = args
        names[symbol] = name
        where = "" if parent == "ROOT" else f", inside `{names[parent]}`"
        out += f"### {name} \"title\"{where}\n\n{doc}\n\n"
        out += "| option | type | default | |\n|---|---|---|---|\n"
        out += "".join(option_row(a) for m, a in rows
                       if m == "BLOCK_OPTION" and a[0] == symbol)
        out += "\n" + PROSE[name] + "\n"
    return out.rstrip("\n") + "\n"


# ---- the manual page ----

def roff(text):
    text = text.replace("`", "").replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text[:1] in (".", "'") else text


def paragraph(row):
    """A tagged paragraph of a row of a table: name, type, default, ..., doc."""
    name, kind, default, *_, doc = [
        c.strip().replace("\\|", "|") for c in
        re.split(r"(?<!\\)\|", row.strip())[1:-1]]
    value = "needed" if default == "*needed*" else \
        f"default {default}" if default else "empty by default"
    if len(default) > 60:
        value = "see SHOW CONFIG for the default"
    return (f".TP\n.B {roff(name)}\n({roff(kind)}; {roff(value)})\n"
            f"{roff(doc)}\n")


def manual(page, heading):
    """Lists of a page as headings and tagged paragraphs."""
    out = ""
    for line in page.splitlines():
        if line.startswith("### "):
            out += f".{heading} {roff(line[4:].replace(chr(34), ''))}\n"
        elif line.startswith("| `"):
            out += paragraph(line)
    return out


def manual_page(top, text):
    """The page with its lists written anew; None: a mark is missing."""
    for name, made in (("settings", settings(top)), ("blocks", blocks(top))):
        begin, end = (f'.\\" {w} {name}\n' for w in ("begin", "end"))
        if text.count(begin) != 1 or text.count(end) != 1:
            return None
        head, _, rest = text.partition(begin)
        text = head + begin + manual(made, "SS") + end + rest.partition(end)[2]
    return text


def manual_faults(top, write):
    page = top / "doc/pgsluice.conf.5"
    old = page.read_text(encoding="utf-8") if page.exists() else ""
    new = manual_page(top, old)
    if new is None:
        return ["doc/pgsluice.conf.5: the places of the lists are not marked"]
    if write and new != old:
        page.write_text(new, encoding="utf-8")
        old = new
    return [] if new == old else [
        "doc/pgsluice.conf.5 is not what the tables say: "
        "run tests/lint/confdoc.py --write"]


def main():
    top = tree.root(sys.argv)
    page = top / "doc/configuration.md"
    text = INTRO + settings(top) + blocks(top)
    if "--write" in sys.argv:
        page.parent.mkdir(exist_ok=True)
        page.write_text(text)
    faults = []
    if not page.exists() or page.read_text() != text:
        faults.append("doc/configuration.md is not what the tables say: "
                      "run tests/lint/confdoc.py --write")
    faults += manual_faults(top, "--write" in sys.argv)
    tree.finish("confdoc", faults)


if __name__ == "__main__":
    main()
