// The story that everything hangs on: one command, a cluster of real nodes, the shop on it, and what its users do.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { request } from 'node:http'
import { Aksel, runProgram } from './aksel.ts'
import { hostState, type HostState } from './host-state.ts'

interface PodBody {
  readonly metadata: { readonly name: string; readonly uid: string }
  readonly spec: { readonly nodeName: string }
  readonly status: {
    readonly podIP: string
    readonly phase: string
    readonly containerStatuses: readonly { readonly containerID: string; readonly restartCount: number }[]
  }
}

interface ListBody<T> {
  readonly items: readonly T[]
}

let aksel: Aksel
let untouched: HostState

before(async () => {
  untouched = await hostState()
  aksel = await Aksel.inNewFolder()
})

after(async () => {
  await aksel[Symbol.asyncDispose]()
  assert.deepEqual(await hostState(), untouched, 'down --purge leaves the host as it was')
})

/** One request; resolves with status and body. */
function fetchText(
  url: string,
  options: { readonly method?: string; readonly body?: string } = {},
): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { method: options.method ?? 'GET', timeout: 10_000 }, (response) => {
      const pieces: Buffer[] = []
      response.on('data', (piece: Buffer) => pieces.push(piece))
      response.on('end', () => resolve({ status: response.statusCode!, body: Buffer.concat(pieces).toString() }))
    })
    outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer from ${url} within 10 s`)))
    outgoing.on('error', reject)
    outgoing.end(options.body)
  })
}

test('up ends with Ready nodes', { timeout: 180_000 }, async () => {
  const result = JSON.parse(await aksel.ok(['up', '--nodes', '2', '-o', 'json'], { timeoutMs: 170_000 })) as {
    changed: boolean
    nodes: number
    simulated: boolean
  }
  assert.deepEqual(
    { changed: result.changed, nodes: result.nodes, simulated: result.simulated },
    { changed: true, nodes: 2, simulated: false },
  )
  const nodes = await aksel.kubectl('get nodes -o wide')
  assert.match(
    nodes,
    /^NAME +STATUS +ROLES +AGE +VERSION +INTERNAL-IP +EXTERNAL-IP +OS-IMAGE +KERNEL-VERSION +CONTAINER-RUNTIME\n/,
  )
  assert.equal(
    nodes.match(
      /aks-nodepool1-\d{8}-vmss00000\d +Ready +<none> +\S+ +v1\.35\.\d+ +10\.224\.0\.\d+ .* containerd:\/\/1\.\d+\.\d+/g,
    )?.length,
    2,
    nodes,
  )
})

test('a second up changes nothing', { timeout: 60_000 }, async () => {
  const before = await aksel.json<ListBody<PodBody>>('get nodes')
  const result = JSON.parse(await aksel.ok(['up', '-o', 'json'])) as { changed: boolean }
  assert.equal(result.changed, false)
  const afterwards = await aksel.json<ListBody<PodBody>>('get nodes')
  assert.deepEqual(
    afterwards.items.map(({ metadata }) => metadata.uid),
    before.items.map(({ metadata }) => metadata.uid),
  )
})

test('the shop runs and its page comes through front end, API and store', { timeout: 180_000 }, async () => {
  await aksel.kubectl('apply -f examples/store/manifests')
  await aksel.kubectl('rollout status deployment/shop-front --timeout=90s')
  await aksel.kubectl('rollout status deployment/shop-api --timeout=60s')
  await aksel.kubectl('rollout status statefulset/shop-store --timeout=60s')
  const pods = await aksel.kubectl('get pods -o wide')
  assert.equal(pods.match(/1\/1 +Running +0 +\S+ +10\.244\.\d+\.\d+ +aks-nodepool1/g)?.length, 5, pods)
  await aksel.kubectl('wait service/shop-front --for=jsonpath={.status.loadBalancer.ingress[0].ip} --timeout=30s')
  const page = await fetchText(`http://${await publicAddress()}/`)
  assert.equal(page.status, 200, page.body)
  assert.match(page.body, /The corner shop/)
  assert.match(page.body, /store shop-store-0/)
  assert.match(await aksel.kubectl('get pvc'), /data-shop-store-0 +Bound +pvc-\S+ +1Gi +RWO +default/)
})

async function publicAddress(): Promise<string> {
  return aksel.kubectl('get service shop-front -o jsonpath={.status.loadBalancer.ingress[0].ip}')
}

async function orderCount(): Promise<number> {
  const page = await fetchText(`http://${await publicAddress()}/`)
  return Number(/Orders: <b>(\d+)</.exec(page.body)?.[1])
}

