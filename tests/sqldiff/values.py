# SPDX-License-Identifier: PostgreSQL
"""Constants of statements: as literals, and as parameters in text or binary.

A value is kept as its text.  `Draft` collects what a statement needs besides
its text while it is generated.
"""

import datetime
import struct
import uuid

from . import schema

OIDS = {"varchar": 1043, "bpchar": 1042, "int2": 21,
        "uuid": 2950, "int4": 23, "int8": 20, "numeric": 1700, "float8": 701,
        "text": 25, "bool": 16, "jsonb": 3802, "text[]": 1009,
        "interval": 1186, "date": 1082, "timestamptz": 1184,
        "uuid[]": 2951, "int8[]": 1016, "int4[]": 1007, "int2[]": 1005,
        "numeric[]": 1231, "bool[]": 1000, "date[]": 1182,
        "timestamptz[]": 1185, "varchar[]": 1015, "bpchar[]": 1014}
OIDS.update({"timestamp": 1114, "name": 19})
# What a key may be compared with, or assigned from.
RELATED = {"int2": ["int4", "int8", "numeric", "float8"],
           "int4": ["int2", "int8", "numeric", "float8"],
           "int8": ["int2", "int4", "numeric", "float8"],
           "numeric": ["int4", "int8", "float8"],
           "text": ["varchar", "bpchar", "name"],
           "varchar": ["text", "bpchar", "name"],
           "bpchar": ["text", "varchar"], "date": ["timestamptz", "timestamp"],
           "timestamptz": ["timestamp", "date"]}
ELEMENT = {kind: kind[:-2] for kind in OIDS if kind.endswith("[]")}
EPOCH = datetime.datetime(2000, 1, 1, tzinfo=datetime.timezone.utc)


def binary(kind, text):
    """A parameter's binary form, or None where it is always sent as text."""
    if kind in ("int2", "int4", "int8"):
        return struct.pack({"int2": "!h", "int4": "!i", "int8": "!q"}[kind],
                           int(text))
    if kind == "float8":
        return struct.pack("!d", float(text))
    if kind == "uuid":
        return uuid.UUID(text).bytes
    if kind in ("text", "varchar", "bpchar"):
        return text.encode()
    if kind == "bool":
        return b"\1" if text == "true" else b"\0"
    if kind == "date":
        return struct.pack("!i", (datetime.date.fromisoformat(text) -
                                  EPOCH.date()).days)
    if kind == "timestamptz":
        when = datetime.datetime.fromisoformat(text)
        return struct.pack("!q", (when - EPOCH) //
                           datetime.timedelta(microseconds=1))
    if kind in ELEMENT and ELEMENT[kind] != "numeric":
        return binary_array(ELEMENT[kind], parse_array(text))
    return None


def array(values):
    """In PostgreSQL's spelling; a value of None is NULL."""
    def one(v):
        if v is None:
            return "NULL"
        return '"' + v.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return "{" + ",".join(map(one, values)) + "}"


def parse_array(text):
    """What array() wrote, or a plain list without quotes."""
    out, item, inside, quoted, i = [], "", False, False, 1
    while i < len(text):
        c = text[i]
        if inside and c == "\\":
            i += 1
            item += text[i]
        elif c == '"':
            inside, quoted = not inside, True
        elif not inside and c in ",}":
            if item or quoted:
                out.append(None if item == "NULL" and not quoted else item)
            item, quoted = "", False
        else:
            item += c
        i += 1
    return out


def binary_array(kind, values):
    body = b"".join(struct.pack("!i", -1) if v is None else
                    struct.pack("!i", len(binary(kind, v))) + binary(kind, v)
                    for v in values)
    return struct.pack("!iiIii", 1 if values else 0,
                       int(None in values), OIDS[kind], len(values), 1
                       ) + body if values else \
        struct.pack("!iiI", 0, 0, OIDS[kind])


def literal(kind, text, style=0):
    """As SQL; style 0 leaves the type to the context where that is safe."""
    if text is None:
        return "NULL"
    if kind in ("int2", "int4", "int8"):
        return text if style < 2 else f"'{text}'"
    if kind == "bool":
        return text
    if kind == "numeric" and style == 0 and text != "NaN":
        return text
    plain = "'" + text.replace("'", "''") + "'"
    if style == 0 and kind in ("uuid", "text", "varchar", "bpchar"):
        return plain
    if style == 1 and kind in ("date", "interval", "timestamptz"):
        return f"{kind} {plain}"
    if style == 1 and kind == "text[]" and None not in parse_array(text):
        items = ", ".join(literal("text", v) for v in parse_array(text))
        return f"ARRAY[{items}]::text[]"
    return f"{plain}::{kind}"


