// What every cluster engine promises, as tests. An engine's own test calls this with a way to open one.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { configMaps } from '@aksel/api/resources'
import { isReason } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import type { ClusterEngine, ControlPlaneSpec } from './cluster-engine.ts'

/** An engine without clusters; the suite disposes it. */
export interface OpenedEngine extends AsyncDisposable {
  readonly scope: Scope
  readonly engine: ClusterEngine
}

const spec = (name: string): ControlPlaneSpec => ({
  id: `/subscriptions/s/resourcegroups/g/providers/microsoft.containerservice/managedclusters/${name}`,
  name,
  kubernetesVersion: '1.35.7',
  serviceCidr: '10.0.0.0/16',
  dnsServiceIp: '10.0.0.10',
  fqdn: `${name}-1.hcp.eastus.azmk8s.io`,
})

export function clusterEngineContract(name: string, open: () => Promise<OpenedEngine>): void {
  describe(`the ${name} cluster engine keeps the contract`, () => {
    creation(open)
    lifetime(open)
    credentials(open)
    authentication(open)
  })
}

function authentication(open: () => Promise<OpenedEngine>): void {
  test('external issuers are judged and put in force, twice if need be', async () => {
    await using opened = await open()
    const { engine, scope } = opened
    const { id } = spec('c1')
    await engine.create(scope, spec('c1'))
    const username = { expression: "'aks:jwt:' + claims.sub" }
    const of = (url: string) => ({ jwt: [{ issuer: { url, audiences: ['a'] }, claimMappings: { username } }] })
    assert.deepEqual(engine.authenticationFaults(id, of('https://issuer.example')), [])
    assert.equal(engine.authenticationFaults(id, of('http://faulty.example')).length, 1)
    await engine.configureAuthentication(scope, id, of('https://issuer.example'))
    await engine.configureAuthentication(scope, id, of('https://issuer.example'))
    await engine.configureAuthentication(scope, id, {})
    await assert.rejects(async () => engine.configureAuthentication(scope, 'nothing', {}))
  })
}

async function remember(engine: ClusterEngine, id: string, name: string): Promise<void> {
  const metadata = { name, namespace: 'default' }
  await engine.client(id).create(configMaps, { metadata, data: { remembered: name } })
}

async function remembers(engine: ClusterEngine, id: string, name: string): Promise<boolean> {
  try {
    return (await engine.client(id).get(configMaps, { name, namespace: 'default' })).data?.['remembered'] === name
  } catch (error) {
    if (isReason(error, 'NotFound')) return false
    throw error
  }
}

