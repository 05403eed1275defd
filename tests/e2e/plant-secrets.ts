// Secrets of every kind, in every place where people have them and in requests that are refused for them: a story that plants them
// looks for them in all logs, events, audit lines and errors when it ends.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createRequest } from '@aksel/runtime/certificate-requests'
import type { Aksel } from './aksel.ts'
import { logFiles, secretsIn, type Leak } from './secrets-in-logs.ts'
import { connectionOf } from './sdk-client.ts'

const base64 = (text: string): string => Buffer.from(text).toString('base64')
const namespace = 'planted'

/** `runs`: containers do, so images are pulled, and commands can be run in the cluster. */
export async function plantSecrets(aksel: Aksel, { runs }: { readonly runs: boolean }): Promise<void> {
  const { keyPem } = await createRequest({ commonName: 'planted' })
  const { server } = (
    await aksel.json<{ clusters: readonly { cluster: { server: string } }[] }>('config view --raw --minify')
  ).clusters[0]!.cluster
  const remember = (what: string, text: string): void => {
    for (const [kind, value] of secretsIn(what, text)) aksel.planted.set(kind, value)
  }
  remember('a private key', keyPem)
  const kubeconfig = (token: string): string =>
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'c', cluster: { server, 'insecure-skip-tls-verify': true } }],
      users: [{ name: 'u', user: { token } }],
      contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'c',
    })
  const registry = (password: string): string =>
    JSON.stringify({
      auths: { 'registry.planted.example': { username: 'u', password, auth: base64(`u:${password}`) } },
    })
  const bootstrap = randomBytes(8).toString('hex')
  aksel.planted.set('the secret of a bootstrap token', bootstrap)
  const secret = (name: string, type: string, stringData: object): object => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace },
    type,
    stringData,
  })
  const items = [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
    secret('opaque', 'Opaque', {
      password: aksel.plant('a password'),
      token: aksel.plant('a token'),
      key: keyPem,
      kubeconfig: kubeconfig(aksel.plant('the token of a kubeconfig')),
      sas: `https://a.blob.example/c?sv=2024-11-04&sig=${aksel.plant('the signature of a SAS')}`,
    }),
    secret('basic', 'kubernetes.io/basic-auth', { username: 'u', password: aksel.plant('a password of basic-auth') }),
    secret('registry', 'kubernetes.io/dockerconfigjson', {
      '.dockerconfigjson': registry(aksel.plant('the password of a registry')),
    }),
    {
      ...secret('bootstrap-token-planta', 'bootstrap.kubernetes.io/token', {
        'token-id': 'planta',
        'token-secret': bootstrap,
        'usage-bootstrap-authentication': 'true',
      }),
      metadata: { name: 'bootstrap-token-planta', namespace: 'kube-system' },
    },
    { ...secret('fixed', 'Opaque', { password: aksel.plant('an immutable password') }), immutable: true },
    podThatUses('uses', 'docker.io/library/busybox:1.36', aksel.plant('a value in an environment')),
    podThatUses(
      'pulls',
      'registry.planted.example/private/thing:1',
      aksel.plant('a value in an environment of who waits'),
    ),
    podThatUses(
      'lacks',
      'docker.io/library/busybox:1.36',
      aksel.plant('a value beside a key that is not there'),
      'none',
    ),
  ]
  await aksel.kubectl('apply -f -', { input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items }) })
  await refusals(aksel)
  await credentials(aksel, { kubeconfig, bootstrap, remember })
  await resourceManager(aksel)
  if (!runs) return
  await aksel.kubectl(`-n ${namespace} wait pod/uses --for=condition=Ready --timeout=120s`, { timeoutMs: 140_000 })
  for (const [pod, reason] of Object.entries({ pulls: 'ImagePullBackOff', lacks: 'CreateContainerConfigError' })) {
    const state = `--for=jsonpath={.status.containerStatuses[0].state.waiting.reason}=${reason}`
    await aksel.kubectl(['-n', namespace, 'wait', `pod/${pod}`, state, '--timeout=120s'], { timeoutMs: 140_000 })
  }
  const said = aksel.plant('what a command in the cluster printed')
  const invoke = `aks command invoke -g aksel -n demo --command`.split(' ')
  assert.match(await aksel.ok(['az', ...invoke, `echo ${said}`], { timeoutMs: 180_000 }), new RegExp(said))
  await aksel.kubectl(`delete namespace ${namespace} --wait=false`)
}

