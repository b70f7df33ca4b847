# SPDX-License-Identifier: PostgreSQL
"""pgjdbc's tests: JUnit by Maven, from the source archive that is for
distributions, which has a pom.xml of its own."""

import glob
import os
import shutil

from driver import results, sources

MAVEN = ["mvn", "-B", "-q", "-DskipShadeDependencies=true"]
# Surefire's own patterns, without a test that writes rows, and thereby fills the
# disk, until the server ends whose pid was told at login.
TESTS = "*Test,Test*,*Tests,!CopyTest#lockReleaseOnCancelFailure"
# Some tests have the name of the database in their text.
DATABASES = ["test"]


def build(folder, _):
    sources.call(*MAVEN, "test-compile", cwd=folder)
    # Maven fetches what runs tests when it runs the first.
    sources.call(*MAVEN, "surefire:test", "-Dtest=OidToStringTest", cwd=folder)


def setup(_, psql):
    psql("CREATE USER test PASSWORD 'test'")
    psql("CREATE DATABASE test OWNER test")
    psql("CREATE EXTENSION hstore", "test")


def run(folder, port, out):
    reports = os.path.join(folder, "target", "surefire-reports")
    shutil.rmtree(reports, ignore_errors=True)
    with open(os.path.join(folder, "build.local.properties"), "w") as f:
        f.write(f"server=127.0.0.1\nport={port}\n")
    results.log_of([*MAVEN, "-o", "surefire:test", f"-Dtest={TESTS}",
                    "-Dmaven.test.failure.ignore=true"],
                   os.path.join(out, "tests.log"), cwd=folder)
    return results.junit(*glob.glob(
        os.path.join(shutil.move(reports, out), "*.xml")))
