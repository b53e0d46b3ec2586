import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestCluster, testCluster } from './support/api-server.ts';
import { startProgram } from './support/capstan.ts';
import { type Kubectl, kubectl, kubectlPath, kubectlReleases, runsKubectl } from './support/kubectl.ts';
import { anchor, anchorDefinition } from './support/test-definition.ts';

// Each release gets a cluster of its own; within one, the tests follow each other as the tutorial's lines do.
describe.skipIf(!runsKubectl).each(kubectlReleases)('kubectl %s', (release) => {
  let cluster: TestCluster;
  let k: Kubectl;

  beforeAll(async () => {
    cluster = await testCluster();
    k = kubectl(release, cluster.home);
  });

  afterAll(async () => {
    await cluster?.close();
  });

  test('finds its way about', async () => {
    expect(await k.ok('get ns')).toMatch(/^NAME +STATUS +AGE\ndefault +Active +\d+s\n/);
    expect(await k.ok('cluster-info')).toContain('Kubernetes control plane');
    expect(await k.ok('version')).toMatch(/Server Version: v1\.\d+\.\d+\+capstan/);
    expect(await k.ok('api-resources')).toMatch(
      /customresourcedefinitions +crd,crds +apiextensions.k8s.io\/v1 +false/,
    );
    expect(await k.ok('api-versions')).toContain('rbac.authorization.k8s.io/v1\n');
    expect(await k.ok('get --raw /readyz')).toBe('ok');
  });

  test('creates namespaces and Secrets and describes them', async () => {
    expect(await k.ok('create namespace linkerd')).toBe('namespace/linkerd created\n');
    expect(await k.fails('create namespace linkerd')).toBe(
      'Error from server (AlreadyExists): namespaces "linkerd" already exists\n',
    );
    await k.ok('create secret generic my-secret-token -n linkerd --from-literal=token=hvs.abc');
    expect(await k.ok('describe secret -n linkerd my-secret-token')).toBe(
      'Name:         my-secret-token\nNamespace:    linkerd\nLabels:       <none>\nAnnotations:  <none>\n\n' +
        'Type:  Opaque\n\nData\n====\ntoken:  7 bytes\n',
    );
    expect(await k.ok('get secret -n linkerd my-secret-token -o jsonpath={.data.token}')).toBe(
      'aHZzLmFiYw==',
    );
    expect(await k.ok('describe ns linkerd')).toContain('Status:       Active');
  });

  test('routes traffic, which is kept for controllers that do', async () => {
    await k.ok('create ingress web -n linkerd --class=nginx --rule=example.com/*=web:80,tls=web-tls');
    expect(await k.ok('get ingress -n linkerd')).toMatch(
      /^NAME +CLASS +HOSTS +ADDRESS +PORTS +AGE\nweb +nginx +example.com + 80, 443 +\d+s\n$/,
    );
    expect(await k.ok('describe ing web -n linkerd')).toContain('web-tls terminates example.com');
    await k.ok('delete ingress web -n linkerd');
  });

  test('keeps what would extend another API server, and says that it does not call it', async () => {
    const service = JSON.stringify({
      apiVersion: 'apiregistration.k8s.io/v1',
      kind: 'APIService',
      metadata: { name: 'v1.example.com' },
      spec: {
        ...{ group: 'example.com', version: 'v1', groupPriorityMinimum: 10, versionPriority: 10 },
        service: { name: 'extra', namespace: 'linkerd' },
      },
    });
    const { stderr } = await k.run('apply -f -', service);
    expect(stderr).toContain('Warning: this server keeps APIServices and forwards nothing');
    expect(await k.ok('get apiservices')).toMatch(/v1.example.com +linkerd\/extra +Unknown +\d+s/);
    await k.ok('delete apiservice v1.example.com');
  });

  test('defines a kind and works with it at once', async () => {
    expect(await k.ok('apply -f -', anchorDefinition)).toContain('anchors.test.capstan.dev created');
    await k.ok('wait --for=condition=Established crd/anchors.test.capstan.dev --timeout=10s');
    expect(await k.ok('get anchors -A')).toBe('');
    expect(await k.ok('explain anchor.spec.chain')).toContain('what it hangs on');
    expect(await k.ok('explain anchors')).toContain('what holds a ship');
    expect(await k.ok('api-resources --api-group=test.capstan.dev -o name')).toBe(
      'anchors.test.capstan.dev\n',
    );
  });

  test('applies from files and stdin, twice, changed', async () => {
    const file = join(cluster.home, 'anchor.yaml');
    writeFileSync(file, anchor('bower'));
    expect(await k.ok(`apply -f ${file}`)).toBe('anchor.test.capstan.dev/bower created\n');
    expect(await k.ok(`apply -f ${file}`)).toBe('anchor.test.capstan.dev/bower unchanged\n');
    expect(await k.ok('apply -f -', anchor('bower', 'chain: iron'))).toBe(
      'anchor.test.capstan.dev/bower configured\n',
    );
    expect(await k.ok('get anchor bower -n linkerd -o jsonpath={.spec}')).toBe('{"chain":"iron","weight":7}');
    const difference = await k.run(`diff -f ${file}`);
    expect(difference).toMatchObject({ status: 1, stderr: '' });
    expect(difference.stdout).toMatch(/-  chain: iron\n\+  chain: steel/);
  });

  test('applies on the server, and is told whose fields it would take', async () => {
    expect(await k.ok('apply --server-side -f -', anchor('kedge'))).toBe(
      'anchor.test.capstan.dev/kedge serverside-applied\n',
    );
    expect(await k.ok('apply --server-side -f -', anchor('kedge'))).toContain('serverside-applied');
    const conflict = await k.fails(
      'apply --server-side --field-manager=other -f -',
      anchor('kedge', 'chain: rope'),
    );
    expect(conflict).toContain('Apply failed with 1 conflict: conflict with "kubectl": .spec.chain');
    await k.ok(
      'apply --server-side --field-manager=other --force-conflicts -f -',
      anchor('kedge', 'chain: rope'),
    );
    const managers = await k.ok(
      'get anchor kedge -n linkerd --show-managed-fields -o jsonpath={.metadata.managedFields[*].manager}',
    );
    expect(managers.split(' ').toSorted()).toContain('other');
    expect(await k.ok('get anchor kedge -n linkerd -o jsonpath={.spec.chain}')).toBe('rope');
    await k.ok('delete anchor kedge -n linkerd');
  });

  test('shows why an object is refused', async () => {
    expect(await k.fails('apply -f -', anchor('bad', 'chain: steel\nfoo: 1'))).toContain(
      'Anchor in version "v1" cannot be handled as a Anchor: strict decoding error: unknown field "spec.foo"',
    );
    expect(await k.fails('apply -f -', anchor('bad', 'chain: s'))).toBe(
      'The Anchor "bad" is invalid: spec.chain: Invalid value: "s": spec.chain in body should be at least 2 chars long\n',
    );
    expect(await k.fails('apply -f -', anchor('bad', 'weight: 1'))).toBe(
      'The Anchor "bad" is invalid: spec.chain: Required value\n',
    );
    expect(await k.fails('create secret generic Bad_Name --from-literal=a=b')).toContain(
      'Secret "Bad_Name" is invalid: metadata.name: Invalid value: "Bad_Name": a lowercase RFC 1123 subdomain must consist of',
    );
    expect(await k.fails('get secret nope')).toBe('Error from server (NotFound): secrets "nope" not found\n');
    expect(await k.fails('create cm x -n nowhere')).toContain('namespaces "nowhere" not found');
    expect(await k.fails('delete ns default')).toContain('this namespace may not be deleted');
    expect(await k.fails('get mermaids')).toContain('the server doesn\'t have a resource type "mermaids"');
    const warned = await k.run('apply --validate=warn -f -', anchor('odd', 'chain: steel\nfoo: 1'));
    expect(warned).toMatchObject({ status: 0, stderr: 'Warning: unknown field "spec.foo"\n' });
    await k.ok('delete anchor odd -n linkerd');
  });

  test('patches, labels, annotates, replaces', async () => {
    await k.ok('label anchor bower -n linkerd ship=victory');
    expect(await k.ok('get anchors -A -l ship=victory -o name')).toBe('anchor.test.capstan.dev/bower\n');
    expect(await k.ok('get anchors -A -l ship!=victory -o name')).toBe('');
    expect(await k.ok('get anchors -A --field-selector spec.chain=iron -o name')).toContain('bower');
    await k.ok('annotate anchor bower -n linkerd note=heavy');
    await k.ok(`patch anchor bower -n linkerd --type=merge -p '{"spec":{"weight":9}}'`);
    await k.ok(
      `patch anchor bower -n linkerd --type=json -p '[{"op":"replace","path":"/spec/weight","value":11}]'`,
    );
    expect(await k.ok('get anchor bower -n linkerd -o jsonpath={.spec.weight}')).toBe('11');
    await k.ok('create cm settings -n linkerd --from-literal=a=1');
    await k.ok(`patch cm settings -n linkerd -p '{"data":{"b":"2","a":null}}'`);
    expect(await k.ok('get cm settings -n linkerd -o jsonpath={.data}')).toBe('{"b":"2"}');
    const whole = await k.ok('get cm settings -n linkerd -o yaml');
    await k.ok('replace -f -', whole.replace('b: "2"', 'b: "3"'));
    expect(await k.ok('get cm settings -n linkerd -o jsonpath={.data.b}')).toBe('3');
    expect(await k.fails('replace -f -', whole)).toContain('the object has been modified');
  });

  test('waits for conditions that arrive through the status endpoint, and prints them', async () => {
    const waiting = k.ok('wait anchor/bower -n linkerd --for=condition=Ready --timeout=20s');
    const condition = '{"type":"Ready","status":"True","message":"holds fast"}';
    await k.ok(
      `patch anchor bower -n linkerd --subresource=status --type=merge -p '{"status":{"conditions":[${condition}]}}'`,
    );
    expect(await waiting).toBe('anchor.test.capstan.dev/bower condition met\n');
    expect(await k.ok('get anchors -n linkerd')).toMatch(
      /^NAME +READY +CHAIN +AGE\nbower +True +iron +\d+s\n$/,
    );
    expect(await k.ok('get anchors -n linkerd -o wide')).toMatch(
      /^NAME +READY +CHAIN +STATUS +WEIGHT +AGE\nbower +True +iron +holds fast +11 +\d+s\n$/,
    );
    expect(await k.ok('describe anchor bower -n linkerd')).toContain('Message:  holds fast');
    // The main endpoint leaves the status as it is.
    await k.ok(`patch anchor bower -n linkerd --type=merge -p '{"status":{"conditions":[]}}'`);
    expect(await k.ok('get anchor bower -n linkerd -o jsonpath={.status.conditions[0].status}')).toBe('True');
    const created = k.ok('wait --for=create secret/late -n linkerd --timeout=20s');
    await k.ok('create secret generic late -n linkerd --from-literal=a=b');
    expect(await created).toBe('secret/late condition met\n');
    const deleted = k.ok('wait --for=delete secret/late -n linkerd --timeout=20s');
    await k.ok('delete secret late -n linkerd');
    await deleted;
  });

  test('watches', async () => {
    const watching = startProgram([kubectlPath(release), 'get', 'anchors', '-n', 'linkerd', '-w'], {
      env: { KUBECONFIG: join(cluster.home, 'kubeconfig'), HOME: cluster.home },
    });
    await watching.printed(/^bower /m);
    await k.ok('apply -f -', anchor('stream'));
    await k.ok('delete anchor stream -n linkerd');
    await watching.printed(/^NAME +READY +CHAIN +AGE\nbower .*\nstream .*\nstream .*\n$/);
    watching.child.kill();
    await watching.finished;
  });

  test('knows who it is and what it may do', async () => {
    expect(await k.ok('auth whoami')).toMatch(
      /Username +kubernetes-admin\nGroups +\[system:masters system:authenticated\]/,
    );
    expect(await k.ok('auth can-i list secrets')).toBe('yes\n');
    expect((await k.run('auth can-i list secrets --as bob')).stdout).toBe('no\n');
    expect(await k.fails('get secrets --as bob')).toBe(
      'Error from server (Forbidden): secrets is forbidden: User "bob" cannot list resource "secrets" in API group "" in the namespace "default"\n',
    );
    await k.ok('create serviceaccount bob');
    const token = (await k.ok('create token bob --audience vault --duration 20m')).trim();
    const claims = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString());
    expect(claims).toMatchObject({ aud: ['vault'], sub: 'system:serviceaccount:default:bob' });
    expect(claims.exp - claims.iat).toBe(1_200);
    expect(await k.fails('create token bob --duration 5m')).toContain(
      'may not specify a duration less than 10 minutes',
    );
    expect(
      await k.ok(`auth whoami --token ${(await k.ok('create token bob')).trim()} -o jsonpath={.kind}`),
    ).toBe('SelfSubjectReview');
  });

  test('creates the built-in kinds that it has commands for', async () => {
    await k.ok('create deployment web --image=nginx --replicas=2');
    expect(await k.ok('get deployments')).toMatch(
      /^NAME +READY +UP-TO-DATE +AVAILABLE +AGE\nweb +0\/2 +0 +0 +\d+s\n$/,
    );
    expect(await k.ok('scale deployment web --replicas=3')).toBe('deployment.apps/web scaled\n');
    expect(await k.ok('get deployment web -o jsonpath={.spec.replicas}')).toBe('3');
    await k.ok('create role reader --verb=get,list --resource=secrets');
    await k.ok('create rolebinding bob-reads --role=reader --serviceaccount=default:bob');
    expect(await k.ok('auth can-i list secrets --as system:serviceaccount:default:bob')).toBe('yes\n');
    await k.ok('create service clusterip web --tcp=80:http');
    expect(await k.ok('get all')).toContain('deployment.apps/web');
    expect(await k.run('get events -A')).toMatchObject({ status: 0, stderr: 'No resources found\n' });
  });

  test('deletes by name, selector and namespace', async () => {
    for (const name of ['one', 'two', 'three']) await k.ok(`create cm ${name} -n linkerd`);
    await k.ok('label cm one two -n linkerd gone=soon');
    expect(await k.ok('delete cm -n linkerd -l gone=soon')).toMatch(/"one" deleted.*\n.*"two" deleted/);
    expect(await k.ok('get cm -n linkerd -o name')).toContain('configmap/three');
    expect(await k.ok('delete ns linkerd --timeout=20s')).toBe('namespace "linkerd" deleted\n');
    expect(await k.fails('get ns linkerd')).toContain('namespaces "linkerd" not found');
    expect(await k.ok('get anchors -A')).toBe('');
    await k.ok('delete crd anchors.test.capstan.dev --timeout=20s');
    expect(await k.fails('get --raw /apis/test.capstan.dev/v1')).toContain('(NotFound)');
  });
});