function podThatUses(name: string, image: string, value: string, key = 'password'): object {
  const env = [
    { name: 'PLAIN', value },
    { name: 'FROM', valueFrom: { secretKeyRef: { name: 'opaque', key } } },
  ]
  const container = {
    name: 'c',
    image,
    command: ['sleep', '10000'],
    env,
    envFrom: [{ secretRef: { name: 'basic' } }],
    volumeMounts: [{ name: 's', mountPath: '/s' }],
  }
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace },
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [container],
      imagePullSecrets: [{ name: 'registry' }],
      volumes: [{ name: 's', secret: { secretName: 'opaque' } }],
    },
  }
}

/** Each is refused, and the refusal names the field and not the value. */
async function refusals(aksel: Aksel): Promise<void> {
  const path = `/api/v1/namespaces/${namespace}/secrets`
  const metadata = { name: 'refused', namespace }
  const bodies: readonly (readonly [string, object])[] = [
    ['data that is no base64', { metadata, data: { a: `!${aksel.plant('data that is no base64')}!` } }],
    ['a list for a value', { metadata, stringData: { a: [aksel.plant('a list for a value')] } }],
    ['a field unknown', { metadata, pasword: aksel.plant('a field unknown') }],
    [
      'a registry that is no JSON',
      {
        metadata,
        type: 'kubernetes.io/dockerconfigjson',
        stringData: { '.dockerconfigjson': `{"${aksel.plant('a registry that is no JSON')}` },
      },
    ],
    ['a key that may not be', { metadata, stringData: { 'a b': aksel.plant('a value under a key that may not be') } }],
    ['no user name', { metadata, type: 'kubernetes.io/ssh-auth', stringData: { key: aksel.plant('a key of ssh') } }],
  ]
  for (const [what, body] of bodies) {
    const args = ['kubectl', 'create', '--raw', `${path}?fieldValidation=Strict`, '-f', '-']
    const input = JSON.stringify({ apiVersion: 'v1', kind: 'Secret', ...body })
    const { code, stderr } = await aksel.run(args, { input })
    assert.notEqual(code, 0, `${what} was taken`)
    assert.match(stderr, /Error from server|invalid|BadRequest/i, what)
  }
  const change = JSON.stringify({ stringData: { password: aksel.plant('another for what is immutable') } })
  assert.match(await aksel.fails(['kubectl', '-n', namespace, 'patch', 'secret', 'fixed', '-p', change]), /immutable/)
}

/** Tokens that are given, believed and not believed. */
async function credentials(
  aksel: Aksel,
  parts: {
    readonly kubeconfig: (token: string) => string
    readonly bootstrap: string
    readonly remember: (what: string, text: string) => void
  },
): Promise<void> {
  const file = join(aksel.dataDir, 'shell-of-a-stranger')
  const as = async (token: string, answer: RegExp): Promise<void> => {
    await writeFile(file, parts.kubeconfig(token))
    assert.match(await aksel.fails(['kubectl', '--kubeconfig', file, '-n', namespace, 'get', 'secrets']), answer)
  }
  await as(aksel.plant('a token of nobody'), /Unauthorized|must be logged in/)
  await as(`planta.${parts.bootstrap}`, /system:bootstrap:planta/)
  const token = (await aksel.kubectl(`-n ${namespace} create token default`)).trim()
  parts.remember('a token that was asked for', token)
  await as(token, /system:serviceaccount:planted:default/)
  await as(`${token.slice(0, -4)}AAAA`, /Unauthorized|must be logged in/)
}

