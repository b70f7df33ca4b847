/* SPDX-License-Identifier: PostgreSQL
 *
 * Certificates of both ends of a client's TLS connection.
 *
 * Knows nothing of what a name is good for.  Runs on the session's worker;
 * nothing here does I/O.
 */
#include "net/tls_peer.h"

#include <openssl/bio.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

size_t
tls_end_point(SSL *ssl, uint8_t out[TLS_END_POINT_MAX])
{
	X509 *cert = SSL_get_certificate(ssl);
	int hash = NID_undef, key;
	const EVP_MD *md;
	unsigned n = 0;

	if (cert == NULL || X509_get_signature_info(cert, &hash, &key, NULL,
	    NULL) != 1)
		return 0;
	/* RFC 5929: the hash of the signature, but SHA-256 for weak ones. */
	if (hash == NID_md5 || hash == NID_sha1)
		hash = NID_sha256;
	md = EVP_get_digestbynid(hash);
	if (md == NULL || X509_digest(cert, md, out, &n) != 1)
		return 0;
	return n;
}

bool
tls_is_ours(const SSL *ssl)
{
	static const char name[] = "postgresql";
	const unsigned char *p;
	unsigned n;

	SSL_get0_alpn_selected(ssl, &p, &n);
	return n == sizeof(name) - 1 && memcmp(p, name, n) == 0;
}

bool
tls_has_verified_peer(SSL *ssl)
{
	X509 *cert = SSL_get1_peer_certificate(ssl);

	if (cert == NULL)
		return false;
	X509_free(cert);
	return SSL_get_verify_result(ssl) == X509_V_OK;
}

/* The text a memory BIO holds; NULL if a zero byte is in it. */
static char *
tls_bio_text(BIO *bio)
{
	char *p, *text;
	long n = BIO_get_mem_data(bio, &p);

	if (n <= 0 || memchr(p, '\0', (size_t)n) != NULL)
		return NULL;
	text = x_malloc((size_t)n + 1);
	memcpy(text, p, (size_t)n);
	text[n] = '\0';
	return text;
}

char *
tls_peer_name(SSL *ssl, bool dn)
{
	X509 *cert = SSL_get1_peer_certificate(ssl);
	BIO *bio = BIO_new(BIO_s_mem());
	X509_NAME *name;
	char *text = NULL;
	int at;

	CHECK(bio != NULL);
	if (cert != NULL) {
		name = X509_get_subject_name(cert);
		at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
		if (dn ? X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) > 0 :
		    at >= 0 && ASN1_STRING_print_ex(bio, X509_NAME_ENTRY_get_data(
		    X509_NAME_get_entry(name, at)), ASN1_STRFLGS_UTF8_CONVERT) > 0)
			text = tls_bio_text(bio);
	}
	BIO_free(bio);
	X509_free(cert);
	return text;
}
