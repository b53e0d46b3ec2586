/** Where an authority keeps what about revocation, below its own prefix; serials in hexadecimal with dashes. */
export function revocationKeysBelow(prefix: string) {
  return {
    revocations: `${prefix}revoked/`,
    revoked: (serial: string) => `${prefix}revoked/${serial}`,
    revocationsByEnd: `${prefix}revoked-end/`,
    /** What was revoked, by when it would have ended. */
    revokedEnding: (notAfter: number, serial: string) =>
      `${prefix}revoked-end/${String(notAfter).padStart(15, '0')}/${serial}`,
    /** What was revoked since the last complete list of its kind was made. */
    /** The tidying that is under way, or was last. */
    tidying: `${prefix}tidy/last`,
    /** How tidying happens by itself. */
    autoTidy: `${prefix}tidy/auto`,
    waiting: (listId: string) => `${prefix}unlisted/${listId}/`,
    unlisted: (listId: string, serial: string) => `${prefix}unlisted/${listId}/${serial}`,
    /** Says that a key has signed what is not in the store. */
    unstored: (keyName: string) => `${prefix}unstored/${keyName}`,
    list: (listId: string) => `${prefix}crl/${listId}/state`,
    /** A part of the entries of a list, complete or delta. */
    segment: (listId: string, name: string) => `${prefix}crl/${listId}/segment/${name}`,
  };
}

/** In the place of a list: revoked certificates wait there for their issuer to come (back). */
export const unclaimed = 'unclaimed';
