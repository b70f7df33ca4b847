# SPDX-License-Identifier: PostgreSQL
"""asyncpg's tests, with the built package of the same version beside them."""

import os
import shutil

from driver import results, sources

DATABASES = ["asyncpg_intro_test", "testdb"]


def build(folder, version):
    shutil.rmtree(os.path.join(folder, "asyncpg"))
    sources.call("/usr/bin/python3", "-m", "pip", "install", "-q", "--no-deps",
                 "--only-binary", ":all:", "--target", folder,
                 f"asyncpg=={version}")


def run(folder, port, out):
    return results.pytest(folder, out, results.environment(port))