test("the store's data survives its pod", { timeout: 120_000 }, async () => {
  const address = await publicAddress()
  await fetchText(`http://${address}/`, { method: 'POST', body: 'item=tea' })
  await fetchText(`http://${address}/`, { method: 'POST', body: 'item=coffee' })
  assert.equal(await orderCount(), 2)
  const uid = await aksel.kubectl('get pod shop-store-0 -o jsonpath={.metadata.uid}')
  await aksel.kubectl('delete pod shop-store-0 --timeout=60s')
  await aksel.kubectl('rollout status statefulset/shop-store --timeout=60s')
  assert.notEqual(await aksel.kubectl('get pod shop-store-0 -o jsonpath={.metadata.uid}'), uid)
  await aksel.kubectl('wait pod/shop-store-0 --for=condition=Ready --timeout=60s')
  assert.equal(await orderCount(), 2)
})

test('logs -f, exec -it and port-forward do what they do on AKS', { timeout: 120_000 }, async () => {
  await using logs = aksel.start(['kubectl', 'logs', '-f', 'shop-store-0'])
  await logs.says(/found 2 orders/)
  await fetchText(`http://${await publicAddress()}/`, { method: 'POST', body: 'item=cocoa' })
  await logs.says(/order 3: cocoa/)
  assert.equal(await aksel.kubectl(['exec', 'shop-store-0', '--', 'sh', '-c', 'wc -l < /data/orders']), '3\n')
  assert.equal(
    await aksel.kubectl(['exec', '-i', 'shop-store-0', '--', 'cat'], { input: 'through and back' }),
    'through and back',
  )
  assert.match(
    await aksel.fails(['kubectl', 'exec', 'shop-store-0', '--', 'sh', '-c', 'exit 7']),
    /command terminated with exit code 7/,
  )
  await using terminal = aksel.start(['kubectl', 'exec', '-i', 'shop-store-0', '--', 'sh'])
  terminal.write('echo "answer $((6 * 7))"\n')
  await terminal.says(/answer 42/)
  await using forward = aksel.start(['kubectl', 'port-forward', 'service/shop-front', ':80'])
  const port = /127\.0\.0\.1:(\d+)/.exec(await forward.says(/Forwarding from 127\.0\.0\.1:\d+/))![1]
  assert.match((await fetchText(`http://127.0.0.1:${port}/`)).body, /The corner shop/)
})

test('scale, rollout restart and undo, and delete pod', { timeout: 180_000 }, async () => {
  await aksel.kubectl('scale deployment/shop-api --replicas=3')
  await aksel.kubectl('rollout status deployment/shop-api --timeout=60s')
  await aksel.kubectl('rollout restart deployment/shop-api')
  await aksel.kubectl('rollout status deployment/shop-api --timeout=90s')
  await aksel.kubectl('set image deployment/shop-api api=docker.io/aksel/none:1.0')
  await aksel.kubectl('rollout undo deployment/shop-api')
  await aksel.kubectl('rollout status deployment/shop-api --timeout=90s')
  assert.match(
    await aksel.kubectl('get deployment shop-api -o jsonpath={.spec.template.spec.containers[0].image}'),
    /shop-api:1\.0/,
  )
  const [first] = (await aksel.json<ListBody<PodBody>>('get pods -l app=shop-api')).items
  await aksel.kubectl(`delete pod ${first!.metadata.name} --timeout=60s`)
  await aksel.kubectl('rollout status deployment/shop-api --timeout=60s')
  assert.equal(
    (await aksel.json<ListBody<PodBody>>('get pods -l app=shop-api --field-selector=status.phase=Running')).items
      .length >= 3,
    true,
  )
})

test('pods reach pods on other nodes, and services by name', { timeout: 120_000 }, async () => {
  const { items } = await aksel.json<ListBody<PodBody>>('get pods -l app=shop-front')
  const store = await aksel.json<PodBody>('get pod shop-store-0')
  const elsewhere = items.find(({ spec }) => spec.nodeName !== store.spec.nodeName) ?? items[0]!
  const fetchFrom = (url: string): Promise<string> =>
    aksel.kubectl(['exec', elsewhere.metadata.name, '--', 'timeout', '5', 'wget', '-q', '-O', '-', url])
  assert.notEqual(elsewhere.spec.nodeName, store.spec.nodeName, 'the pods stand on two nodes')
  assert.equal(await fetchFrom(`http://${store.status.podIP}:8080/healthz`), 'ok\n')
  assert.equal(await fetchFrom('http://shop-api:8080/healthz'), 'ok\n')
  assert.equal(await fetchFrom('http://shop-store-0.shop-store.default.svc.cluster.local:8080/healthz'), 'ok\n')
})

