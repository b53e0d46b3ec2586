import type { Cancel, Clock } from '../base/clock.ts';
import type { Entropy } from '../base/entropy.ts';
import { describeError } from '../base/fault.ts';
import type { Log } from '../base/log.ts';
import type { ServingCredential } from '../wire/grpc-server.ts';
import { certificatePem } from '../x509/certificate.ts';
import { generateKey, writePrivateKey } from '../x509/key.ts';
import type { Issuer } from './issuer.ts';
import { issueLeaf, type Validity } from './leaf.ts';

export interface SelfCertificateOptions {
  /** The name that proxies expect of the identity service. */
  name: string;
  validity: Validity;
  clock: Clock;
  entropy: Entropy;
  log: Log;
  issuer(): Issuer | undefined;
  serve(credential: ServingCredential): void;
}

export interface SelfCertificate {
  /** Issues a new leaf now: at the start, and when the issuer has changed. */
  renew(): Promise<void>;
  close(): void;
}

const renewAtShare = 0.7;
const retryMs = 10_000;

/**
 * The service's own leaf, issued by itself: what upstream's sidecar does by certifying itself over loopback.
 * Renewed when 70 % of its life has passed; each time with a new key.
 */
export function selfCertificate(options: SelfCertificateOptions): SelfCertificate {
  const { name, clock, entropy, log } = options;
  let cancel: Cancel = () => {};
  let closed = false;
  let round = 0;

  async function issue(): Promise<number> {
    const issuer = options.issuer();
    if (!issuer) return retryMs;
    const key = generateKey({ type: 'ec', curve: 'P-256' }, entropy);
    const request = { identity: name, commonName: true, publicKey: key.publicKey };
    const at = clock.now();
    const leaf = await issueLeaf(issuer, request, options.validity, { at, entropy });
    options.serve({
      certificate: [leaf, ...issuer.chain].map(certificatePem).join(''),
      key: writePrivateKey(key, 'pkcs8'),
    });
    log.info('own certificate issued', { name, validUntil: new Date(leaf.notAfter).toISOString() });
    return Math.max(retryMs, (leaf.notAfter - at) * renewAtShare);
  }

  async function renew(): Promise<void> {
    const mine = ++round;
    cancel();
    let againMs = retryMs;
    try {
      againMs = await issue();
    } catch (error) {
      log.error('own certificate could not be issued', { name, reason: describeError(error) });
    }
    // A later call has set its own timer.
    if (!closed && mine === round) cancel = clock.after(againMs, () => void renew());
  }

  return {
    renew,
    close() {
      closed = true;
      cancel();
    },
  };
}
