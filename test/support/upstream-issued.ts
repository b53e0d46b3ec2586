import type { Certificate, CertificateRequest } from '../../src/certmanager/kinds.ts';
import type { Secret } from '../../src/kube/resource.ts';

/*
 * What cert-manager's own controllers (of August 2026, on a Kubernetes API of ours and a CA of ours) left once they
 * had issued the tutorial's Certificate for the third time, as the API gave it.
 */

export const upstreamCertificate: Certificate = {
  apiVersion: 'cert-manager.io/v1',
  kind: 'Certificate',
  metadata: {
    creationTimestamp: '2026-11-23T23:57:39Z',
    generation: 1,
    name: 'linkerd-identity-issuer',
    namespace: 'linkerd',
    resourceVersion: '665',
    uid: '1e0518a0-0722-4bc8-b8f7-23442d6b9ca6',
  },
  spec: {
    commonName: 'identity.linkerd.cluster.local',
    dnsNames: ['identity.linkerd.cluster.local'],
    duration: '48h',
    isCA: true,
    issuerRef: {
      kind: 'ClusterIssuer',
      name: 'vault-issuer',
    },
    privateKey: {
      algorithm: 'ECDSA',
    },
    renewBefore: '25h',
    secretName: 'linkerd-identity-issuer',
    usages: ['cert sign', 'crl sign', 'server auth', 'client auth'],
  },
  status: {
    conditions: [
      {
        lastTransitionTime: '2026-11-24T00:00:18Z',
        message: 'Certificate is up to date and has not expired',
        observedGeneration: 1,
        reason: 'Ready',
        status: 'True',
        type: 'Ready',
      },
    ],
    notAfter: '2026-11-26T00:00:18Z',
    notBefore: '2026-11-23T23:59:48Z',
    renewalTime: '2026-11-24T23:00:18Z',
    revision: 3,
  },
};

