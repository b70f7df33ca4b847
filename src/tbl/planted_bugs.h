/* SPDX-License-Identifier: PostgreSQL
 *
 * PLANTED_BUG(symbol, name, doc): bugs that a build with --enable-planted-bugs
 * can be told to have, one at a time, for the checker to find. */
PLANTED_BUG(NO_INVALIDATION, "no_invalidation", "writes that pass through end nothing")
PLANTED_BUG(BUMPED_TOO_EARLY, "bumped_too_early", "writes end results when they are sent, not when they are committed")
PLANTED_BUG(NO_EPOCH_CHECK, "no_epoch_check", "a fill that a write overtook is stored")
PLANTED_BUG(TTL_FROM_REPLY, "ttl_from_reply", "age counts from the reply, not from before the question")
PLANTED_BUG(TTL_RESTARTED, "ttl_restarted", "age begins anew when a result moves from L2 to L1")
PLANTED_BUG(USER_LEFT_OUT, "user_left_out", "the user is no part of the key")
PLANTED_BUG(SEARCH_PATH_LEFT_OUT, "search_path_left_out", "search_path is no part of the key")
PLANTED_BUG(DIRTY_TRANSACTION, "dirty_transaction", "what is read behind a write of the same transaction is stored")
PLANTED_BUG(ERROR_STORED, "error_stored", "errors are stored")
PLANTED_BUG(HIT_JUMPS_QUEUE, "hit_jumps_queue", "a hit is sent ahead of answers still owed")
PLANTED_BUG(REPLY_NOT_HIDDEN, "reply_not_hidden", "the answer to a message of pgsluice's own goes to the client")
PLANTED_BUG(LATE_REDIS_REPLY, "late_redis_reply", "an overdue answer of Redis is taken for that to the next question")
PLANTED_BUG(NO_SNAPSHOT_GATE, "no_snapshot_gate", "a commit in the log ends results once, before others can see it")
PLANTED_BUG(STALE_FEED_SERVED, "stale_feed_served", "strong results are served though the feed is silent")
#undef PLANTED_BUG
