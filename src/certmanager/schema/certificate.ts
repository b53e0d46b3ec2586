import {
  conditions,
  flag,
  issuerRef,
  kindSchema,
  list,
  object,
  oneOf,
  type SchemaProps,
  secretKey,
  text,
  textMap,
  texts,
  time,
  usages,
  whole,
} from './node.ts';

const keystorePassword = {
  password: text('The password itself; excludes passwordSecretRef.'),
  passwordSecretRef: secretKey('Where the password is.'),
};

const keystores: SchemaProps = object(
  {
    jks: object(
      { create: flag(), alias: text('Alias of the key; certificate by default.'), ...keystorePassword },
      { required: ['create'] },
    ),
    pkcs12: object(
      {
        create: flag(),
        profile: oneOf(['LegacyRC2', 'LegacyDES', 'Modern2023', 'Modern2026']),
        ...keystorePassword,
      },
      { required: ['create'] },
    ),
  },
  { description: 'Further stores of the key and certificate in the Secret.' },
);

const constrainedNames: SchemaProps = object({
  dnsDomains: texts(),
  emailAddresses: texts(),
  ipRanges: texts('CIDR blocks.'),
  uriDomains: texts(),
});

const subject: SchemaProps = object(
  {
    countries: texts(),
    localities: texts(),
    organizationalUnits: texts(),
    organizations: texts(),
    postalCodes: texts(),
    provinces: texts(),
    serialNumber: text(),
    streetAddresses: texts(),
  },
  { description: 'Parts of the subject besides the common name.' },
);

const privateKey: SchemaProps = object(
  {
    algorithm: oneOf(['RSA', 'ECDSA', 'Ed25519'], 'RSA by default.'),
    encoding: oneOf(['PKCS1', 'PKCS8'], 'Form of tls.key; PKCS1 by default.'),
    rotationPolicy: oneOf(['Never', 'Always'], 'Whether a renewal makes a new key; Always by default.'),
    size: whole(undefined, 'Bits: 2048 to 8192 for RSA (2048), 256, 384 or 521 for ECDSA (256).'),
  },
  { description: 'What kind of key, and how it is kept.' },
);

const renewal: SchemaProps = object(
  {
    policy: oneOf(['RenewBefore', 'Disabled']),
    windows: list(
      object(
        {
          cron: { ...text('When a window opens.'), minLength: 1 },
          timezone: { ...text('IANA zone of the cron expression; UTC by default.'), minLength: 1 },
          windowDuration: { ...text('How long it stays open.'), pattern: '^([0-9]+(\\.[0-9]+)?(s|m|h))+$' },
        },
        { required: ['cron', 'windowDuration'] },
      ),
    ),
  },
  { description: 'Whether, and in which windows, renewal happens.' },
);

const spec: SchemaProps = object(
  {
    additionalOutputFormats: list(
      object({ type: oneOf(['DER', 'CombinedPEM']) }, { required: ['type'] }),
      'Further forms of the key and certificate in the Secret.',
    ),
    commonName: text('Common name of the subject.'),
    dnsNames: texts('DNS subject alternative names.'),
    duration: text('How long a certificate lives, as 48h; 2160h by default.'),
    emailAddresses: texts('E-mail subject alternative names.'),
    encodeUsagesInRequest: flag('Whether the request to the CA carries the usages; true by default.'),
    ipAddresses: texts('IP subject alternative names.'),
    isCA: flag('Whether the certificate may sign others.'),
    issuerRef,
    keystores,
    literalSubject: text('The whole subject in RFC 4514 form; excludes commonName and subject.'),
    nameConstraints: object(
      { critical: flag(), excluded: constrainedNames, permitted: constrainedNames },
      { description: 'Names that a CA certificate may and may not sign for.' },
    ),
    otherNames: list(object({ oid: text(), utf8Value: text() }), 'Subject alternative names of other types.'),
    privateKey,
    renewBefore: text('How long before its end a certificate is renewed; a third of its life by default.'),
    renewBeforePercentage: whole('int32', 'The same as a percentage of its life.'),
    renewal,
    revisionHistoryLimit: whole('int32', 'How many CertificateRequests are kept; 1 by default.'),
    secretName: text('The Secret that holds the key and certificate.'),
    secretTemplate: object(
      { annotations: textMap(), labels: textMap() },
      { description: 'Annotations and labels of that Secret.' },
    ),
    signatureAlgorithm: oneOf(
      [
        'SHA256WithRSA',
        'SHA384WithRSA',
        'SHA512WithRSA',
        'ECDSAWithSHA256',
        'ECDSAWithSHA384',
        'ECDSAWithSHA512',
        'PureEd25519',
      ],
      'How the request to the CA is signed.',
    ),
    subject,
    uris: texts('URI subject alternative names.'),
    usages,
  },
  { required: ['issuerRef', 'secretName'], description: 'What certificate is wanted, and where.' },
);

const status: SchemaProps = object(
  {
    acme: object({
      ari: object({
        explanationURL: text(),
        lastChecked: time(),
        lastError: text(),
        nextCheck: time(),
        suggestedWindow: object({ end: time(), start: time() }, { required: ['end', 'start'] }),
      }),
    }),
    conditions: conditions({ observedGeneration: true }),
    failedIssuanceAttempts: whole(undefined, 'Failed attempts since the last success.'),
    lastFailureTime: time('When the last attempt failed; absent after a success.'),
    nextPrivateKeySecretName: text('The Secret that holds the key of the issuance under way.'),
    notAfter: time('End of the certificate in the Secret.'),
    notBefore: time('Start of the certificate in the Secret.'),
    renewalTime: time('When the next renewal starts.'),
    revision: whole(undefined, 'Counts the certificates that were issued.'),
  },
  { description: 'What stands.' },
);

export const certificateSchema = kindSchema('A certificate that is kept valid in a Secret.', spec, status);