function creation(open: () => Promise<OpenedEngine>): void {
  test('an unknown cluster has no status', async () => {
    await using opened = await open()
    assert.equal(opened.engine.status('nothing'), undefined)
  })

  test('a created control plane runs, says where, and serves objects', async () => {
    await using opened = await open()
    const { engine, scope } = opened
    const status = await engine.create(scope, spec('c1'))
    assert.equal(status.state, 'Running')
    assert.equal(status.kubernetesVersion, '1.35.7')
    assert.match(status.localUrl, /^https:\/\//)
    assert.match(status.nodeUrl, /^https:\/\//)
    assert.match(status.certificateAuthority, /^-----BEGIN CERTIFICATE-----/)
    assert.deepEqual(engine.status(spec('c1').id), status)
    await remember(engine, spec('c1').id, 'kept')
    assert.equal(await remembers(engine, spec('c1').id, 'kept'), true)
  })

  test('creating it again changes nothing', async () => {
    await using opened = await open()
    const { engine, scope } = opened
    const first = await engine.create(scope, spec('c1'))
    await remember(engine, spec('c1').id, 'kept')
    assert.deepEqual(await engine.create(scope, spec('c1')), first)
    assert.equal(await remembers(engine, spec('c1').id, 'kept'), true)
  })

  test('two calls at once make one control plane', async () => {
    await using opened = await open()
    const { engine, scope } = opened
    const [left, right] = await Promise.all([engine.create(scope, spec('c1')), engine.create(scope, spec('c1'))])
    assert.deepEqual(left, right)
  })

  test('clusters do not see each other', async () => {
    await using opened = await open()
    const { engine, scope } = opened
    await engine.create(scope, spec('c1'))
    await engine.create(scope, spec('c2'))
    await remember(engine, spec('c1').id, 'kept')
    assert.equal(await remembers(engine, spec('c2').id, 'kept'), false)
    assert.notEqual(engine.status(spec('c1').id)?.localUrl, engine.status(spec('c2').id)?.localUrl)
  })
}

function lifetime(open: () => Promise<OpenedEngine>): void {
  test('a stopped control plane keeps its objects until it is started', async () => {
    await using opened = await open()
    const { engine, scope } = opened
    const before = await engine.create(scope, spec('c1'))
    await remember(engine, spec('c1').id, 'kept')
    await engine.stop(scope, spec('c1').id)
    assert.equal(engine.status(spec('c1').id)?.state, 'Stopped')
    const after = await engine.start(scope, spec('c1').id)
    assert.deepEqual([after.state, after.localUrl], ['Running', before.localUrl])
    assert.equal(await remembers(engine, spec('c1').id, 'kept'), true)
  })

  test('an upgraded control plane keeps its objects and its address, and upgrading it again changes nothing', async () => {
    await using opened = await open()
    const { engine, scope } = opened
    const { id } = spec('c1')
    const before = await engine.create(scope, { ...spec('c1'), kubernetesVersion: '1.34.10' })
    await remember(engine, id, 'kept')
    for (const version of ['1.35.7', '1.36.3', '1.36.3']) {
      const after = await engine.upgrade(scope, id, version)
      assert.deepEqual([after.state, after.kubernetesVersion, after.localUrl], ['Running', version, before.localUrl])
      assert.equal(await remembers(engine, id, 'kept'), true)
    }
    await engine.stop(scope, id)
    await engine.start(scope, id)
    assert.equal(engine.status(id)?.kubernetesVersion, '1.36.3')
    assert.deepEqual(engine.deprecatedUses(id), [])
    await assert.rejects(async () => engine.upgrade(scope, 'nothing', '1.36.3'))
  })

  test('keys are made anew once for each rotation: objects and address stay', async () => {
    await using opened = await open()
    const { engine, scope } = opened
    const { id } = spec('c1')
    const before = await engine.create(scope, spec('c1'))
    assert.deepEqual(before.rotations, { certificates: 0, signingKeys: 0 })
    await remember(engine, id, 'kept')
    const signing = { certificates: 0, signingKeys: 1 }
    const signed = await engine.rotateKeys(scope, id, signing)
    assert.deepEqual(signed, { ...before, rotations: signing }, 'the authority stays')
    const all = { certificates: 1, signingKeys: 1 }
    const renewed = await engine.rotateKeys(scope, id, all)
    assert.notEqual(renewed.certificateAuthority, before.certificateAuthority)
    const { certificateAuthority } = renewed
    assert.deepEqual(renewed, { ...before, rotations: all, certificateAuthority })
    assert.deepEqual(await engine.rotateKeys(scope, id, all), renewed)
    assert.equal(await remembers(engine, id, 'kept'), true)
    await engine.stop(scope, id)
    assert.deepEqual(await engine.start(scope, id), renewed)
    await assert.rejects(async () => engine.rotateKeys(scope, 'nothing', all))
  })

  test('access is restricted and opened again, and remembered over a stop', async () => {
    await using opened = await open()
    const { engine, scope } = opened
    const { id } = spec('c1')
    const before = await engine.create(scope, spec('c1'))
    assert.deepEqual(before.access, { private: false, authorizedRanges: [] })
    const access = { private: false, authorizedRanges: ['203.0.113.0/24'] }
    assert.deepEqual(await engine.restrictAccess(scope, id, access), { ...before, access })
    assert.deepEqual(await engine.restrictAccess(scope, id, access), { ...before, access })
    await engine.stop(scope, id)
    assert.deepEqual((await engine.start(scope, id)).access, access)
    assert.deepEqual(await engine.restrictAccess(scope, id, before.access), before)
    await assert.rejects(async () => engine.restrictAccess(scope, 'nothing', access))
  })

  test('identities of the directory are believed and no longer, and remembered over a stop', async () => {
    await using opened = await open()
    const { engine, scope } = opened
    const { id } = spec('c1')
    const before = await engine.create(scope, spec('c1'))
    assert.equal(before.entra, undefined)
    const entra = { tenantId: 't', signIn: true, azureRbac: true, workloadIdentity: false }
    assert.deepEqual(await engine.configureEntra(scope, id, entra), { ...before, entra })
    assert.deepEqual(await engine.configureEntra(scope, id, entra), { ...before, entra })
    await engine.stop(scope, id)
    assert.deepEqual((await engine.start(scope, id)).entra, entra)
    assert.deepEqual(await engine.configureEntra(scope, id, undefined), before)
    await assert.rejects(async () => engine.configureEntra(scope, 'nothing', entra))
  })

  test('a deleted control plane is gone with its objects, and deleting it again is fine', async () => {
    await using opened = await open()
    const { engine, scope } = opened
    await engine.create(scope, spec('c1'))
    await remember(engine, spec('c1').id, 'kept')
    await engine.delete(scope, spec('c1').id)
    await engine.delete(scope, spec('c1').id)
    assert.equal(engine.status(spec('c1').id), undefined)
    await engine.create(scope, spec('c1'))
    assert.equal(await remembers(engine, spec('c1').id, 'kept'), false)
  })
}

function credentials(open: () => Promise<OpenedEngine>): void {
  test('kubeconfigs name the cluster and its address', async () => {
    await using opened = await open()
    const { engine, scope } = opened
    const { localUrl } = await engine.create(scope, spec('c1'))
    for (const role of ['admin', 'user'] as const) {
      const text = await engine.kubeconfig(spec('c1').id, role)
      assert.ok(text.includes(localUrl), text)
      assert.match(text, /name: c1\b/)
      assert.match(text, /certificate-authority-data/)
    }
  })

  test('a node gets a kubeconfig and a serving certificate of its own', async () => {
    await using opened = await open()
    const { engine, scope } = opened
    await engine.create(scope, spec('c1'))
    const node = { name: 'aks-nodepool1-12345678-vmss000000', addresses: ['10.224.0.4'] }
    const made = await engine.nodeCredentials(spec('c1').id, node)
    assert.match(made.kubeconfig, /token: "?[a-z0-9]{6}\.[a-z0-9]{16}"?\n/)
    assert.doesNotMatch(made.kubeconfig, /client-certificate-data/)
  })

  test('credentials of an unknown cluster are refused', async () => {
    await using opened = await open()
    await assert.rejects(async () => opened.engine.kubeconfig('nothing', 'admin'))
    await assert.rejects(async () => opened.engine.nodeCredentials('nothing', { name: 'n', addresses: [] }))
  })
}
