// The shop behind NetworkPolicies: what they let pass goes on, what they do not never arrives, whoever restarts meanwhile.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Aksel } from './aksel.ts'

let aksel: Aksel
before(async () => {
  aksel = await Aksel.inNewFolder()
})
after(() => aksel[Symbol.asyncDispose]())

interface Spec {
  readonly podSelector: object
  readonly policyTypes: readonly string[]
  readonly ingress?: readonly object[]
  readonly egress?: readonly object[]
}

const app = (name: string): object => ({ podSelector: { matchLabels: { app: name } } })
const dns = { namespaceSelector: {}, podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } } }

async function apply(policies: Readonly<Record<string, Spec>>): Promise<void> {
  const items = Object.entries(policies).map(([name, spec]) => ({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name },
    spec,
  }))
  await aksel.kubectl('apply -f -', { input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items }) })
}

const shell = (pod: string, script: string): Promise<string> => aksel.kubectl(['exec', pod, '--', 'sh', '-c', script])
/** Policies reach nodes a moment after the API has them: asked until it is so, for half a minute at most. */
async function becomes(pod: string, command: string, expected: 'open' | 'shut'): Promise<void> {
  const once = `timeout 3 sh -c '${command}' >/dev/null 2>&1 && echo open || echo shut`
  const loop = `end=$(($(date +%s)+30)); while a=$(${once}); [ "$a" != ${expected} ] && [ $(date +%s) -lt $end ]; do sleep 0.2; done; echo $a`
  assert.equal((await shell(pod, loop)).trim(), expected, `${pod}: ${command}`)
}
const get = (url: string): string => `wget -q -O - http://${url}`

async function podOf(name: string): Promise<{ readonly name: string; readonly ip: string }> {
  const list = await aksel.json<{
    items: readonly { metadata: { name: string }; status: { podIP: string } }[]
  }>(`get pods -l app=${name}`)
  const [first] = list.items
  return { name: first!.metadata.name, ip: first!.status.podIP }
}

test('the shop runs under policies that shut everything it does not need', { timeout: 240_000 }, async () => {
  await aksel.ok(['up', '--nodes', '2', '--network-policy', 'calico'], { timeoutMs: 170_000 })
  await aksel.kubectl('apply -f examples/store/manifests')
  await aksel.kubectl('rollout status deployment/shop-front --timeout=90s')
  await aksel.kubectl('rollout status statefulset/shop-store --timeout=90s')
  const [front, api, store] = await Promise.all(['shop-front', 'shop-api', 'shop-store'].map(podOf))
  await becomes(front!.name, get(`${store!.ip}:8080/healthz`), 'open')
  await apply({
    'deny-all': { podSelector: {}, policyTypes: ['Ingress', 'Egress'] },
    names: {
      podSelector: {},
      policyTypes: ['Egress'],
      egress: [{ to: [dns], ports: [{ protocol: 'UDP', port: 53 }] }],
    },
    front: {
      podSelector: { matchLabels: { app: 'shop-front' } },
      policyTypes: ['Ingress', 'Egress'],
      ingress: [{ ports: [{ port: 'http' }] }],
      egress: [{ to: [app('shop-api')], ports: [{ port: 'http' }] }],
    },
    api: {
      podSelector: { matchLabels: { app: 'shop-api' } },
      policyTypes: ['Ingress', 'Egress'],
      ingress: [{ from: [app('shop-front')] }],
      egress: [{ to: [app('shop-store')] }],
    },
    store: {
      podSelector: { matchLabels: { app: 'shop-store' } },
      policyTypes: ['Ingress'],
      ingress: [{ from: [app('shop-api')], ports: [{ port: 8080 }] }],
    },
  })
  await becomes(front!.name, get(`${store!.ip}:8080/healthz`), 'shut')
  await becomes(front!.name, get('shop-api:8080/healthz'), 'open')
  await becomes(api!.name, get('shop-store:8080/healthz'), 'open')
  await becomes(api!.name, get(`${front!.ip}:8080/healthz`), 'shut')
  await becomes(store!.name, get('shop-api:8080/healthz'), 'shut')
  const address = await aksel.kubectl('get service shop-front -o jsonpath={.status.loadBalancer.ingress[0].ip}')
  const page = await fetch(`http://${address}/`, { signal: AbortSignal.timeout(10_000) })
  assert.match(await page.text(), /The corner shop[^]*store shop-store-0/)
  // Probes come from the pod's own node and are never shut off.
  assert.match(await aksel.kubectl('get pods'), /(1\/1 +Running +0 [^]*){5}/)
})

test(
  'a pod that starts is shut off from its first packet, and names stay shut without a policy for them',
  { timeout: 120_000 },
  async () => {
    const { ip } = await podOf('shop-store')
    const overrides = JSON.stringify({ spec: { terminationGracePeriodSeconds: 0 } })
    // It tries from its first moment on, twenty times, and says whether one came through.
    const script = `i=0; while [ $i -lt 20 ]; do timeout 0.3 ${get(`${ip}:8080/healthz`)} && echo through; i=$((i+1)); done; echo done`
    const run = [
      'run',
      'early',
      '--image=docker.io/library/busybox:1.36',
      '--restart=Never',
      `--overrides=${overrides}`,
    ]
    await aksel.kubectl([...run, '--', 'sh', '-c', script])
    await aksel.kubectl('wait pod/early --for=jsonpath={.status.phase}=Succeeded --timeout=60s')
    const said = await aksel.kubectl('logs early')
    assert.match(said, /^done$/m)
    assert.doesNotMatch(said, /through/)
    await aksel.kubectl('delete networkpolicy names')
    const front = await podOf('shop-front')
    await becomes(front.name, get('shop-api:8080/healthz'), 'shut')
    await aksel.kubectl('delete networkpolicy --all')
    await becomes(front.name, get('shop-api:8080/healthz'), 'open')
    await becomes(front.name, get(`${ip}:8080/healthz`), 'open')
  },
)