export const upstreamRequest: CertificateRequest = {
  apiVersion: 'cert-manager.io/v1',
  kind: 'CertificateRequest',
  metadata: {
    annotations: {
      'cert-manager.io/certificate-name': 'linkerd-identity-issuer',
      'cert-manager.io/certificate-revision': '3',
      'cert-manager.io/private-key-secret-name': 'linkerd-identity-issuer-zgzzg',
    },
    creationTimestamp: '2026-11-24T00:00:18Z',
    generation: 1,
    name: 'linkerd-identity-issuer-3',
    namespace: 'linkerd',
    ownerReferences: [
      {
        apiVersion: 'cert-manager.io/v1',
        blockOwnerDeletion: true,
        controller: true,
        kind: 'Certificate',
        name: 'linkerd-identity-issuer',
        uid: '1e0518a0-0722-4bc8-b8f7-23442d6b9ca6',
      },
    ],
    resourceVersion: '658',
    uid: 'a67ed81c-14ad-43f6-95e4-80743d2a835f',
  },
  spec: {
    duration: '48h0m0s',
    isCA: true,
    issuerRef: {
      kind: 'ClusterIssuer',
      name: 'vault-issuer',
    },
    request:
      'LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlJQlRqQ0I5Z0lCQURBcE1TY3dKUVlEVlFRREV4NXBaR1Z1ZEdsMGVTNXNhVzVyWlhKa0xtTnNkWE4wWlhJdQpiRzlqWVd3d1dUQVRCZ2NxaGtqT1BRSUJCZ2dxaGtqT1BRTUJCd05DQUFRUWw1WitXSGs1cVZlUVJlWjZWWk5SCjN3R3dVYUFKekpTZzJaemVhMUpYWjdoRDhrdVk5N3p3Vmw3S29QWXFORThsaCtCWlV4MzM3MUVsWm1GdHp0UjYKb0dzd2FRWUpLb1pJaHZjTkFRa09NVnd3V2pBcEJnTlZIUkVFSWpBZ2doNXBaR1Z1ZEdsMGVTNXNhVzVyWlhKawpMbU5zZFhOMFpYSXViRzlqWVd3d0RnWURWUjBQQVFIL0JBUURBZ0VHTUIwR0ExVWRKUVFXTUJRR0NDc0dBUVVGCkJ3TUJCZ2dyQmdFRkJRY0RBakFLQmdncWhrak9QUVFEQWdOSEFEQkVBaUFOSmprazNUSGNwaHRwcnNtUkJPN3kKRlZkLzZFV0NTOGlBTkZOYnhvVmdtZ0lnQkppb2tUYktrN2dLYjI2b2RDT1JveENlWGoxN2QwY3owc0VMa2x4RAowNEk9Ci0tLS0tRU5EIENFUlRJRklDQVRFIFJFUVVFU1QtLS0tLQo=',
    usages: ['cert sign', 'crl sign', 'server auth', 'client auth'],
  },
  status: {
    ca: 'LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUIxekNDQVg2Z0F3SUJBZ0lVYjVJc1JrSmhIVENTMDdjWVRGWldrd2l3Y0ZJd0NnWUlLb1pJemowRUF3SXcKSlRFak1DRUdBMVVFQXhNYWNtOXZkQzVzYVc1clpYSmtMbU5zZFhOMFpYSXViRzlqWVd3d0hoY05Nall4TVRJegpNak0xTnpBMVdoY05NamN3TWpJeE1qTTFOek0xV2pBbE1TTXdJUVlEVlFRREV4cHliMjkwTG14cGJtdGxjbVF1ClkyeDFjM1JsY2k1c2IyTmhiREJaTUJNR0J5cUdTTTQ5QWdFR0NDcUdTTTQ5QXdFSEEwSUFCQ3dLdTd6Unowb1gKRk8yaVhnUHJSWDZIR1pTanFJSTF1TVhLbDFELzJ0aWNQZzRJYmdzek03aDR5V0FRRyszenl4WVFrRnVMOURKMQpDdlkxc1NDUVd5R2pnWXN3Z1lnd0RnWURWUjBQQVFIL0JBUURBZ0VHTUE4R0ExVWRFd0VCL3dRRk1BTUJBZjh3CkhRWURWUjBPQkJZRUZJbk1YWUdiOWZUSW11Ty96K1RVcVZKY29zWFVNQjhHQTFVZEl3UVlNQmFBRkluTVhZR2IKOWZUSW11Ty96K1RVcVZKY29zWFVNQ1VHQTFVZEVRUWVNQnlDR25KdmIzUXViR2x1YTJWeVpDNWpiSFZ6ZEdWeQpMbXh2WTJGc01Bb0dDQ3FHU000OUJBTUNBMGNBTUVRQ0lGMGZqWjFsS3lsWkhMakF1WDlwZTFzeDB3WjQ4enZnCnA2N1l0N0t2RVpjSUFpQk1vRzg3S0dybmVmcjJhczhWYWg2QmlIOFY2VkgyZzEzRDc0Z2FkUGl2Z2c9PQotLS0tLUVORCBDRVJUSUZJQ0FURS0tLS0tCg==',
    certificate:
      'LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUI0RENDQVlhZ0F3SUJBZ0lVUkZtbHB6T0hZV3ZWeS9KWXJGa0FtS0QvajhFd0NnWUlLb1pJemowRUF3SXcKSlRFak1DRUdBMVVFQXhNYWNtOXZkQzVzYVc1clpYSmtMbU5zZFhOMFpYSXViRzlqWVd3d0hoY05Nall4TVRJegpNak0xT1RRNFdoY05Nall4TVRJMk1EQXdNREU0V2pBcE1TY3dKUVlEVlFRREV4NXBaR1Z1ZEdsMGVTNXNhVzVyClpYSmtMbU5zZFhOMFpYSXViRzlqWVd3d1dUQVRCZ2NxaGtqT1BRSUJCZ2dxaGtqT1BRTUJCd05DQUFRUWw1WisKV0hrNXFWZVFSZVo2VlpOUjN3R3dVYUFKekpTZzJaemVhMUpYWjdoRDhrdVk5N3p3Vmw3S29QWXFORThsaCtCWgpVeDMzNzFFbFptRnR6dFI2bzRHUE1JR01NQTRHQTFVZER3RUIvd1FFQXdJQkJqQVBCZ05WSFJNQkFmOEVCVEFECkFRSC9NQjBHQTFVZERnUVdCQlEybWlIZWNwNkpLY1NmMzBNQ1BMU3ZYaUdxU1RBZkJnTlZIU01FR0RBV2dCU0oKekYyQm0vWDB5SnJqdjgvazFLbFNYS0xGMURBcEJnTlZIUkVFSWpBZ2doNXBaR1Z1ZEdsMGVTNXNhVzVyWlhKawpMbU5zZFhOMFpYSXViRzlqWVd3d0NnWUlLb1pJemowRUF3SURTQUF3UlFJaEFKa1BRWXFUKzlsYzUvU0JlUk1lCmdUVkhYTjVGU2JQemJ1bTFPemdMVFJsUkFpQnU1T1ltbDJBenJ1T1RFSHE3VDBsb3kyLzJNQitxTGVoK3V2WnkKcW1rVTB3PT0KLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo=',
    conditions: [
      {
        lastTransitionTime: '2026-11-24T00:00:18Z',
        message: 'Certificate request has been approved by cert-manager.io',
        reason: 'cert-manager.io',
        status: 'True',
        type: 'Approved',
      },
      {
        lastTransitionTime: '2026-11-24T00:00:18Z',
        message: 'Certificate fetched from issuer successfully',
        reason: 'Issued',
        status: 'True',
        type: 'Ready',
      },
    ],
  },
};

