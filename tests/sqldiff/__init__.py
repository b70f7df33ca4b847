# SPDX-License-Identifier: PostgreSQL
"""Generated SQL over routed tables and over plain ones; see README.md."""
