import type { Clock } from '../base/clock.ts';
import { describeError } from '../base/fault.ts';
import type { Log } from '../base/log.ts';
import { SecretText } from '../base/secret.ts';
import type { ConfigMap, Secret } from '../kube/resource.ts';
import { type Certificate, readCertificates } from '../x509/certificate.ts';
import { formatName } from '../x509/name.ts';
import { type Issuer, type IssuerPair, issuerValidity, judgeIssuer, readIssuer } from './issuer.ts';

/** The issuer that signs and the roots that the mesh trusts, as last accepted. */
export interface Authority {
  issuer: Issuer;
  roots: readonly Certificate[];
  /** Why the issuer no longer verifies at this time, if so. */
  problemAt(at: number): string | undefined;
}

/** What the API holds; undefined where it has no such object. */
export interface Offer {
  issuer: Secret | undefined;
  roots: ConfigMap | undefined;
}

export interface IssuerKeeper {
  /** Undefined until the first pair has been accepted. */
  authority(): Authority | undefined;
  roots(): readonly Certificate[];
  /** Looks at what there is, takes what is new and good, keeps what it had otherwise. Repeating it changes nothing. */
  consider(offer: Offer): void;
}

export interface IssuerKeeperOptions {
  clock: Clock;
  log: Log;
  /** `identity.linkerd.cluster.local`: how messages call the issuer. */
  issuerName: string;
  /** Where the pair and the roots come from, for messages. */
  source: { issuer: string; roots: string };
  rootsKey: string;
  onAccepted(authority: Authority, first: boolean): void;
  /** Told once of each reason for which something new was not taken. */
  onSkipped(message: string): void;
}

/**
 * Both halves are re-read: a new pair is judged against the newest roots, and new roots are followed by a new look
 * at the pair. So it does not matter in which order a rotation's two writes are seen, and no restart is needed,
 * where upstream reads its roots once. Whatever cannot be taken changes nothing: the last good pair goes on.
 */
export function issuerKeeper(options: IssuerKeeperOptions): IssuerKeeper {
  const { clock, log, source } = options;
  let roots: readonly Certificate[] = [];
  let rootsText: string | undefined;
  let accepted: { authority: Authority; pair: IssuerPair } | undefined;
  /** The problem last told of each half, so that a resync does not tell it again. */
  const told: { roots: string | undefined; pair: string | undefined } = { roots: undefined, pair: undefined };

  function tell(half: 'roots' | 'pair', problem: string | undefined): void {
    const again = problem === told[half];
    told[half] = problem;
    if (problem !== undefined && !again) options.onSkipped(problem);
  }

  /** Undefined, or why the roots offered were not taken. */
  function considerRoots(offered: ConfigMap | undefined): string | undefined {
    const text = offered?.data?.[options.rootsKey];
    if (text === undefined || text === rootsText) return undefined;
    let read: readonly Certificate[];
    try {
      read = readCertificates(text);
    } catch (error) {
      return `Skipping trust roots update as ${source.roots} could not be read: ${describeError(error)}`;
    }
    if (read.length === 0) return `Skipping trust roots update: ${source.roots} holds no certificates`;
    roots = read;
    rootsText = text;
    log.info('trust roots loaded', { roots: roots.map(({ subject }) => formatName(subject)) });
    if (accepted) {
      const { issuer } = accepted.authority;
      accepted.authority = { issuer, roots, problemAt: issuerValidity(issuer, roots) };
    }
    return undefined;
  }

  /** Undefined, or why the pair offered was not taken. */
  function considerPair(offered: Secret | undefined): string | undefined {
    // Gone for a moment or for good: what was accepted stays until its own end. And nothing can be judged before
    // the first roots are there.
    if (!offered || rootsText === undefined) return undefined;
    const refused = (why: string) =>
      `Skipping issuer update as certs could not be read from ${source.issuer}: ${why}`;
    const pair = readPair(offered);
    if (!pair) return refused('it lacks tls.crt or tls.key');
    if (accepted && samePair(accepted.pair, pair)) return undefined;
    let issuer: Issuer;
    try {
      issuer = readIssuer(pair);
    } catch (error) {
      return refused(describeError(error));
    }
    const problem = judgeIssuer(issuer, roots, options.issuerName, clock.now());
    if (problem !== undefined) return refused(problem);
    const first = accepted === undefined && told.pair === undefined;
    accepted = { pair, authority: { issuer, roots, problemAt: issuerValidity(issuer, roots) } };
    options.onAccepted(accepted.authority, first);
    return undefined;
  }

  return {
    authority: () => accepted?.authority,
    roots: () => roots,
    consider(offer) {
      tell('roots', considerRoots(offer.roots));
      tell('pair', considerPair(offer.issuer));
    },
  };
}

/** `kubernetes.io/tls` and Linkerd's own `linkerd.io/tls` name their keys differently. */
function readPair(secret: Secret | undefined): IssuerPair | undefined {
  const text = (...names: string[]) => {
    const found = names.map((name) => secret?.data?.[name]).find((value) => value !== undefined);
    return found === undefined ? undefined : Buffer.from(found, 'base64').toString('utf8');
  };
  const certificate = text('tls.crt', 'crt.pem');
  const key = text('tls.key', 'key.pem');
  return certificate === undefined || key === undefined
    ? undefined
    : { certificate, key: new SecretText(key) };
}

function samePair(a: IssuerPair, b: IssuerPair): boolean {
  return a.certificate === b.certificate && a.key.reveal() === b.key.reveal();
}
