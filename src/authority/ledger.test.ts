import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { seededEntropy } from '../base/entropy.ts';
import { newSerial, serialText } from '../x509/certificate.ts';
import { storedSerial, toldSerial } from './ledger.ts';

test.each([
  ['3F:6D:82', '3f-6d-82', '3f:6d:82'],
  ['3f6d82', '3f-6d-82', '3f:6d:82'],
  ['8f:01', '00-8f-01', '8f:01'],
  ['00:8f:01', '00-8f-01', '8f:01'],
  ['00:00:05', '05', '05'],
  ['00', '00', '00'],
  ['none', '-', ':'],
])('serial %s is stored as %s and told as %s', (given, stored, told) => {
  expect([storedSerial(given), toldSerial(storedSerial(given))]).toEqual([stored, told]);
});

test('every serial that is drawn is found by what is told of it, with or without its zero octet', () => {
  let zeros = 0;
  fc.assert(
    fc.property(fc.string(), (seed) => {
      const entropy = seededEntropy(seed);
      for (let draw = 0; draw < 50; draw++) {
        const serial = newSerial(entropy);
        const stored = serial.toString('hex').match(/../g)!.join('-');
        const told = serialText(serial);
        if (serial[0] === 0) zeros += 1;
        expect(told.startsWith('00')).toBe(false);
        expect(storedSerial(told)).toBe(stored);
        expect(storedSerial(stored)).toBe(stored);
        expect(toldSerial(stored)).toBe(told);
      }
    }),
  );
  expect(zeros).toBeGreaterThan(0);
});
