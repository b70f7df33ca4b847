/* SPDX-License-Identifier: PostgreSQL
 *
 * CONSOLE_ROLE(symbol, name, setting, doc): who one can be on the console,
 * from least to most. Each may do what those before it may; a user who stands
 * in several lists has the last of these roles. */
CONSOLE_ROLE(READ, "read", stats_users, "look: every SHOW")
CONSOLE_ROLE(OPERATE, "operate", operator_users, "steer traffic: pause, resume, reconnect, kill, flush; no settings, no shutdown")
CONSOLE_ROLE(ADMIN, "admin", admin_users, "everything")
#undef CONSOLE_ROLE
