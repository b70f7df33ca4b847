/* SPDX-License-Identifier: PostgreSQL
 *
 * TABLE_TRAIT(symbol, name, bypass): what the catalogs say of a table, and of
 * all that is read through it, that may keep results from being cached, and
 * the row of bypass_reasons.h for it.  The first one counts. */
TABLE_TRAIT(SYSTEM, "reads system catalogs", CATALOG)
TABLE_TRAIT(UNKNOWN_FN, "its view or policy calls functions or operators that are not builtin", UNKNOWN_FN)
TABLE_TRAIT(VOLATILE, "its view calls volatile functions or samples", VOLATILE)
TABLE_TRAIT(LOCKING, "its view locks rows", LOCKING)
TABLE_TRAIT(STABLE, "its view calls stable functions", STABLE)
TABLE_TRAIT(RLS, "row level security", RLS)
TABLE_TRAIT(UNLOGGED, "unlogged", UNLOGGED)
TABLE_TRAIT(FOREIGN, "foreign", FOREIGN)
#undef TABLE_TRAIT