export const upstreamSecret: Secret = {
  apiVersion: 'v1',
  data: {
    'ca.crt':
      'LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUIxekNDQVg2Z0F3SUJBZ0lVYjVJc1JrSmhIVENTMDdjWVRGWldrd2l3Y0ZJd0NnWUlLb1pJemowRUF3SXcKSlRFak1DRUdBMVVFQXhNYWNtOXZkQzVzYVc1clpYSmtMbU5zZFhOMFpYSXViRzlqWVd3d0hoY05Nall4TVRJegpNak0xTnpBMVdoY05NamN3TWpJeE1qTTFOek0xV2pBbE1TTXdJUVlEVlFRREV4cHliMjkwTG14cGJtdGxjbVF1ClkyeDFjM1JsY2k1c2IyTmhiREJaTUJNR0J5cUdTTTQ5QWdFR0NDcUdTTTQ5QXdFSEEwSUFCQ3dLdTd6Unowb1gKRk8yaVhnUHJSWDZIR1pTanFJSTF1TVhLbDFELzJ0aWNQZzRJYmdzek03aDR5V0FRRyszenl4WVFrRnVMOURKMQpDdlkxc1NDUVd5R2pnWXN3Z1lnd0RnWURWUjBQQVFIL0JBUURBZ0VHTUE4R0ExVWRFd0VCL3dRRk1BTUJBZjh3CkhRWURWUjBPQkJZRUZJbk1YWUdiOWZUSW11Ty96K1RVcVZKY29zWFVNQjhHQTFVZEl3UVlNQmFBRkluTVhZR2IKOWZUSW11Ty96K1RVcVZKY29zWFVNQ1VHQTFVZEVRUWVNQnlDR25KdmIzUXViR2x1YTJWeVpDNWpiSFZ6ZEdWeQpMbXh2WTJGc01Bb0dDQ3FHU000OUJBTUNBMGNBTUVRQ0lGMGZqWjFsS3lsWkhMakF1WDlwZTFzeDB3WjQ4enZnCnA2N1l0N0t2RVpjSUFpQk1vRzg3S0dybmVmcjJhczhWYWg2QmlIOFY2VkgyZzEzRDc0Z2FkUGl2Z2c9PQotLS0tLUVORCBDRVJUSUZJQ0FURS0tLS0tCg==',
    'tls.crt':
      'LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUI0RENDQVlhZ0F3SUJBZ0lVUkZtbHB6T0hZV3ZWeS9KWXJGa0FtS0QvajhFd0NnWUlLb1pJemowRUF3SXcKSlRFak1DRUdBMVVFQXhNYWNtOXZkQzVzYVc1clpYSmtMbU5zZFhOMFpYSXViRzlqWVd3d0hoY05Nall4TVRJegpNak0xT1RRNFdoY05Nall4TVRJMk1EQXdNREU0V2pBcE1TY3dKUVlEVlFRREV4NXBaR1Z1ZEdsMGVTNXNhVzVyClpYSmtMbU5zZFhOMFpYSXViRzlqWVd3d1dUQVRCZ2NxaGtqT1BRSUJCZ2dxaGtqT1BRTUJCd05DQUFRUWw1WisKV0hrNXFWZVFSZVo2VlpOUjN3R3dVYUFKekpTZzJaemVhMUpYWjdoRDhrdVk5N3p3Vmw3S29QWXFORThsaCtCWgpVeDMzNzFFbFptRnR6dFI2bzRHUE1JR01NQTRHQTFVZER3RUIvd1FFQXdJQkJqQVBCZ05WSFJNQkFmOEVCVEFECkFRSC9NQjBHQTFVZERnUVdCQlEybWlIZWNwNkpLY1NmMzBNQ1BMU3ZYaUdxU1RBZkJnTlZIU01FR0RBV2dCU0oKekYyQm0vWDB5SnJqdjgvazFLbFNYS0xGMURBcEJnTlZIUkVFSWpBZ2doNXBaR1Z1ZEdsMGVTNXNhVzVyWlhKawpMbU5zZFhOMFpYSXViRzlqWVd3d0NnWUlLb1pJemowRUF3SURTQUF3UlFJaEFKa1BRWXFUKzlsYzUvU0JlUk1lCmdUVkhYTjVGU2JQemJ1bTFPemdMVFJsUkFpQnU1T1ltbDJBenJ1T1RFSHE3VDBsb3kyLzJNQitxTGVoK3V2WnkKcW1rVTB3PT0KLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo=',
    'tls.key':
      'LS0tLS1CRUdJTiBFQyBQUklWQVRFIEtFWS0tLS0tCk1IY0NBUUVFSVBDUE1xNzhtTGVXVmZDcHBWc0dtZjA1L0R6T0RkaXhIUzRUSEhKaDArTlpvQW9HQ0NxR1NNNDkKQXdFSG9VUURRZ0FFRUplV2ZsaDVPYWxYa0VYbWVsV1RVZDhCc0ZHZ0NjeVVvTm1jM210U1YyZTRRL0pMbVBlOAo4RlpleXFEMktqUlBKWWZnV1ZNZDkrOVJKV1poYmM3VWVnPT0KLS0tLS1FTkQgRUMgUFJJVkFURSBLRVktLS0tLQo=',
  },
  kind: 'Secret',
  metadata: {
    annotations: {
      'cert-manager.io/alt-names': 'identity.linkerd.cluster.local',
      'cert-manager.io/certificate-name': 'linkerd-identity-issuer',
      'cert-manager.io/common-name': 'identity.linkerd.cluster.local',
      'cert-manager.io/ip-sans': '',
      'cert-manager.io/issuer-group': '',
      'cert-manager.io/issuer-kind': 'ClusterIssuer',
      'cert-manager.io/issuer-name': 'vault-issuer',
      'cert-manager.io/uri-sans': '',
    },
    creationTimestamp: '2026-11-24T00:00:18Z',
    labels: {
      'controller.cert-manager.io/fao': 'true',
    },
    managedFields: [
      {
        apiVersion: 'v1',
        fieldsType: 'FieldsV1',
        fieldsV1: {
          'f:data': {
            'f:ca.crt': {},
            'f:tls.crt': {},
            'f:tls.key': {},
          },
          'f:metadata': {
            'f:annotations': {
              'f:cert-manager.io/alt-names': {},
              'f:cert-manager.io/certificate-name': {},
              'f:cert-manager.io/common-name': {},
              'f:cert-manager.io/ip-sans': {},
              'f:cert-manager.io/issuer-group': {},
              'f:cert-manager.io/issuer-kind': {},
              'f:cert-manager.io/issuer-name': {},
              'f:cert-manager.io/uri-sans': {},
            },
            'f:labels': {
              'f:controller.cert-manager.io/fao': {},
            },
          },
          'f:type': {},
        },
        manager: 'cert-manager-certificates-issuing',
        operation: 'Apply',
        time: '2026-11-24T00:00:18Z',
      },
    ],
    name: 'linkerd-identity-issuer',
    namespace: 'linkerd',
    resourceVersion: '659',
    uid: '2a5afc7e-d452-498d-8f47-1a1469e28cb4',
  },
  type: 'kubernetes.io/tls',
};
