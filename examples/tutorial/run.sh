#!/usr/bin/env bash
# The walk-through, line by line. Needs kubectl, KUBECONFIG pointing at the cluster and a Vault-compatible server at
# VAULT_ADDR with the root token my-token. Prints a heading before each part's output.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
capstan=${CAPSTAN:-$here/../../bin/capstan.mjs}

# The real programs where they are on the PATH, else Capstan's own in their place.
command -v vault >/dev/null || vault() { "$capstan" vault "$@"; }
command -v step >/dev/null || step() { "$capstan" "$@"; }

heading() { printf '\n## %s\n' "$*"; }

export VAULT_ADDR=${VAULT_ADDR:-http://127.0.0.1:8200/}

heading vault status
vault status

heading vault login
vault login my-token

heading enable and tune pki
vault secrets enable pki
vault secrets tune -max-lease-ttl=2160h pki

heading config/urls
vault write pki/config/urls \
  issuing_certificates="http://127.0.0.1:8200/v1/pki/ca" \
  crl_distribution_points="http://127.0.0.1:8200/v1/pki/crl"

heading policy
cat <<EOF | vault policy write pki_policy -
path "pki*" {
    capabilities = ["create", "read", "update", "delete", "list", "sudo"]
}
EOF

heading token
VAULT_TOKEN=$(vault write -field=token /auth/token/create \
  policies="pki_policy" \
  no_parent=true no_default_policy=true \
  renewable=true ttl=767h num_uses=0)
# Exported only now, as in the original: what follows acts with the policy's token, not with root's.
export VAULT_TOKEN
echo "a token of ${#VAULT_TOKEN} bytes"

heading root
CERT=$(vault write -field=certificate pki/root/generate/internal \
  common_name=root.linkerd.cluster.local \
  ttl=2160h key_type=ec)
echo "$CERT" | step certificate inspect -

heading namespaces
kubectl get namespace cert-manager >/dev/null 2>&1 || kubectl create namespace cert-manager
kubectl get namespace linkerd >/dev/null 2>&1 || kubectl create namespace linkerd

heading secret
kubectl create secret generic \
  my-secret-token \
  --namespace=cert-manager \
  --from-literal=token="$VAULT_TOKEN"
kubectl describe secret -n cert-manager my-secret-token

heading issuer
issuer=$(mktemp)
trap 'rm -f "$issuer"' EXIT
sed -e "s#%VAULT_ADDRESS%#${VAULT_ADDR%/}#g" <<EOF >"$issuer"
apiVersion: cert-manager.io/v1
kind: ClusterIssuer
metadata:
  name: vault-issuer
  namespace: cert-manager
spec:
  vault:
    path: pki/root/sign-intermediate
    server: %VAULT_ADDRESS%
    auth:
      tokenSecretRef:
         name: my-secret-token
         key: token
EOF
kubectl apply -f "$issuer"
kubectl wait --for=condition=Ready clusterissuer/vault-issuer --timeout=60s
kubectl get clusterissuers -o wide

heading certificate
kubectl apply -f - <<EOF
apiVersion: cert-manager.io/v1
kind: Certificate
metadata:
  name: linkerd-identity-issuer
  namespace: linkerd
spec:
  secretName: linkerd-identity-issuer
  duration: 48h
  renewBefore: 25h
  issuerRef:
    name: vault-issuer
    kind: ClusterIssuer
  commonName: identity.linkerd.cluster.local
  dnsNames:
  - identity.linkerd.cluster.local
  isCA: true
  privateKey:
    algorithm: ECDSA
  usages:
  - cert sign
  - crl sign
  - server auth
  - client auth
EOF
kubectl wait --for=condition=Ready certificate/linkerd-identity-issuer -n linkerd --timeout=60s
kubectl get certificate -n linkerd
kubectl describe secret -n linkerd linkerd-identity-issuer

heading bundle
kubectl apply -f - <<EOF
apiVersion: trust.cert-manager.io/v1alpha1
kind: Bundle
metadata:
  name: linkerd-identity-trust-roots
spec:
  sources:
  - secret:
      name: "linkerd-identity-issuer"
      key: "ca.crt"
  target:
    configMap:
      key: "ca-bundle.crt"
EOF
kubectl wait --for=condition=Synced bundle/linkerd-identity-trust-roots --timeout=60s
kubectl get bundle
kubectl get configmap -n linkerd linkerd-identity-trust-roots -o jsonpath='{.data.ca-bundle\.crt}'
echo

heading check
"$capstan" check