test('bad input gets the words that Kubernetes gives, and nothing is made', { timeout: 60_000 }, async () => {
  const apply = (manifest: string): Promise<string> => aksel.fails(['kubectl', 'apply', '-f', '-'], { input: manifest })
  assert.match(
    await apply('apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bad}\nspec: {}\n'),
    /strict decoding error: unknown field "spec"/,
  )
  assert.match(
    await apply('apiVersion: apps/v9\nkind: Deployment\nmetadata: {name: bad}\n'),
    /no matches for kind "Deployment" in version "apps\/v9"/,
  )
  assert.match(
    await apply('apiVersion: v1\nkind: ConfigMap\nmetadata: {name: Bad_Name}\n'),
    /metadata\.name: Invalid value: "Bad_Name": a lowercase RFC 1123 subdomain must consist of/,
  )
  assert.match(
    await apply('apiVersion: v1\nkind: Pod\nmetadata: {name: bad}\nspec: {containers: []}\n'),
    /spec\.containers: Required value/,
  )
  assert.match(await apply('{"kind": "ConfigMap"'), /error (parsing|converting)/)
  assert.match(
    await aksel.fails(['kubectl', 'get', 'pod', 'none']),
    /Error from server \(NotFound\): pods "none" not found/,
  )
  assert.match(
    await aksel.fails([
      'kubectl',
      '--token=wrong',
      '--kubeconfig=/dev/null',
      '--server',
      await serverUrl(),
      '--insecure-skip-tls-verify',
      'get',
      'pods',
    ]),
    /Unauthorized|must be logged in/,
  )
  assert.match(await aksel.fails(['kubectl', 'get', 'configmap', 'bad']), /not found/)
})

async function serverUrl(): Promise<string> {
  return aksel.kubectl('config view --minify -o jsonpath={.clusters[0].cluster.server}')
}

test('a killed agent comes back and its containers never stopped', { timeout: 120_000 }, async () => {
  const before = await aksel.json<PodBody>('get pod shop-store-0')
  const agents = (await runProgram(['pgrep', '-f', `${aksel.dataDir}/machines/.*/agent.json`])).stdout
    .trim()
    .split('\n')
    .map(Number)
  for (const pid of agents) if (await isNode(pid)) process.kill(pid, 'SIGKILL')
  // The kernel goes on carrying packets; names are answered again once the agent is back.
  assert.equal((await fetchText(`http://${await publicAddress()}/healthz`)).body, 'ok\n')
  assert.equal(
    await aksel.kubectl(['exec', 'shop-store-0', '--', 'sh', '-c', 'wc -l < /data/orders'], { timeoutMs: 60_000 }),
    '3\n',
  )
  await fetchText(`http://${await publicAddress()}/`, { method: 'POST', body: 'item=tea' })
  assert.equal(await orderCount(), 4)
  const afterwards = await aksel.json<PodBody>('get pod shop-store-0')
  assert.deepEqual(
    afterwards.status.containerStatuses.map(({ containerID }) => containerID),
    before.status.containerStatuses.map(({ containerID }) => containerID),
  )
})

async function isNode(pid: number): Promise<boolean> {
  return (await runProgram(['readlink', `/proc/${pid}/exe`])).stdout.includes('node')
}

test('a killed server comes back with everything, and the containers never stopped', { timeout: 180_000 }, async () => {
  const before = await aksel.json<ListBody<PodBody>>('get pods')
  const address = await publicAddress()
  process.kill(await aksel.serverPid(), 'SIGKILL')
  // Nobody but the nodes and the kernel is left, and they need nobody.
  const page = await fetchText(`http://${address}/`)
  assert.equal(page.status, 200)
  await aksel.ok(['up'], { timeoutMs: 90_000 })
  const afterwards = await aksel.json<ListBody<PodBody>>('get pods')
  const ids = (list: ListBody<PodBody>): unknown =>
    list.items.flatMap(({ status }) => status.containerStatuses.map(({ containerID }) => containerID)).sort()
  assert.deepEqual(ids(afterwards), ids(before))
  assert.equal(await orderCount(), 4)
})

test('an autoscaler follows real load in real containers, up and down', { timeout: 480_000 }, async () => {
  await aksel.kubectl('apply -f tests/e2e/transcripts/burner.yaml')
  const wait = (what: string, wanted: string): Promise<string> =>
    aksel.kubectl(`wait ${what} --for=jsonpath=${wanted} --timeout=200s`, { timeoutMs: 210_000 })
  await wait('hpa/burner', '{.status.desiredReplicas}=3')
  await wait('deployment/burner', '{.status.readyReplicas}=3')
  // What it has now is told with its next look.
  await wait('hpa/burner', '{.status.currentReplicas}=3')
  assert.match(
    await aksel.kubectl('get hpa burner --no-headers'),
    /^burner +Deployment\/burner +cpu: \d+%\/50% +1 +3 +3 /,
  )
  await aksel.kubectl('scale deployment/caller --replicas=0')
  await wait('hpa/burner', '{.status.desiredReplicas}=1')
  await wait('deployment/burner', '{.status.replicas}=1')
  const told = await aksel.kubectl([
    ...'get events --field-selector involvedObject.kind=HorizontalPodAutoscaler,reason=SuccessfulRescale -o'.split(' '),
    'jsonpath={range .items[*]}{.message}{"\\n"}{end}',
  ])
  assert.match(told, /New size: 3; reason: cpu resource utilization \(percentage of request\) above target/)
  assert.match(told, /New size: 1; reason: All metrics below target/)
  await aksel.kubectl('delete -f tests/e2e/transcripts/burner.yaml')
})
