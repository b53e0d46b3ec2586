/** Protobuf bodies that kubectl 1.32 sent for each command, in base64. */
export const kubectlBodies: Readonly<Record<string, string>> = {
  'create namespace linkerd':
    'azhzAAoPCgJ2MRIJTmFtZXNwYWNlEh8KFwoHbGlua2VyZBIAGgAiACoAMgA4AEIAEgAaAgoAGgAiAA==',
  'create secret generic my-secret-token --from-literal=token=hvs.abc --from-file=bin=(a, zero, b)':
    'azhzAAoMCgJ2MRIGU2VjcmV0EkEKHwoPbXktc2VjcmV0LXRva2VuEgAaACIAKgAyADgAQgASCgoDYmluEgNhAGISEAoFdG9rZW4SB2h2cy5hYmMaABoAIgA=',
  'create configmap cm --from-literal=a=1 --from-file=bin=(a, zero, b)':
    'azhzAAoPCgJ2MRIJQ29uZmlnTWFwEigKEgoCY20SABoAIgAqADIAOABCABIGCgFhEgExEgoKA2JpbhIDYQBiGgAiAA==',
  'create serviceaccount sa': 'azhzAAoUCgJ2MRIOU2VydmljZUFjY291bnQSFAoSCgJzYRIAGgAiACoAMgA4AEIAGgAiAA==',
  'create token sa --duration 1h --audience vault://linkerd/vault':
    'azhzAAooChhhdXRoZW50aWNhdGlvbi5rOHMuaW8vdjESDFRva2VuUmVxdWVzdBI0ChAKABIAGgAiACoAMgA4AEIAEhoKFXZhdWx0Oi8vbGlua2VyZC92YXVsdCCQHBoECgASABoAIgA=',
  'create deployment web --image nginx --replicas 0 --port 80':
    'azhzAAoVCgdhcHBzL3YxEgpEZXBsb3ltZW50ErgBCh8KA3dlYhIAGgAiACoAMgA4AEIAWgoKA2FwcBIDd2ViEoYBCAASDAoKCgNhcHASA3dlYhpsChwKABIAGgAiACoAMgA4AEIAWgoKA2FwcBIDd2ViEkwSLgoFbmdpbngSBW5naW54KgAyCgoAEAAYUCIAKgBCAGoAcgCAAQCIAQCQAQCiAQAaADIAQgBKAFIAWABgAGgAggEAigEAmgEAwgEAIgIKACgAOAAaDAgAEAAYACAAKAA4ABoAIgA=',
  'create role r --verb=get,list --resource=secrets --resource-name=x':
    'azhzAAokChxyYmFjLmF1dGhvcml6YXRpb24uazhzLmlvL3YxEgRSb2xlEi4KEQoBchIAGgAiACoAMgA4AEIAEhkKA2dldAoEbGlzdBIAGgdzZWNyZXRzIgF4GgAiAA==',
  'create service clusterip web --tcp=80:http':
    'azhzAAoNCgJ2MRIHU2VydmljZRJsCh8KA3dlYhIAGgAiACoAMgA4AEIAWgoKA2FwcBIDd2ViEkUKHgoHODAtaHR0cBIDVENQGFAiCggBEAAaBGh0dHAoABIKCgNhcHASA3dlYhoAIglDbHVzdGVySVA6AEIAUgBaAGAAaAAaAgoAGgAiAA==',
  'auth can-i get secrets':
    'azhzAAoyChdhdXRob3JpemF0aW9uLms4cy5pby92MRIXU2VsZlN1YmplY3RBY2Nlc3NSZXZpZXcSPwoQCgASABoAIgAqADIAOABCABIhCh8KB2xpbmtlcmQSA2dldBoAIgAqB3NlY3JldHMyADoAGggIABIAGgAgABoAIgA=',
};
