import { expect, test } from 'vitest';
import { upstreamCertificate, upstreamRequest, upstreamSecret } from '../../test/support/upstream-issued.ts';
import type { CertificateFacts } from './certificate-facts.ts';
import { decideCertificate } from './certificate-plan.ts';
import { heldSecret } from './held-secret.ts';
import type { Certificate } from './kinds.ts';

const { renewalTime, notBefore, notAfter } = upstreamCertificate.status!;
const facts: CertificateFacts = {
  certificate: upstreamCertificate,
  secret: heldSecret(upstreamSecret),
  requests: [upstreamRequest],
  nextKeys: [],
  rivals: [],
  issuerAuthorizedSinceMs: undefined,
};
const issuedMs = Date.parse(notBefore!) + 60_000;

test("what cert-manager's own controllers issued is taken over as it is", () => {
  expect(decideCertificate(facts, issuedMs)).toEqual({
    step: undefined,
    lookAgainAtMs: Date.parse(renewalTime!),
  });
});

test('and its status is what would be written here', () => {
  const certificate: Certificate = { ...upstreamCertificate, status: { revision: 3 } };
  const { step } = decideCertificate({ ...facts, certificate }, issuedMs);
  const { conditions } = upstreamCertificate.status!;
  expect(step).toMatchObject({
    do: 'write status',
    certificate: {
      status: {
        revision: 3,
        renewalTime,
        notBefore,
        notAfter,
        conditions: conditions!.map((condition) => ({
          ...condition,
          lastTransitionTime: expect.any(String),
        })),
      },
    },
  });
});

test('it is renewed in its time, and after its Secret is gone', () => {
  const renewal = decideCertificate(facts, Date.parse(renewalTime!) + 1_000);
  expect(renewal.step).toMatchObject({ do: 'write status', events: [{ reason: 'Issuing' }] });
  const loss = decideCertificate({ ...facts, secret: undefined }, issuedMs);
  expect(loss.step).toMatchObject({
    do: 'write status',
    events: [{ reason: 'Issuing', message: 'Issuing certificate as Secret does not exist' }],
  });
});
