import {
  bytes,
  conditions,
  kindSchema,
  object,
  opaque,
  type SchemaProps,
  secretKey,
  text,
  texts,
} from './node.ts';

const serviceAccountRef: SchemaProps = object(
  { name: text(), audiences: texts('Audiences of the token besides the default ones.') },
  { required: ['name'], description: 'The service account whose token logs in.' },
);

const vaultAuth: SchemaProps = object(
  {
    appRole: object(
      { path: text('Mount of the method.'), roleId: text(), secretRef: secretKey('Where the secret id is.') },
      { required: ['path', 'roleId', 'secretRef'] },
    ),
    aws: object(
      {
        iamRoleArn: text(),
        mountPath: text(),
        region: text(),
        role: { ...text(), minLength: 1 },
        serviceAccountRef,
        vaultHeaderValue: text(),
      },
      { required: ['role'] },
    ),
    clientCertificate: object({
      mountPath: text('Mount of the method, as /v1/auth/cert.'),
      name: text('Name of the certificate role.'),
      secretName: text('The TLS Secret to log in with.'),
    }),
    kubernetes: object(
      {
        mountPath: text('Mount of the method, as /v1/auth/kubernetes.'),
        role: text('The role to take.'),
        secretRef: secretKey('Where a service account token is.'),
        serviceAccountRef,
      },
      { required: ['role'] },
    ),
    tokenSecretRef: secretKey('Where the token is; key token by default.'),
  },
  { description: 'How to log in: exactly one of these.' },
);

const vault: SchemaProps = object(
  {
    auth: vaultAuth,
    caBundle: bytes('PEM that the server must chain to.'),
    caBundleSecretRef: secretKey('The same from a Secret; key ca.crt by default.'),
    clientCertSecretRef: secretKey('Client certificate for the connection; key tls.crt by default.'),
    clientKeySecretRef: secretKey('Key of that certificate; key tls.key by default.'),
    namespace: text("Vault's own namespace."),
    path: text('Where requests are signed, as pki/sign/role.'),
    server: text('Address of the server, as https://vault.example:8200.'),
    serverName: text("The name to expect in the server's certificate."),
  },
  { required: ['auth', 'path', 'server'], description: 'A Vault-compatible CA signs.' },
);

const venafi: SchemaProps = {
  ...opaque('A Venafi service signs.'),
  properties: { zone: text() },
  required: ['zone'],
};

const spec: SchemaProps = object(
  {
    acme: opaque('An ACME server signs.'),
    ca: object(
      {
        crlDistributionPoints: texts(),
        issuingCertificateURLs: texts(),
        ocspServers: texts(),
        secretName: text(),
      },
      { required: ['secretName'], description: 'A CA key in a Secret signs.' },
    ),
    selfSigned: object(
      { crlDistributionPoints: texts() },
      { description: 'Every certificate signs itself.' },
    ),
    vault,
    venafi,
  },
  { description: 'Who signs: exactly one of these.' },
);

const status: SchemaProps = object(
  {
    acme: object({ lastPrivateKeyHash: text(), lastRegisteredEmail: text(), uri: text() }),
    conditions: conditions({ observedGeneration: true }),
  },
  { description: 'Whether it can sign.' },
);

export const issuerSchema = kindSchema('Signs for its namespace.', spec, status, { specRequired: true });
export const clusterIssuerSchema = kindSchema('Signs for every namespace.', spec, status, {
  specRequired: true,
});