def spellings(kind, text):
    """Other texts for a key."""
    if kind == "uuid":
        return [text.upper(), "{" + text + "}", text.replace("-", "")]
    if kind.startswith("int"):
        return [f" {text}", "+" + text if text[0] != "-" else text + " ",
                "-0" + text[1:] if text[0] == "-" else "00" + text]
    if kind == "numeric":
        return [text] if text == "NaN" else [
            text + ("0" if "." in text else ".0"), text + "e0", f" {text}"]
    if kind == "bool":
        return ["t", "TRUE", "yes", "on", "1"] if text == "true" else \
            ["f", "False", "no", "off", "0"]
    if kind == "date":
        return [text.replace("-", ""), text + " 12:00", f"{text} AD",
                datetime.date.fromisoformat(text).strftime("%B %d, %Y")]
    if kind == "timestamptz":
        zone = datetime.timezone(datetime.timedelta(hours=5, minutes=30))
        there = datetime.datetime.fromisoformat(text).astimezone(zone)
        return [there.isoformat(), text.replace("+00:00", "Z"),
                text.replace("T", " ").replace("+00:00", " UTC"),
                text.replace("+00:00", "+00")]
    if kind == "bpchar":
        return [text + " ", text + "   "]
    return [text]


def make(dice, kind):
    """The text of a value of the kind; now and then one that no row has."""
    if kind in ELEMENT:
        if kind == "text[]":
            return dice.pick(["{a}", "{a,b}", "{}", "{b}", '{"x y"}'])
        return array([make(dice, ELEMENT[kind])
                      for _ in range(dice.below(4))])
    if kind in ("uuid", "int2", "varchar", "bpchar"):
        return dice.pick(schema.KEYS[kind])
    if kind == "int4":
        return str(dice.pick([0, 1, 2, 5, 10, 30, -1, -7, 59, 100]))
    if kind == "int8":
        return str(dice.pick([0, 1, 10, 50, 100, 200, 300, 10**11, -10**11]))
    if kind == "numeric":
        return dice.pick(["0.00", "10.00", "100.50", "-20.25", "500.00",
                          "999.99"])
    if kind == "float8":
        return dice.pick(["0.25", "10.25", "100.5", "-50.75", "1000.25"])
    if kind == "text":
        return dice.pick(schema.WORDS)
    if kind == "bool":
        return dice.pick(["true", "false"])
    if kind == "jsonb":
        return dice.pick(schema.DOCS)
    if kind == "interval":
        return dice.pick(schema.SPANS)
    day = schema.month(dice.below(schema.MONTHS)) + datetime.timedelta(
        dice.pick([0, 0, 0, 1, 14, 27]))
    if kind == "date":
        return day.isoformat()
    when = datetime.datetime.combine(day, datetime.time(),
                                     datetime.timezone.utc)
    return (when + datetime.timedelta(hours=dice.pick([0, 0, 0, 5, -3]))
            ).isoformat()


class Param:
    def __init__(self, kind, text, declared, form):
        self.kind = kind
        self.text = text
        self.oid = OIDS[kind] if declared or form else 0
        self.form = form

    def raw(self):
        if self.text is None:
            return None
        return binary(self.kind, self.text) if self.form else self.text

    def other(self, dice):
        """The same parameter with another value."""
        out = Param(self.kind, make(dice, self.kind), False, self.form)
        out.oid = self.oid
        return out


class Draft:
    """extended: constants may become parameters."""

    def __init__(self, dice, extended):
        self.dice = dice
        self.extended = extended
        self.params = []
        self.aliases = 0

    def alias(self):
        self.aliases += 1
        return f"t{self.aliases}"

    def constant(self, kind, text):
        """SQL for this value."""
        dice = self.dice
        if not self.extended or not dice.chance(60):
            style = dice.below(3)
            if kind == "timestamptz" and text and dice.chance(20):
                # In the session's zone.
                return f"'{text[:19].replace('T', ' ')}'" + \
                    ("::timestamptz" if style else "")
            return literal(kind, text, style)
        form = int(dice.chance(50) and (
            text is None or binary(kind, text) is not None))
        self.params.append(Param(kind, text, dice.chance(40), form))
        cast = f"::{kind}" if dice.chance(30) else ""
        return f"${len(self.params)}{cast}"

    def value(self, kind):
        return self.constant(kind, make(self.dice, kind))

    def key(self, kind, text):
        """SQL for a key; in another spelling or type now and then."""
        how = self.dice.below(100)
        if how > 85 and kind in RELATED:
            return self.related(self.dice.pick(RELATED[kind]), text)
        if how < 65:
            return self.constant(kind, text)
        other = self.dice.pick(spellings(kind, text))
        if self.extended and self.dice.chance(60):
            self.params.append(Param(kind, other, self.dice.chance(50), 0))
            return f"${len(self.params)}"
        quoted = "'" + other.replace("'", "''") + "'"
        return quoted + self.dice.pick(["", "", f"::{kind}"])

    def related(self, kind, text):
        """A value of this other type."""
        if kind == "timestamp":
            text = text[:19]
        if kind == "date":
            text = text[:10]
        if self.extended and self.dice.chance(60):
            self.params.append(Param(kind, text, True, 0))
            return f"${len(self.params)}"
        quoted = "'" + text.replace("'", "''") + "'"
        return f"{quoted}::{kind}"

    def typed(self, kind):
        """... in a place that does not tell its type."""
        text = self.value(kind)
        return text if text.endswith(f"::{kind}") else f"{text}::{kind}"
