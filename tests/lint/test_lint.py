#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""The lint scripts find what they are there to find."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent


class Lint(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.top = pathlib.Path(place.name)
        (self.top / "src").mkdir()

    def put(self, name, text):
        path = self.top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def run_lint(self, script, *options):
        return subprocess.run(
            [sys.executable, str(HERE / script), str(self.top), *options],
            capture_output=True, text=True, check=False)

    def passes(self, script, *options):
        done = self.run_lint(script, *options)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def fails(self, script, *needles):
        done = self.run_lint(script)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        for needle in needles:
            self.assertIn(needle, done.stdout)


class Layers(Lint):
    def test_downward_is_fine(self):
        self.put("src/net/a.c", '#include <stdio.h>\n#include "net/a.h"\n'
                 '#include "base/buf.h"\n#include "tbl/x.h"\n')
        self.put("src/run/b.c", '#include "stats/m.h"\n')
        self.put("src/sql/p.c", "#include <pg_query.h>\n")
        self.put("src/conf/p.c", "#include <libpq-fe.h>\n")
        self.put("src/main.c", '#include "systemd.h"\n'
                 '#include "admin/http.h"\n')
        self.put("src/systemd.c", "#include <systemd/sd-daemon.h>\n")
        self.passes("layers.py")

    def test_upward(self):
        self.put("src/base/a.c", '#include "net/addr.h"\n')
        self.fails("layers.py", "src/base/a.c:1", "upward")

    def test_sibling(self):
        self.put("src/cache/a.c", '\n#include "route/route.h"\n')
        self.put("src/net/b.c", '#include "pgwire/frame.h"\n')
        self.fails("layers.py", "src/cache/a.c:2", "src/net/b.c:1",
                   "siblings")

    def test_main_is_above_all(self):
        self.put("src/session/a.c", '#include "admin/http.h"\n')
        self.fails("layers.py", "layer 5")

    def test_no_folder(self):
        self.put("src/net/a.c", '#include "addr.h"\n')
        self.fails("layers.py", "carry the folder")

    def test_unknown_folder(self):
        self.put("src/net/a.c", '#include "nett/addr.h"\n')
        self.put("src/extra/a.c", "\n")
        self.put("src/stray.c", "\n")
        self.fails("layers.py", "no such folder", "folder extra",
                   "src/stray.c: does not belong")

    def test_libraries_have_one_home(self):
        for name, line in [("route/a.c", "<pg_query.h>"),
                           ("route/b.c", "<pg_query/pg_query.pb-c.h>"),
                           ("net/c.c", "<libpq-fe.h>"),
                           ("session/d.c", "<hiredis/async.h>"),
                           ("run/e.c", "<systemd/sd-daemon.h>"),
                           ("run/f.c", "<confuse.h>")]:
            self.put("src/" + name, f"#include {line}\n")
        self.fails("layers.py", "route/a.c:1", "route/b.c:1", "net/c.c:1",
                   "session/d.c:1", "run/e.c:1", "run/f.c:1")

    def test_tables_include_nothing(self):
        self.put("src/tbl/a.h", '#include "base/buf.h"\n')
        self.fails("layers.py", "tables include nothing")


class Magic(Lint):
    def test_unique(self):
        self.put("src/net/a.h", "#define A_MAGIC 0x00000001u\n"
                 "#define B_MAGIC 0x00000002u /* why */\n")
        self.passes("magic.py")

    def test_same_value(self):
        self.put("src/net/a.h", "#define A_MAGIC 0x0000beefu\n")
        self.put("src/run/b.h", "#define B_MAGIC 0x0000BEEFu\n")
        self.fails("magic.py", "src/run/b.h:1", "src/net/a.h:1")

    def test_same_name(self):
        self.put("src/net/a.h", "#define A_MAGIC 0x00000001u\n")
        self.put("src/run/b.h", "#define A_MAGIC 0x00000002u\n")
        self.fails("magic.py", "A_MAGIC is also")

    def test_form(self):
        self.put("src/net/a.h", "#define A_MAGIC 17\n")
        self.fails("magic.py", "eight digits")


class Budget(Lint):
    def test_small(self):
        self.put("src/net/a.c", "int\nmain(void)\n{\n\treturn 0;\n}\n")
        self.assertNotIn("note", self.passes("budget.py"))

    def test_notes(self):
        body = "\tx();\n" * 90
        self.put("src/net/a.c", "void\nlong_one(void)\n{\n" + body + "}\n")
        self.put("src/net/b.c", "\n" * 700)
        out = self.passes("budget.py")
        self.assertIn("src/net/a.c:2: long_one has 93 lines", out)
        self.assertIn("src/net/b.c: 700 lines", out)

    def test_too_long(self):
        self.put("src/net/a.c", "\n" * 901)
        self.fails("budget.py", "901 lines, over 900")


class Lessons(Lint):
    def test_rows_and_tests(self):
        self.put("tests/e2e/test_a.py", "def test_b(x):\n    pass\n")
        self.put("tests/diff/scripts.py", '"P28 an error": 1\n')
        self.put("tests/lessons.md", "".join(f"| {row} | a | {tests} |\n"
                                             for row, tests in (
            ("S1", "`test_a.py::test_b`"), ("S2", "`test_a.py::test_c`"),
            ("S3", "`unit/test_a.c::b`"), ("S4", ""), ("S99", "none: x"),
            ("P1", "diff: P28"), ("P2", "diff: P29"),
            ("F1", "chaos: F1"), ("F2", "chaos: F2"), ("F3", "none: x"))))
        self.put("tests/chaos/a_faults.py", '@fault("F1", "a")\n'
                 'SUITES = (\n    ("F3", "b"),\n)\n')
        self.fails("lessons.py", "S2: no test_c in test_a.py",
                   "S3: no file unit/test_a.c",
                   "S4: neither a test nor a reason", "S5: is there 0 times",
                   "S99: there is no such row", "P2: no script P29",
                   "F2: is not played by tests/chaos",
                   "F3: is played by tests/chaos, and does not say so")
        done = self.run_lint("lessons.py").stdout
        self.assertNotIn("S1:", done)
        self.assertNotIn("P1:", done)
        self.assertNotIn("F1:", done)

    def test_the_threat_model_names_tests(self):
        self.put("tests/lessons.md", "")
        self.put("doc/threat-model.md", "| a | b | `test_a.py::test_b` |\n")
        self.fails("lessons.py", "doc/threat-model.md: no file test_a.py")


class Links(Lint):
    RULES = "contrib/prometheus/pgsluice.rules.yml"
    ALERT = "      - alert: PgsluiceX\n        expr: x\n"

    def test_good(self):
        self.put("README.md", "[a](doc/a.md#one-two) [b](doc/a.md#one-two-1) "
                 "[c](https://x.example/#y) [d](#here)\n## Here!\n"
                 "```\n[no](link)\n# no heading\n```\n")
        self.put("doc/a.md", "# One, `two`\n## one two\n[up](../README.md)\n")
        self.passes("links.py")

    def test_nowhere(self):
        self.put("doc/a.md", "[a](b.md) [c](#d) [e](a.md#no-heading)\n"
                 "```\n# No heading\n```\n")
        self.fails("links.py", "doc/a.md: (b.md): there is no such file",
                   "(#d): doc/a.md has no such heading",
                   "(a.md#no-heading): doc/a.md has no such heading")

    def test_alerts(self):
        runbook = '          runbook: "doc/operations.md#pgsluicex"\n'
        self.put("src/tbl/m.h", 'FAMILY(X, "pgsluice_x_total", "counter")\n')
        self.put("doc/operations.md", "### PgsluiceX\n`pgsluice_x_total`\n")
        self.put(self.RULES, self.ALERT + runbook)
        self.passes("links.py")
        self.put(self.RULES, self.ALERT)
        self.fails("links.py", "PgsluiceX has not runbook")
        self.put(self.RULES, self.ALERT + runbook)
        self.put("doc/operations.md", "### PgsluiceY\n`pgsluice_z_total`\n")
        self.fails("links.py", "there is no section PgsluiceX",
                   "section pgsluicey is of no alert",
                   "there is no metric pgsluice_z_total")


class Sources(Lint):
    def test_write_then_compare(self):
        self.put("src/base/b.c", "")
        self.put("src/base/a.h", "")
        self.put("tests/unit/test_b.c", "")
        self.put("tests/unit/fake.c", "")
        self.put("tests/fuzz/fuzz_b.c", "")
        self.put("tests/fuzz/corpus/b/seed", "x")
        self.fails("sources.py", "src/base/sources.mk: out of date",
                   "tests/unit/tests.mk", "tests/fuzz/fuzz.mk")
        self.passes("sources.py", "--write")
        self.passes("sources.py")
        text = (self.top / "src/base/sources.mk").read_text(encoding="utf-8")
        self.assertIn("src/base/a.h \\\n\tsrc/base/b.c\n", text)
        self.put("src/base/c.c", "")
        self.fails("sources.py", "src/base/sources.mk: out of date")
        self.passes("sources.py", "--write")
        (self.top / "src/base/b.c").unlink()
        self.fails("sources.py", "src/base/sources.mk: out of date")

    def test_strays(self):
        self.passes("sources.py", "--write")
        self.put("src/elsewhere/a.c", "")
        self.put("src/base/deep/a.c", "")
        self.fails("sources.py", "src/elsewhere/a.c: in no fragment",
                   "src/base/deep/a.c: in no fragment")

    def test_fuzz_target_needs_seeds(self):
        self.put("tests/fuzz/fuzz_b.c", "")
        done = self.run_lint("sources.py", "--write")
        self.assertEqual(done.returncode, 1)
        self.assertIn("no seeds", done.stdout)


if __name__ == "__main__":
    unittest.main()