/** Secrets of Azure's kinds, in requests that Resource Manager refuses. */
async function resourceManager(aksel: Aksel): Promise<void> {
  const { clientId, subscriptionId, tenantId } = await connectionOf(aksel)
  const wrong = aksel.plant('the secret of a client')
  assert.match(
    await aksel.fails(['az', 'login', '--service-principal', '-u', clientId, '-p', wrong, '--tenant', tenantId]),
    /AADSTS7000215/,
  )
  const template = join(aksel.dataDir, 'template.json')
  const cluster = `/subscriptions/${subscriptionId}/resourceGroups/aksel/providers/Microsoft.ContainerService/managedClusters/planted`
  const properties = {
    servicePrincipalProfile: { clientId: 'a', secret: "[parameters('secret')]" },
    windowsProfile: { adminUsername: 'azureuser', adminPassword: aksel.plant('the password of an administrator') },
    agentPoolProfiles: [{ name: 'NOT A NAME', count: 1, vmSize: 'Standard_D2s_v3', mode: 'System' }],
  }
  await writeFile(
    template,
    JSON.stringify({
      $schema: 'https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#',
      contentVersion: '1.0.0.0',
      parameters: { secret: { type: 'securestring' } },
      resources: [
        {
          type: 'Microsoft.ContainerService/managedClusters',
          apiVersion: '2025-01-01',
          name: cluster.split('/').at(-1),
          location: 'eastus',
          properties,
        },
      ],
    }),
  )
  const parameter = `secret=${aksel.plant('the secret of a service principal')}`
  const deploy = ['az', 'deployment', 'group', 'create', '-g', 'aksel', '-n', 'planted', '--template-file', template]
  await aksel.fails([...deploy, '--parameters', parameter])
  const { stdout } = await aksel.run(['az', 'deployment', 'group', 'show', '-g', 'aksel', '-n', 'planted'])
  assert.ok(!stdout.includes(parameter.slice('secret='.length)), 'a deployment shows the value of a securestring')
}

/** A leak of a story's own making is found wherever it is made: who finds none otherwise has looked. */
export async function assertLeaksAreFound(aksel: Aksel, { runs }: { readonly runs: boolean }): Promise<void> {
  const logs = new Set((await logFiles(aksel.dataDir)).map((path) => path.split('/').at(-1)))
  for (const log of ['log.jsonl', 'audit.jsonl', ...(runs ? ['agent.log', 'containerd.log'] : [])])
    assert.ok(logs.has(log), `${log} is not among ${[...logs].join()}`)
  const value = aksel.plant('a leak')
  await aksel.fails(['kubectl', 'get', 'configmap', value])
  const event = {
    metadata: { generateName: 'leak-', namespace: 'default' },
    involvedObject: { kind: 'Namespace', name: 'default', namespace: 'default' },
    message: `said ${value}`,
    reason: 'Leak',
  }
  await aksel.kubectl('create --raw /api/v1/namespaces/default/events -f -', {
    input: JSON.stringify({ apiVersion: 'v1', kind: 'Event', ...event }),
  })
  const wanted = ['audit.jsonl', 'errors of commands', 'events']
  const placesOf = (leaks: readonly Leak[]): readonly string[] =>
    [
      ...new Set(leaks.filter(({ secret }) => secret === 'a leak').map(({ where }) => where.split('/').at(-1)!)),
    ].toSorted()
  // A line of the audit log is written in its time.
  let places: readonly string[] = []
  for (const endMs = Date.now() + 20_000; places.join() !== wanted.join() && Date.now() < endMs;)
    places = placesOf(await aksel.leaks())
  assert.deepEqual(places, wanted)
  aksel.planted.delete('a leak')
}
