import { bytes, conditions, flag, issuerRef, kindSchema, object, text, texts, time, usages } from './node.ts';

export const certificateRequestSchema = kindSchema(
  'One request for one signature, and its answer.',
  object(
    {
      duration: text('How long the certificate should live.'),
      extra: {
        type: 'object',
        additionalProperties: { type: 'array', items: text() },
        description: 'Extra attributes of the requester.',
      },
      groups: texts('Groups of the requester.'),
      isCA: flag('Whether the certificate may sign others.'),
      issuerRef,
      request: bytes('The PKCS #10 request, PEM.'),
      uid: text('UID of the requester.'),
      usages,
      username: text('Name of the requester.'),
    },
    { required: ['issuerRef', 'request'], description: 'What is to be signed, and by whom.' },
  ),
  object(
    {
      ca: bytes('The root that the certificate chains to, PEM, where the issuer tells it.'),
      certificate: bytes('The certificate and its intermediates, PEM.'),
      conditions: conditions({ observedGeneration: false }),
      failureTime: time('When the request failed for good.'),
    },
    { description: 'The answer.' },
  ),
);
