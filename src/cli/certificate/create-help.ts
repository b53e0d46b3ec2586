/** What `capstan certificate create --help` prints. */
export const createHelp = `Creates a certificate or certificate request, and its private key.

Usage: capstan certificate create SUBJECT CERTIFICATE KEY [FLAGS]

SUBJECT becomes the common name. CERTIFICATE and KEY are written in PEM with permissions
0600; KEY can be left out with --key. Nothing that is there already is replaced unless
--force says so.

What it is for
  --profile PROFILE  leaf (the default; for TLS servers and clients, one day),
                     intermediate-ca (no CA below it, ten years),
                     root-ca (one CA below it, ten years), or
                     self-signed (a leaf without an issuer; only with --subtle)
  --csr              a certificate request instead of a certificate
  --san NAME         a DNS name, IP address, URI or e-mail address that it is for; as often
                     as needed; SUBJECT where there is none. Not for CAs
  --not-before WHEN, --not-after WHEN
                     an RFC 3339 time, or a duration from now such as -5m or 2160h
  --ca FILE, --ca-key FILE
                     the certificate and private key of the issuer, for leaf and
                     intermediate-ca
  --ca-password-file FILE
                     the password of --ca-key
  --bundle           put the issuer's certificate behind the new one

Its key
  --kty TYPE         EC (the default), RSA or OKP
  --crv CURVE        P-256 (the default), P-384 or P-521 with EC; Ed25519 with OKP
                     (--curve says the same)
  --size BITS        of RSA; 2048 where nothing is said
  --key FILE         certify this private key instead of a new one
  --password-file FILE
                     encrypt the new key with the password in FILE, or decrypt --key with it
  --no-password --insecure
                     write the key without a password; both flags are needed

  --force, -f        replace files that are there already
  --help

  capstan certificate create root.linkerd.cluster.local ca.crt ca.key \\
    --profile root-ca --no-password --insecure
  capstan certificate create identity.linkerd.cluster.local issuer.crt issuer.key \\
    --profile intermediate-ca --not-after 8760h --no-password --insecure \\
    --ca ca.crt --ca-key ca.key
  capstan certificate create web.example.com web.crt web.key --ca issuer.crt \\
    --ca-key issuer.key --san web.example.com --san 192.0.2.7 --password-file web.pass

A key is encrypted as PKCS #8 with AES-256 (PBES2). The password comes from the file or,
at a terminal, from you.

The status is 0, or 1 where nothing was written.
`;
