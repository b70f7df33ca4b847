/* SPDX-License-Identifier: PostgreSQL
 *
 * REPLICA_STATE(symbol, name, doc): whether a replica takes reads, and if not
 * why. The first is the good one; behind BEHIND: of one read alone. */
REPLICA_STATE(FIT, "fit", "takes reads")
REPLICA_STATE(UNKNOWN, "unknown", "has not been asked yet, or its primary has not")
REPLICA_STATE(UNREACHABLE, "unreachable", "cannot be asked; the error tells why")
REPLICA_STATE(NO_PRIMARY, "no_primary", "its primary cannot be asked, or is a standby itself")
REPLICA_STATE(PROMOTED, "promoted", "is no standby, or not any more")
REPLICA_STATE(OTHER_SYSTEM, "other_system", "is a copy of another database system than its primary's")
REPLICA_STATE(OTHER_TIMELINE, "other_timeline", "is on another timeline than its primary, or is not known to be on that one yet")
REPLICA_STATE(OTHER_VERSION, "other_version", "runs another version of PostgreSQL than its primary")
REPLICA_STATE(BEHIND, "behind", "is behind all positions of its primary that are remembered")
REPLICA_STATE(LAG, "lag", "is more bytes behind than replica_max_lag")
REPLICA_STATE(AGE, "age", "shows an older state than replica_max_age allows")
REPLICA_STATE(FLOOR, "floor", "has not replayed, for all we know, what has been written or seen")
REPLICA_STATE(SETTINGS, "settings", "its servers have other settings than its primary's")
REPLICA_STATE(BUSY, "busy", "no server of it is idle that its last answer vouches for")
#undef REPLICA_STATE
