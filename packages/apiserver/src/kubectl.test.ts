// The server as people meet it: the real kubectl over TLS. Each command stands with exactly what it prints; ages, names with
// chance in them and identities are masked.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { kubernetesTool } from '@aksel/host/kubernetes-tools'
import { admin, kubeconfigFor, startTestServer, type TestServer } from './test-server.ts'

const manifests = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: 'web:1', ports: [{containerPort: 80}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, clusterIP: 10.0.0.80, ports: [{port: 80}]}
`

const malformed = `
apiVersion: v1
kind: ConfigMap
metadata: {name: typo}
dta: {a: b}
`

/** What a session prints, line by line, each command behind its prompt. */
const transcript = `
$ version
Client Version: v1.35.2
Kustomize Version: v5.7.1
Server Version: v1.35.7
$ get namespaces
NAME              STATUS   AGE
default           Active   AGE
kube-node-lease   Active   AGE
kube-public       Active   AGE
kube-system       Active   AGE
$ get service,endpointslices
NAME                 TYPE        CLUSTER-IP   EXTERNAL-IP   PORT(S)   AGE
service/kubernetes   ClusterIP   10.0.0.1     <none>        443/TCP   AGE

NAME                                        ADDRESSTYPE   PORTS   ENDPOINTS    AGE
endpointslice.discovery.k8s.io/kubernetes   IPv4          443     10.224.0.1   AGE
$ create serviceaccount default
serviceaccount/default created
$ create configmap settings --from-literal=colour=blue
configmap/settings created
$ get configmap settings -o jsonpath={.data.colour}
blue
$ apply -f MANIFESTS
deployment.apps/web created
service/web created
$ apply -f MANIFESTS
deployment.apps/web unchanged
service/web unchanged
$ scale deployment web --replicas=3
deployment.apps/web scaled
$ get deployments,services
NAME                  READY   UP-TO-DATE   AVAILABLE   AGE
deployment.apps/web   0/3     0            0           AGE

NAME                 TYPE        CLUSTER-IP   EXTERNAL-IP   PORT(S)   AGE
service/kubernetes   ClusterIP   10.0.0.1     <none>        443/TCP   AGE
service/web          ClusterIP   10.0.0.80    <none>        80/TCP    AGE
$ set image deployment/web web=web:2
deployment.apps/web image updated
$ get deployment web -o jsonpath={.metadata.generation},{.spec.template.spec.containers[0].image}
3,web:2
$ run one --image=busybox --restart=Never -- sleep 1
pod/one created
$ get pods -o wide
NAME   READY   STATUS    RESTARTS   AGE   IP       NODE     NOMINATED NODE   READINESS GATES
one    0/1     Pending   0          AGE   <none>   <none>   <none>           <none>
$ label pod one tier=test
pod/one labeled
$ get pods -l tier=test -o name
pod/one
$ annotate pod one note=x
pod/one annotated
$ delete pod one
pod "one" deleted from default namespace
$ delete -f MANIFESTS
deployment.apps "web" deleted from default namespace
service "web" deleted from default namespace
$ get deployments
No resources found in default namespace.
$ get pods --as=bob
Error from server (Forbidden): pods is forbidden: User "bob" cannot list resource "pods" in API group "" in the namespace "default"
$ auth can-i delete pods --as=bob
no
$ get configmap nobody
Error from server (NotFound): configmaps "nobody" not found
$ create configmap settings
error: failed to create configmap: configmaps "settings" already exists
$ get nonsense
error: the server doesn't have a resource type "nonsense"
$ apply -f MALFORMED
Error from server (BadRequest): error when creating "MALFORMED": ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "dta"
$ delete namespace kube-system
Error from server (Forbidden): namespaces "kube-system" is forbidden: this namespace may not be deleted
$ get --raw /readyz?verbose
[+]ping ok
[+]log ok
[+]etcd ok
[+]poststarthook/crd-informer-synced ok
[+]poststarthook/start-apiextensions-controllers ok
[+]poststarthook/start-system-namespaces-controller ok
[+]poststarthook/start-cluster-authentication-info-controller ok
[+]poststarthook/start-legacy-token-tracking-controller ok
[+]poststarthook/rbac/bootstrap-roles ok
[+]poststarthook/scheduling/bootstrap-system-priority-classes ok
[+]poststarthook/priority-and-fairness-config-producer ok
[+]poststarthook/bootstrap-controller ok
[+]poststarthook/kube-apiserver-autoregistration ok
[+]poststarthook/start-kube-apiserver-identity-lease-controller ok
[+]poststarthook/start-kube-apiserver-identity-lease-garbage-collector ok
[+]autoregister-completion ok
[+]etcd-readiness ok
[+]informer-sync ok
[+]shutdown ok
readyz check passed
$ explain deployment.spec.strategy.type
GROUP:      apps
KIND:       Deployment
VERSION:    v1

