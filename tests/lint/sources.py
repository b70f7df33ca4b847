#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""The makefile fragments list what is on the disk.

    tests/lint/sources.py            compare (part of make check)
    tests/lint/sources.py --write    write the fragments

src/FOLDER/sources.mk       every .c and .h of the folder
tests/unit/tests.mk         test_*.c: one program each; other .c: a library
                            that all of them link; .h: distributed
tests/fuzz/fuzz.mk          fuzz_*.c: one replay program each, run over
                            corpus/NAME, and with --enable-fuzzing a libFuzzer
                            program; other .h: distributed
"""

import sys

import tree

HEAD = ("# SPDX-License-Identifier: PostgreSQL\n"
        "# Written by tests/lint/sources.py --write.\n\n")


def assign(variable, words, operator="+="):
    """VARIABLE += words, one a line."""
    if not words:
        return ""
    return f"{variable} {operator} \\\n\t" + " \\\n\t".join(words) + "\n"


def names(folder, pattern):
    return sorted(p.name for p in folder.glob(pattern) if p.is_file())


def source_fragment(top, folder):
    place = top / "src" / folder
    files = names(place, "*.c") + names(place, "*.h")
    return HEAD + assign("libpgsluice_a_SOURCES",
                         [f"src/{folder}/{n}" for n in sorted(files)])


def unit_fragment(top):
    place = top / "tests" / "unit"
    tests = [n[:-2] for n in names(place, "test_*.c")]
    shared = [n for n in names(place, "*.c") if not n.startswith("test_")]
    headers = names(place, "*.h")
    text = HEAD
    library = ""
    if shared:
        library = "tests/unit/libunit.a "
        text += ("if HAVE_CMOCKA\n"
                 "check_LIBRARIES += tests/unit/libunit.a\n"
                 "endif\n")
        text += assign("tests_unit_libunit_a_SOURCES",
                       [f"tests/unit/{n}" for n in sorted(shared + headers)],
                       "=")
        text += "tests_unit_libunit_a_CPPFLAGS = $(UNIT_CPPFLAGS)\n\n"
    else:
        text += assign("EXTRA_DIST", [f"tests/unit/{n}" for n in headers])
    text += assign("UNIT_TESTS", [f"tests/unit/{n}" for n in tests], "=")
    if not tests:
        text += "UNIT_TESTS =\n"
    text += ("if HAVE_CMOCKA\n"
             "check_PROGRAMS += $(UNIT_TESTS)\n"
             "TESTS += $(UNIT_TESTS)\n"
             "endif\n")
    for n in tests:
        text += (f"\ntests_unit_{n}_SOURCES = tests/unit/{n}.c\n"
                 f"tests_unit_{n}_CPPFLAGS = $(UNIT_CPPFLAGS)\n"
                 f"tests_unit_{n}_LDADD = {library}$(UNIT_LDADD)\n")
    return text


def fuzz_fragment(top):
    place = top / "tests" / "fuzz"
    targets = [n[len("fuzz_"):-2] for n in names(place, "fuzz_*.c")]
    headers = [f"tests/fuzz/{n}" for n in names(place, "*.h")]
    text = HEAD
    text += assign("EXTRA_DIST",
                   headers + [f"tests/fuzz/corpus/{n}" for n in targets])
    text += assign("FUZZ_REPLAYS",
                   [f"tests/fuzz/replay_{n}" for n in targets], "=")
    text += assign("FUZZERS", [f"tests/fuzz/fuzz_{n}" for n in targets], "=")
    if not targets:
        text += "FUZZ_REPLAYS =\nFUZZERS =\n"
    text += ("check_PROGRAMS += $(FUZZ_REPLAYS)\n"
             "TESTS += $(FUZZ_REPLAYS)\n"
             "EXTRA_PROGRAMS += $(FUZZERS)\n"
             "if ENABLE_FUZZING\n"
             "noinst_PROGRAMS += $(FUZZERS)\n"
             "endif\n")
    for n in targets:
        text += (f"\ntests_fuzz_replay_{n}_SOURCES = tests/fuzz/fuzz_{n}.c \\\n"
                 f"\ttests/fuzz/replay_main.c\n"
                 f"tests_fuzz_fuzz_{n}_SOURCES = tests/fuzz/fuzz_{n}.c\n"
                 f"tests_fuzz_fuzz_{n}_LDFLAGS = $(AM_LDFLAGS) "
                 f"-fsanitize=fuzzer\n")
    return text


def fragments(top):
    for folder in tree.FOLDERS:
        yield (top / "src" / folder / "sources.mk",
               source_fragment(top, folder))
    yield top / "tests" / "unit" / "tests.mk", unit_fragment(top)
    yield top / "tests" / "fuzz" / "fuzz.mk", fuzz_fragment(top)


def strays(top):
    """Folders with sources that no fragment covers."""
    for path in tree.sources(top):
        parts = path.relative_to(top / "src").parts
        if len(parts) > 2 or (len(parts) == 2 and
                              parts[0] not in tree.FOLDERS):
            yield f"{path.relative_to(top)}: in no fragment"
    for path in (top / "tests" / "fuzz").glob("fuzz_*.c"):
        corpus = path.parent / "corpus" / path.stem[len("fuzz_"):]
        if not corpus.is_dir() or not any(corpus.iterdir()):
            yield f"{path.relative_to(top)}: no seeds in corpus"


def main():
    top = tree.root(sys.argv)
    faults = list(strays(top))
    for path, text in fragments(top):
        have = path.read_text(encoding="utf-8") if path.exists() else None
        if have == text:
            continue
        if "--write" in sys.argv:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"sources: wrote {path.relative_to(top)}")
        else:
            faults.append(f"{path.relative_to(top)}: out of date; run "
                          "tests/lint/sources.py --write")
    tree.finish("sources", faults)


main()
