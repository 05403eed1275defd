// `down` keeps what people made: `up` brings cluster, nodes, pods, addresses and the data on disks back.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Aksel } from './aksel.ts'
import { hostState } from './host-state.ts'

let aksel: Aksel

before(async () => {
  aksel = await Aksel.inNewFolder()
})

after(async () => {
  await aksel[Symbol.asyncDispose]()
})

interface Pod {
  readonly metadata: { readonly name: string; readonly uid: string }
  readonly spec: { readonly nodeName: string }
  readonly status: { readonly containerStatuses: readonly { readonly restartCount: number }[] }
}

const podsOfShop = async (): Promise<readonly Pod[]> =>
  (await aksel.json<{ items: readonly Pod[] }>('get pods')).items.toSorted((left, right) =>
    left.metadata.name < right.metadata.name ? -1 : 1,
  )

async function shopIsReady(): Promise<void> {
  await aksel.kubectl('rollout status statefulset/shop-store --timeout=60s')
  await aksel.kubectl('rollout status deployment/shop-api --timeout=60s')
  await aksel.kubectl('rollout status deployment/shop-front --timeout=60s')
}

const publicAddress = async (): Promise<string> => {
  await aksel.kubectl('wait service/shop-front --for=jsonpath={.status.loadBalancer.ingress[0].ip} --timeout=30s')
  return aksel.kubectl('get service shop-front -o jsonpath={.status.loadBalancer.ingress[0].ip}')
}

const orders = async (address: string, order?: string): Promise<string> => {
  const response = await fetch(`http://${address}/`, {
    signal: AbortSignal.timeout(10_000),
    ...(order === undefined ? {} : { method: 'POST', body: `item=${order}` }),
  })
  return /Orders: <b>(\d+)</.exec(await response.text())?.[1] ?? `status ${response.status}`
}

test('down leaves nothing on the host but data, and up brings everything back', { timeout: 180_000 }, async () => {
  const untouched = await hostState()
  await aksel.ok(['up', '--nodes', '2'], { timeoutMs: 60_000 })
  await aksel.kubectl('apply -f examples/store/manifests')
  await shopIsReady()
  const address = await publicAddress()
  assert.equal(await orders(address, 'tea'), '1')
  const nodes = await aksel.kubectl('get nodes -o custom-columns=N:.metadata.name,U:.metadata.uid,A:.status.addresses')
  const pods = await podsOfShop()

  await aksel.ok(['down'])
  assert.deepEqual(await hostState(), untouched)
  assert.match(await aksel.ok(['status']), /Server +[Ss]topped/)

  await aksel.ok(['up'], { timeoutMs: 60_000 })
  await podsHaveRestarted(pods.length)
  await shopIsReady()
  assert.equal(
    await aksel.kubectl('get nodes -o custom-columns=N:.metadata.name,U:.metadata.uid,A:.status.addresses'),
    nodes,
  )
  assert.deepEqual(
    (await podsOfShop()).map(({ metadata, spec }) => [metadata.name, metadata.uid, spec.nodeName]),
    pods.map(({ metadata, spec }) => [metadata.name, metadata.uid, spec.nodeName]),
  )
  assert.equal(await publicAddress(), address)
  assert.equal(await orders(address), '1')
  assert.equal(await orders(address, 'coffee'), '2')
})

/** Until the agents have looked, pods seem to run as they did before; each container is started once more. */
async function podsHaveRestarted(count: number): Promise<void> {
  await aksel.kubectl([
    'wait',
    'pods',
    '--all',
    '--for=jsonpath={.status.containerStatuses[0].restartCount}=1',
    '--timeout=60s',
  ])
  assert.equal((await podsOfShop()).length, count)
}

test('a second down does nothing, and purge after down removes the data', { timeout: 60_000 }, async () => {
  await aksel.ok(['down'])
  await aksel.ok(['down'])
  await aksel.ok(['down', '--purge'])
  assert.match(await aksel.ok(['down', '--purge']), /Nothing to stop: there is no data/)
})