FIELD: type <string>
ENUM:
    Recreate
    RollingUpdate

DESCRIPTION:
    RollingUpdate (the default) replaces them step by step, Recreate ends all
    old ones first.
$ explain configmap
KIND:       ConfigMap
VERSION:    v1

DESCRIPTION:
    Configuration as keys and values, for pods to read as variables or files. At
    most 1 MiB.

FIELDS:
  apiVersion\t<string>
    APIVersion defines in which group and version this object is written. A
    server may convert it to the version it stores, and refuses one that it does
    not know.

  binaryData\t<map[string]string>
    Keys with bytes, in base64. A key must not be in data as well.

  data\t<map[string]string>
    Keys with texts. Keys consist of letters, digits, '-', '_' and '.'.

  immutable\t<boolean>
    Data can no longer be changed, nor this field; nodes then need not watch it.
    Absent means false.

  kind\t<string>
    Kind names the resource that this object stands for, in upper camel case. It
    cannot be changed.

  metadata\t<ObjectMeta>
    Name, namespace, labels, annotations and what else the server keeps with
    every object.
$ auth whoami
ATTRIBUTE                                           VALUE
Username                                            masterclient
Groups                                              [system:masters system:authenticated]
Extra: authentication.kubernetes.io/credential-id   [X509SHA256=<sha256>]
`

void suite('kubectl', () => {
  let server: TestServer
  let directory: string
  let program: string

  before(async () => {
    program = await kubernetesTool(join(import.meta.dirname, '../../..'), 'kubectl')
    server = await startTestServer()
    directory = await mkdtemp(join(tmpdir(), 'aksel-kubectl-'))
    await writeFile(join(directory, 'config'), JSON.stringify(await kubeconfigFor(server, admin)))
    await writeFile(join(directory, 'MANIFESTS'), manifests)
    await writeFile(join(directory, 'MALFORMED'), malformed)
  })
  after(async () => {
    await server[Symbol.asyncDispose]()
    await rm(directory, { recursive: true, force: true })
  })

  function kubectl(args: readonly string[]): Promise<string> {
    const env = { ...process.env, KUBECONFIG: join(directory, 'config'), HOME: directory }
    return new Promise((resolve) => {
      execFile(program, args, { cwd: directory, env, timeout: 30_000 }, (_error, out, err) => resolve(out + err))
    })
  }

  for (const [at, { command, output }] of stepsOf(transcript).entries()) {
    void test(`${at + 1}: ${command}`, async () => {
      assert.equal(masked(await kubectl(command.split(' '))), output)
    })
  }

  void test('caused no error in the server', () => {
    assert.deepEqual(
      server.lines.filter(({ level }) => level !== 'debug'),
      [],
    )
  })
})

function stepsOf(text: string): readonly { readonly command: string; readonly output: string }[] {
  return text
    .trim()
    .split(/^\$ /m)
    .filter((step) => step !== '')
    .map((step) => {
      const end = step.indexOf('\n')
      return { command: end < 0 ? step : step.slice(0, end), output: end < 0 ? '' : step.slice(end + 1).trimEnd() }
    })
}

/** Ages are as long as their mask is not: the columns behind them are laid out anew. */
function masked(text: string): string {
  return text
    .trimEnd()
    .split('\n')
    .map((line) =>
      line.replace(/\b\d+s( *)(?=$|\s)/, (_found, spaces: string) => (spaces === '' ? 'AGE' : `AGE${spaces.slice(1)}`)),
    )
    .map((line) => line.trimEnd().replace(/X509SHA256=[0-9a-f]{64}/, 'X509SHA256=<sha256>'))
    .join('\n')
}
