# SPDX-License-Identifier: PostgreSQL
"""psycopg2's tests, with the psycopg2 that the system has."""

import os

from driver import results


def run(folder, port, out):
    return results.pytest(folder, out, {
        **os.environ, "PSYCOPG2_TESTDB": results.DATABASE,
        "PSYCOPG2_TESTDB_HOST": "127.0.0.1",
        "PSYCOPG2_TESTDB_PORT": str(port),
        "PSYCOPG2_TESTDB_USER": "postgres"})
