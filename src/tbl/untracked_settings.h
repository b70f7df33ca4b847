/* SPDX-License-Identifier: PostgreSQL
 * UNTRACKED_SETTING(name): settings whose value another server cannot be
 * given: a session that sets one keeps its server.  seed cannot be read back;
 * temp_buffers cannot be changed where temporary tables were used. */
UNTRACKED_SETTING(seed)
UNTRACKED_SETTING(temp_buffers)
#undef UNTRACKED_SETTING
