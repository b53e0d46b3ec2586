import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { dayMs, hourMs } from '../../base/duration.ts';
import { certificateName, readCertificateName, renewalWindow } from './renewal-info.ts';

test('a certificate is named as in RFC 9773 section 4.1', () => {
  const text = 'aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE';
  const name = readCertificateName(text);
  expect(name.authorityKeyId.toString('hex')).toBe('69885b6b87464041e1b37b847ba0ae2cde01c8d4');
  expect(name.serial.toString('hex')).toBe('0087654321');
  expect(certificateName(name)).toBe(text);
});

test.each([undefined, 1, '', 'a', 'AAAA', '.AAAA', 'AAAA.', 'AAAA.AAAA.AAAA', 'AA==.AAAA', 'AAB.AAAA'])(
  '%j names no certificate',
  (text) => {
    expect(() => readCertificateName(text)).toThrow(expect.objectContaining({ code: 'acme.malformed' }));
  },
);

const life = { notBefore: 0, notAfter: 90 * dayMs };

test('the window is the beginning of the last third', () => {
  expect(renewalWindow(life, {})).toEqual({ startMs: 60 * dayMs, endMs: 65 * dayMs });
});

test('what is revoked is due', () => {
  expect(renewalWindow(life, { revokedAtMs: 5 * dayMs, succeededSinceMs: 80 * dayMs })).toEqual({
    startMs: 5 * dayMs - hourMs,
    endMs: 5 * dayMs,
  });
});

test('what hangs on an issuer that is replaced is due within a day of that', () => {
  expect(renewalWindow(life, { succeededSinceMs: 10 * dayMs })).toEqual({
    startMs: 10 * dayMs,
    endMs: 11 * dayMs,
  });
  expect(renewalWindow(life, { succeededSinceMs: -dayMs })).toEqual({ startMs: 0, endMs: dayMs });
});

test('a window opens before it closes, and closes before the certificate ends', () => {
  const time = fc.integer({ min: 0, max: 400 * dayMs });
  fc.assert(
    fc.property(
      time,
      fc.integer({ min: 10_000, max: 400 * dayMs }),
      fc.option(time),
      (notBefore, ms, since) => {
        const notAfter = notBefore + ms;
        const facts = since === null ? {} : { succeededSinceMs: since };
        const { startMs, endMs } = renewalWindow({ notBefore, notAfter }, facts);
        expect(startMs).toBeGreaterThanOrEqual(notBefore);
        expect(endMs).toBeGreaterThan(startMs);
        expect(endMs).toBeLessThan(notAfter);
        const usual = renewalWindow({ notBefore, notAfter }, {});
        expect(startMs).toBeLessThanOrEqual(usual.startMs);
        expect(endMs).toBeLessThanOrEqual(usual.endMs);
      },
    ),
  );
});
