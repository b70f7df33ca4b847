#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""tabledoc.py notices every way in which a list can be wrong."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
TABLES = {
    "bypass_reasons": 'BYPASS_REASON(NO_RULE, "no_rule", "no rule, or none")',
    "cache_wishes": 'CACHE_WISH(CACHE, "pgsluice.cache", "on or off")',
    "feed_states": 'FEED_STATE(LIVE, "live", "seen")',
    "board_counts": 'BOARD_COUNT(WRITES, writes, "writes")',
    "guards": 'GUARD(P95, p95, "its p95")',
    "import_pgbouncer":
        'IMPORT(GLOBAL, "a", MAPPED, TEXT, "b", "the same")\n'
        'IMPORT(DATABASE, "h", MAPPED, HOST, "host", "the same")\n'
        'IMPORT(USER, "c", IMPOSSIBLE, SAID, "", "no such thing")',
    "lease_outcomes": 'LEASE_OUTCOME(TAKEN, "taken", "ours")',
    "pin_reasons": 'PIN_REASON(ROLE, "role", "a | b")',
    "close_reasons": 'CLOSE_REASON(AUTH, client_refused, "28P01", "no")\n'
                     'CLOSE_REASON(GONE, none, NULL, "gone")',
    "session_states": 'SESSION_STATE(IDLE, "idle", "QX", \'?\', "waiting")\n'
                      'SESSION_STATE(TLS, "tls", NULL, \'n\', "shaking")',
    "auth_methods": 'AUTH_METHOD(TRUST, "trust", "none")',
    "owed": 'OWED(SYNC, "sync")',
    "console_commands": 'COMMAND("PAUSE $", READ, f, "a b:8", "stop")',
    "console_roles": 'CONSOLE_ROLE(READ, "read", stats_users, "look")',
    "output_settings": "OUTPUT_SETTING(DateStyle)\n"
                       "OUTPUT_SETTING(TimeZone)",
    "replica_reasons": 'REPLICA_REASON(OFF, "off", "it is off")',
    "rulings": 'RULING(SAME, same, "no difference")',
    "replica_states": 'REPLICA_STATE(FIT, "fit", "takes reads")',
    "reported": "REPORTED(TimeZone)",
    "api_pages": 'API_PAGE(one, "all")\nAPI_SHOW(a, "PAUSE", "rows")\n'
                 'API_OWN(b, write_b, "numbers")',
    "api_actions": 'API_ACTION("stop", "STOP $", "stop it")',
}


def marks(name, text=""):
    return f"<!-- begin tbl/{name}.h -->\n{text}<!-- end tbl/{name}.h -->\n"


class TableDoc(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.top = pathlib.Path(place.name)
        for name, rows in TABLES.items():
            self.put(f"src/tbl/{name}.h", f"/* a table */\n{rows}\n#undef X\n")
        self.put("README.md", "# readme\n")
        self.put("doc/a.md", "before\n" + "".join(
            marks(n) for n in TABLES if n != "owed") + "after\n")
        self.put("doc/b.md", marks("owed"))

    def put(self, name, text):
        path = self.top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def page(self, name="doc/a.md"):
        return (self.top / name).read_text(encoding="utf-8")

    def run_it(self, *options):
        return subprocess.run(
            [sys.executable, str(HERE / "tabledoc.py"), str(self.top),
             *options], capture_output=True, text=True, check=False)

    def passes(self, *options):
        done = self.run_it(*options)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def fails(self, needle, *options):
        done = self.run_it(*options)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn(needle, done.stdout)

    def test_write_then_compare(self):
        self.fails("doc/a.md: a list is not what the tables say")
        self.passes("--write")
        self.passes()
        text = self.page()
        self.assertTrue(text.startswith("before\n"))
        self.assertTrue(text.endswith("after\n"))
        for row in ("| `no_rule` | no rule, or none |",
                    "| `role` | a \\| b |",
                    "| no | `28P01` | `pgsluice_client_refused_total` |",
                    "| gone |  |  |",
                    "| `idle` | waiting | `QX` | perhaps |",
                    "| `tls` | shaking | kept for later | no |",
                    "`DateStyle`,\n`TimeZone`\n"):
            self.assertIn(row, text)
        self.assertIn("| `SYNC` | sync |", self.page("doc/b.md"))

    def test_writing_twice_changes_nothing(self):
        self.passes("--write")
        before = self.page()
        self.passes("--write")
        self.assertEqual(self.page(), before)

    def test_signs_and_types_of_commands(self):
        self.passes("--write")
        self.assertIn("| `PAUSE db` | read | stop | `a`, `b` |", self.page())

    def test_manual_page(self):
        self.put("doc/a.8", '.SH X\n.\\" begin tbl/console_roles.h\n'
                 '.\\" end tbl/console_roles.h\n')
        self.fails("a.8: a list is not")
        self.passes("--write")
        self.assertIn(".TP\n.B read\nstats_users: look\n",
                      self.page("doc/a.8"))

    def test_command_that_there_is_not(self):
        self.passes("--write")
        self.put("doc/c.md", "Say `PAUSE db` and `PAUSE`.\n")
        self.passes()
        self.put("doc/c.md", "Say `PAUSE db`, then `SHOW CLOUDS`.\n")
        self.fails("c.md: there is no command SHOW CLOUDS")
        self.put("doc/c.md", "Say `KILL`.\n")
        self.fails("c.md: there is no command KILL")

    def test_new_row(self):
        self.passes("--write")
        self.put("src/tbl/owed.h", 'OWED(SYNC, "sync")\nOWED(BIND, "bind")\n')
        self.fails("doc/b.md: a list is not")

    def test_changed_page(self):
        self.passes("--write")
        self.put("doc/b.md", self.page("doc/b.md").replace("sync", "sink"))
        self.fails("doc/b.md: a list is not")

    def test_table_in_no_page(self):
        self.put("doc/b.md", "nothing\n")
        self.fails("src/tbl/owed.h: stands in no page", "--write")

    def test_table_without_rows(self):
        self.put("src/tbl/owed.h", "/* OWED(SYNC, ...) */\n")
        self.fails("src/tbl/owed.h: no rows found")
        (self.top / "src/tbl/owed.h").unlink()
        self.fails("src/tbl/owed.h: no rows found")

    def test_broken_marks_are_told_and_nothing_is_written(self):
        for text, needle in [
                ("<!-- begin tbl/owed.h -->\nlost?\n", "has no end"),
                ("<!-- end tbl/owed.h -->\n", "without its other half"),
                ("<!-- begin tbl/owed.h -->\n<!-- end tbl/reported.h -->\n",
                 "without its other half"),
                (marks("owed") + marks("nonsense"), "is not known")]:
            self.put("doc/b.md", text)
            self.fails(needle, "--write")
            self.assertEqual(self.page("doc/b.md"), text)


if __name__ == "__main__":
    unittest.main()
