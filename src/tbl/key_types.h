/* SPDX-License-Identifier: PostgreSQL
 *
 * Types of key columns whose hash is known, once.
 * KEY_TYPE(symbol, name, OID): the name is that of key_type in the
 * configuration; its list in tbl/blocks.h stands in the same order. */
KEY_TYPE(UUID, "uuid", 2950)
KEY_TYPE(INT4, "int4", 23)
KEY_TYPE(INT8, "int8", 20)
KEY_TYPE(TEXT, "text", 25)
KEY_TYPE(INT2, "int2", 21)
KEY_TYPE(VARCHAR, "varchar", 1043)
KEY_TYPE(BPCHAR, "bpchar", 1042)
KEY_TYPE(BOOL, "bool", 16)
KEY_TYPE(DATE, "date", 1082)
KEY_TYPE(TIMESTAMPTZ, "timestamptz", 1184)
KEY_TYPE(NUMERIC, "numeric", 1700)
#undef KEY_TYPE
