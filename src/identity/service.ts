import type { Clock } from '../base/clock.ts';
import type { Entropy } from '../base/entropy.ts';
import { describeError, Fault } from '../base/fault.ts';
import type { Log } from '../base/log.ts';
import { readCertifyRequest, writeCertifyResponse } from '../wire/grpc-identity.ts';
import type { UnaryMethod } from '../wire/grpc-server.ts';
import { grpcFault } from '../wire/grpc-status.ts';
import { type Certificate, fingerprint } from '../x509/certificate.ts';
import { oids } from '../x509/oid.ts';
import { type CertificateRequest, readRequest, requestIsSelfConsistent } from '../x509/request.ts';
import {
  type CertifyFacts,
  decideCertify,
  type Refusal,
  readTokenUser,
  type SigningRequestFacts,
  type TokenFacts,
} from './certify.ts';
import type { IdentityDomain, TokenUser } from './identity-name.ts';
import type { Authority } from './issuer-keeper.ts';
import { issueLeaf, type Validity } from './leaf.ts';

export interface CertifyServiceOptions {
  domain: IdentityDomain;
  validity: Validity;
  clock: Clock;
  entropy: Entropy;
  log: Log;
  authority(): Authority | undefined;
  reviewToken(token: string): Promise<TokenFacts>;
  /** Told of each leaf, after it was signed. */
  onIssued(user: TokenUser, message: string): void;
  /** Told when a request met an issuer that no longer verifies. */
  onIssuerInvalid(message: string): void;
}

/** The Certify method: gathers the facts, lets `decideCertify` decide, signs. */
export function certifyService(options: CertifyServiceOptions): UnaryMethod {
  const { domain, clock, entropy, log } = options;

  function refused(refusal: Refusal, identity: string, peer: string): Fault {
    const { code, message } = refusal;
    if (refusal.issuerInvalid) options.onIssuerInvalid(`${message} - CSR Identity : ${identity}`);
    log.info('certification refused', { identity, peer, code, reason: message });
    return grpcFault(code, message);
  }

  return async (bytes, { peer }) => {
    // One and the same authority throughout, also if a new one is accepted while the token is reviewed.
    const authority = options.authority();
    const { identity, token, certificateSigningRequest } = readCertifyRequest(bytes);
    const signing = readSigningRequest(certificateSigningRequest);
    const facts: CertifyFacts = {
      domain,
      issuer: authority && { problem: authority.problemAt(clock.now()) },
      identity,
      tokenBytes: token.length,
      signingRequest: signing.facts,
      token: undefined,
    };
    let decision = decideCertify(facts);
    if (decision.act === 'review') {
      facts.token = await options.reviewToken(token.toString('utf8'));
      decision = decideCertify(facts);
    }
    if (decision.act === 'refuse') throw refused(decision, identity, peer);
    const { issuer } = authority!;
    const leaf = await issueLeaf(
      issuer,
      {
        identity,
        commonName: (signing.facts as SigningRequestFacts).commonNames.includes(identity),
        publicKey: signing.request!.publicKey,
      },
      options.validity,
      { at: clock.now(), entropy },
    );
    report(leaf, facts);
    return writeCertifyResponse({
      leafCertificate: leaf.der,
      intermediateCertificates: issuer.chain.map(({ der }) => der),
      validUntilMs: leaf.notAfter,
    });
  };

  function report(leaf: Certificate, { identity, token }: CertifyFacts): void {
    const user = readTokenUser((token as { username: string }).username) as TokenUser;
    const until = goTime(leaf.notAfter);
    const message = `issued certificate for ${identity} until ${until}: ${fingerprint(leaf)}`;
    log.info('issued certificate', { identity, until, fingerprint: fingerprint(leaf) });
    options.onIssued(user, message);
  }
}

interface ReadSigningRequest {
  facts: CertifyFacts['signingRequest'];
  request?: CertificateRequest;
}

/** Reads the PKCS #10 once, for the decision and for the leaf. */
function readSigningRequest(der: Buffer): ReadSigningRequest {
  if (der.length === 0) return { facts: undefined };
  try {
    const request = readRequest(der);
    const { spec } = request.publicKey;
    return {
      request,
      facts: {
        commonNames: request.subject.rdns
          .flat()
          .filter(({ oid }) => oid === oids.commonName)
          .map(({ value }) => value),
        subjectAltNames: request.subjectAltNames,
        provesPossession: requestIsSelfConsistent(request),
        key: spec.type === 'ec' ? { type: 'ec', curve: spec.curve } : { type: spec.type },
      },
    };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return { facts: { unreadable: describeError(error) } };
  }
}

/** A time as Go prints it, and so the events that people search for. */
function goTime(epochMs: number): string {
  return new Date(epochMs)
    .toISOString()
    .replace('T', ' ')
    .replace(/(\.\d+)?Z$/, ' +0000 UTC');
}
