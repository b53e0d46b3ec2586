import { basicConstraints, subjectAltName } from '../x509/extension.ts';
import { nameOf } from '../x509/name.ts';
import { buildRequest, type CertificateRequest } from '../x509/request.ts';
import { decideAltNames } from './alt-names.ts';
import { caSigner, madeKey, type SignatureWish, type WantedKey } from './ca-issuing.ts';
import type { CaRequest } from './ca-request.ts';
import { Draft } from './draft.ts';
import { findKey } from './holdings.ts';
import type { CaKey } from './issuer.ts';
import { checkName } from './key-rules.ts';
import type { Ledger } from './ledger.ts';

/** What goes into a request of one's own: names. The rest is for its signer to say. */
export interface OwnRequest
  extends SignatureWish,
    Pick<
      CaRequest,
      'commonName' | 'subject' | 'excludeCommonName' | 'altNames' | 'ipSans' | 'uriSans' | 'otherSans'
    > {
  key: WantedKey;
  keyName: string;
  /** Says that it is to be a CA, for signers that want to hear it. */
  addBasicConstraints: boolean;
}

export interface OwnRequests {
  /** A request for a CA certificate that another CA is to sign; its key stays here. */
  generateRequest(request: OwnRequest): Promise<{ csr: CertificateRequest; key: CaKey }>;
}

export function ownRequests(ledger: Ledger): OwnRequests {
  return {
    generateRequest: async (request) => {
      const made = await madeKey(ledger, request.key);
      const subject = nameOf({ ...request.subject, commonName: request.commonName });
      const names = decideAltNames(request);
      const extensions = [
        ...(names.length > 0 ? [subjectAltName(names, subject.rdns.length === 0)] : []),
        ...(request.addBasicConstraints ? [basicConstraints({ ca: true })] : []),
      ];
      const result = await ledger.decideAndCommit(async (from) => {
        if (!made) {
          const key = findKey(from, (request.key as { existing: string }).existing);
          const csr = await buildRequest({ subject, extensions }, caSigner(key.privateKey, request));
          return { result: { csr, key } };
        }
        checkName('key', request.keyName, from.keys);
        const draft = new Draft(ledger, from);
        const { key } = draft.addKey(made, request.keyName);
        const csr = await buildRequest({ subject, extensions }, caSigner(made, request));
        return { batch: draft.batch(), result: { csr, key } };
      });
      await ledger.reload();
      return result;
    },
  };
}
