/* SPDX-License-Identifier: PostgreSQL
 *
 * API_ACTION(name, command, doc): what POST /api/action/NAME runs. Each $ of
 * the command, # too, is taken from a parameter `arg` of the query, in order.
 */
API_ACTION("reload", "RELOAD", "Read the configuration file again.")
API_ACTION("pause", "PAUSE", "Lend no more servers, statements wait.")
API_ACTION("pause_database", "PAUSE $", "The same for one database.")
API_ACTION("resume", "RESUME", "End a pause of all.")
API_ACTION("resume_database", "RESUME $", "End a pause of one database.")
API_ACTION("reconnect", "RECONNECT", "Replace every server as it becomes idle.")
API_ACTION("reconnect_database", "RECONNECT $", "The same for the servers of one database.")
API_ACTION("enable", "ENABLE $", "Let clients into a database again.")
API_ACTION("disable", "DISABLE $", "Let no new clients into a database.")
API_ACTION("kill_client", "KILL_CLIENT #", "Close the client of this id.")
API_ACTION("invalidate_all", "INVALIDATE ALL", "Forget all cached results.")
API_ACTION("invalidate_key", "INVALIDATE KEY $", "Forget cached results of this name, or pattern.")
API_ACTION("invalidate_table", "INVALIDATE TABLE $", "End cached results that depend on a table.")
API_ACTION("invalidate_tenant", "INVALIDATE TABLE $ TENANT $", "The same of one tenant.")
API_ACTION("invalidate_month", "INVALIDATE TABLE $ MONTH $", "The same of one month.")
API_ACTION("start_experiment", "START EXPERIMENT $", "Begin a run of an experiment.")
API_ACTION("stop_experiment", "STOP EXPERIMENT $", "End it.")
API_ACTION("promote_experiment", "PROMOTE EXPERIMENT $ $", "End it, and let this arm serve everybody.")
API_ACTION("weigh_experiment", "WEIGH EXPERIMENT $ $", "Give arms other weights.")
API_ACTION("check_layouts", "CHECK LAYOUTS", "Read the catalogs of variants again.")
#undef API_ACTION
