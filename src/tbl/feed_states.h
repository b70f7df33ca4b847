/* SPDX-License-Identifier: PostgreSQL
 * FEED_STATE(symbol, name, doc): see the picture in feed/feed_priv.h. */
FEED_STATE(CONNECTING, "connecting", "connecting, and asking whether the server can be followed")
FEED_STATE(SLOT, "slot", "the slot is being made, which waits for transactions that write to end")
FEED_STATE(STARTING, "starting", "the stream has begun; its first beat has not come back")
FEED_STATE(LIVE, "live", "everything up to max_feed_lag ago has been seen")
FEED_STATE(STALE, "stale", "no beat has come back for max_feed_lag")
FEED_STATE(FAILED, "failed", "waiting to begin anew; the reason is told")
#undef FEED_STATE
