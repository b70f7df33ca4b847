/* SPDX-License-Identifier: PostgreSQL
 *
 * AUTH_METHOD(symbol, word, doc): how clients prove who they are; the word
 * stands in auth_hba_file and in the setting auth. */
AUTH_METHOD(TRUST, "trust", "no proof: whoever can connect may be anyone")
AUTH_METHOD(REJECT, "reject", "never")
AUTH_METHOD(PASSWORD, "password", "the password in clear; use it over TLS or a unix socket")
AUTH_METHOD(MD5, "md5", "MD5 challenge; SCRAM-SHA-256 for a user whose secret is a verifier")
AUTH_METHOD(SCRAM, "scram-sha-256", "SCRAM-SHA-256, over TLS also with channel binding")
AUTH_METHOD(CERT, "cert", "the client's TLS certificate; hostssl only")
AUTH_METHOD(PEER, "peer", "the operating system's user; local only")
#undef AUTH_METHOD
