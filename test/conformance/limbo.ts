import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readCertificates } from '../../src/x509/certificate.ts';
import { verifyChain } from '../../src/x509/verify.ts';
import { type ConformanceSet, validityDifference, verdictOf } from './vectors.ts';

interface LimboCase {
  id: string;
  validation_kind: 'CLIENT' | 'SERVER';
  trusted_certs: string[];
  untrusted_intermediates: string[];
  peer_certificate: string;
  validation_time: string | null;
  expected_peer_name: { value: string } | null;
  expected_result: 'SUCCESS' | 'FAILURE';
  max_chain_depth: number | null;
}

/** Cases without a time are valid for decades around this one. */
const defaultTime = Date.UTC(2026, 0, 1);

/** C2SP's x509-limbo: those of `webpki` and `online` by the web's rules, the others by RFC 5280's. */
export const limbo: ConformanceSet = {
  name: 'x509-limbo',
  size: 135,
  exempt: {
    'rfc5280::nc::permitted-dn-match':
      'asks for the host example.com and is to succeed, but the leaf names no host: its only alternative name is the ' +
      'directory name CN=foo',
  },
  cases(folder) {
    const file = readFileSync(join(folder, 'x509-limbo/limbo.json'), 'utf8');
    const { testcases } = JSON.parse(file) as { testcases: LimboCase[] };
    return testcases.map((limboCase) => ({ id: limboCase.id, difference: () => difference(limboCase) }));
  },
};

function difference(limboCase: LimboCase): string | undefined {
  const { id, validation_time: time, expected_peer_name: peer, max_chain_depth: depth } = limboCase;
  const verdict = verdictOf(() =>
    verifyChain(readCertificates(limboCase.peer_certificate)[0]!, {
      roots: limboCase.trusted_certs.flatMap(readCertificates),
      intermediates: limboCase.untrusted_intermediates.flatMap(readCertificates),
      at: time === null ? defaultTime : Date.parse(time),
      usage: limboCase.validation_kind === 'CLIENT' ? 'client auth' : 'server auth',
      form: /^(?:webpki|online)::/.test(id) ? 'web' : 'rfc5280',
      ...(peer ? { dnsName: peer.value } : {}),
      ...(depth === null ? {} : { maxIntermediates: depth }),
    }),
  );
  return validityDifference(verdict, limboCase.expected_result === 'SUCCESS');
}
