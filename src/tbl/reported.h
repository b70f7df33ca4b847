/* SPDX-License-Identifier: PostgreSQL
 * REPORTED(name): parameters a server may report at login (PostgreSQL 15 to
 * 18); libpq can be asked for them by name only.
 * application_name is missing: each session is told its own. */
REPORTED(client_encoding)
REPORTED(DateStyle)
REPORTED(default_transaction_read_only)
REPORTED(in_hot_standby)
REPORTED(integer_datetimes)
REPORTED(IntervalStyle)
REPORTED(is_superuser)
REPORTED(scram_iterations)
REPORTED(search_path)
REPORTED(server_encoding)
REPORTED(server_version)
REPORTED(session_authorization)
REPORTED(standard_conforming_strings)
REPORTED(TimeZone)
#undef REPORTED
