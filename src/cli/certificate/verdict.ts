import type { Problem } from '../../x509/path-check.ts';

/** Go's words for what can be wrong, which scripts around step look for. */
const words: Readonly<Record<string, string>> = {
  'x509.verify.expired': 'certificate has expired or is not yet valid',
  'x509.verify.not-yet-valid': 'certificate has expired or is not yet valid',
  'x509.verify.unknown-authority': 'certificate signed by unknown authority',
  'x509.verify.signature': 'certificate signed by unknown authority',
  'x509.verify.not-ca': 'certificate is not authorized to sign other certificates',
  'x509.verify.key-usage': 'certificate is not authorized to sign other certificates',
  'x509.verify.path-length': 'too many intermediates for path length constraint',
  'x509.verify.critical-extension': 'unhandled critical extension',
  'x509.verify.purpose': 'certificate specifies an incompatible key usage',
  'x509.verify.name': 'a root or intermediate certificate is not authorized to sign for this name',
  'x509.verify.budget': 'signature check attempts limit reached while verifying certificate chain',
  'x509.verify.host-name': 'certificate is not valid for the host name',
  'x509.verify.algorithm': 'cannot verify signature: insecure algorithm',
};

/** Why a chain was refused: first in Go's words, then which certificate, and when. */
export function verifyMessage({ code, reason }: Problem): string {
  const general = words[code];
  return `x509: ${general ? `${general}: ` : ''}${reason}`;
}
