// Actions of our own on clusters: files, copies, and what is shown of a cluster whose control plane does not run.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ClusterArchives } from '@aksel/provider/cluster-archives'
import { openFrontDoor, subscriptionId, type OpenedFrontDoor } from './testing/opened-front-door.ts'

const group = `/subscriptions/${subscriptionId}/resourcegroups/rg`
const clusters = `${group}/providers/Microsoft.ContainerService/managedClusters`
const system = { name: 'system', mode: 'System', count: 2 }

interface Opened extends AsyncDisposable {
  readonly door: OpenedFrontDoor
  /** What the engine was asked for. */
  readonly asked: readonly string[]
}

async function open(): Promise<Opened> {
  const asked: string[] = []
  const late: { door?: OpenedFrontDoor } = {}
  const archives: ClusterArchives = {
    snapshot: async (_scope, id, path) => {
      asked.push(`snapshot ${id.split('/').at(-1)} ${path}`)
      return { objects: 3, revision: 7, sizeBytes: 100 }
    },
    readArchive: async (path) => {
      if (path.includes('bad')) throw new Error(`Cannot read the archive ${path}: it is damaged at byte 1 of 2`)
      const cluster = {
        name: 'c1',
        kubernetesVersion: '1.34.3',
        serviceCidr: '10.9.0.0/16',
        dnsServiceIp: '10.9.0.10',
      }
      return { objects: 3, revision: 7, sizeBytes: 100, cluster }
    },
    restore: (scope, spec, path) => {
      asked.push(`restore ${spec.name} ${path} ${spec.serviceCidr} ${spec.dnsServiceIp}`)
      return late.door!.engine.create(scope, spec)
    },
    fork: (scope, id, spec, { clockOffsetMs } = {}) => {
      asked.push(`fork ${id.split('/').at(-1)} ${spec.name} ${clockOffsetMs} ${spec.fabricAddress}`)
      return late.door!.engine.create(scope, spec)
    },
  }
  const door = await openFrontDoor({ archives })
  late.door = door
  await door.call('PUT', group, { body: { location: 'eastus' } })
  const properties = { dnsPrefix: 'c1', agentPoolProfiles: [system] }
  assert.equal((await door.call('PUT', `${clusters}/c1`, { body: { location: 'eastus', properties } })).status, 201)
  await door.door.idle()
  return { door, asked, [Symbol.asyncDispose]: () => door[Symbol.asyncDispose]() }
}

test('a snapshot is written to an absolute path, and over a file only when that is said', async () => {
  await using opened = await open()
  const { door, asked } = opened
  const snapshot = (body: object) => door.call('POST', `${clusters}/c1/akselSnapshot`, { body })
  const made = await snapshot({ file: '/tmp/no-such-aksel-archive' })
  assert.deepEqual(
    [made.status, made.body],
    [200, { file: '/tmp/no-such-aksel-archive', objects: 3, revision: 7, sizeBytes: 100 }],
  )
  assert.equal((await snapshot({ file: 'relative' })).status, 400)
  const refused = await snapshot({ file: import.meta.filename })
  assert.deepEqual([refused.status, refused.body?.['code']], [409, 'FileExists'])
  assert.equal((await snapshot({ file: import.meta.filename, replace: true })).status, 200)
  assert.equal(asked.length, 2)
})

test('a fork has its own names, simulated machines of the same names, and no address of the fabric', async () => {
  await using opened = await open()
  const { door, asked } = opened
  const fork = (body: object) => door.call('POST', `${clusters}/c1/akselFork`, { body })
  assert.equal((await fork({ name: 'c1' })).status, 409)
  assert.equal((await fork({ name: 'twin', clockAheadSeconds: -1 })).status, 400)
  const begun = await fork({ name: 'twin', clockAheadSeconds: 60 })
  assert.equal(begun.status, 201, begun.text)
  const ended = await door.call('GET', String(begun.headers['azure-asyncoperation']))
  assert.equal(ended.body?.['status'], 'Succeeded', ended.text)
  assert.deepEqual(asked, ['fork c1 twin 60000 undefined'])
  const namesOf = (simulated: boolean, cluster: string): readonly string[] =>
    door
      .machines(simulated)
      .list()
      .filter(({ clusterId }) => clusterId.endsWith(`/${cluster}`))
      .map(({ name }) => name)
  assert.equal(namesOf(true, 'twin').length, 2)
  assert.deepEqual(namesOf(true, 'twin').toSorted(), namesOf(false, 'c1').toSorted())
  const body = (await door.call('GET', `${clusters}/twin`)).body as unknown as {
    readonly tags: object
    readonly properties: { readonly nodeResourceGroup: string }
  }
  assert.deepEqual(body.tags, { 'aksel.simulated': 'true' })
  assert.match(body.properties.nodeResourceGroup, /^MC_rg_twin_/)
})

test('a cluster is restored with the version and the service range of its file; a file that is damaged makes none', async () => {
  await using opened = await open()
  const { door, asked } = opened
  const restore = (name: string, file: string) =>
    door.call('POST', `${clusters}/${name}/akselRestore`, {
      body: { file, location: 'eastus', properties: { dnsPrefix: name, agentPoolProfiles: [system] } },
    })
  const bad = await restore('c2', '/bad')
  assert.deepEqual([bad.status, bad.body?.['code']], [400, 'ArchiveNotReadable'])
  assert.equal((await door.call('GET', `${clusters}/c2`)).status, 404)
  assert.equal((await restore('c1', '/good')).body?.['code'], 'ClusterExists')
  const begun = await restore('c2', '/good')
  assert.equal(begun.status, 201, begun.text)
  await door.door.idle()
  assert.deepEqual(asked, ['restore c2 /good 10.9.0.0/16 10.9.0.10'])
})

test('a cluster whose control plane does not run is shown as Failed, with the reason, until it does', async () => {
  await using opened = await open()
  const { door } = opened
  const { engine } = door
  const shown = async () => (await door.call('GET', `${clusters}/c1`)).body?.['properties'] as unknown as Shown
  assert.equal((await shown()).provisioningState, 'Succeeded')
  const status = engine.status.bind(engine)
  engine.status = (id) => ({ ...status(id)!, failure: 'its store is damaged' })
  const failed = await shown()
  assert.equal(failed.provisioningState, 'Failed')
  assert.deepEqual(failed.status.provisioningError, { code: 'ControlPlaneNotRunning', message: 'its store is damaged' })
  engine.status = status
  assert.equal((await shown()).provisioningState, 'Succeeded')
})

interface Shown {
  readonly provisioningState: string
  readonly status: { readonly provisioningError: object }
}
