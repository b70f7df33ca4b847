/* SPDX-License-Identifier: PostgreSQL
 * SERVER_STATE(symbol, name): see the picture in backend/server.h. */
SERVER_STATE(IDLE, "idle")
SERVER_STATE(LEASED, "active")
SERVER_STATE(RESETTING, "resetting")
SERVER_STATE(COOLING, "cooling")
SERVER_STATE(DRAINING, "draining")
SERVER_STATE(CLOSED, "closed")
#undef SERVER_STATE
