// External identity providers as resources: judged at once, in force when their operation ends, gone with their cluster.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openFrontDoor, subscriptionId, type OpenedFrontDoor } from './testing/opened-front-door.ts'

const group = `/subscriptions/${subscriptionId}/resourcegroups/rg`
const cluster = `${group}/providers/Microsoft.ContainerService/managedClusters/c1`
const all = `${cluster}/jwtAuthenticators`
const good = {
  issuer: { url: 'https://issuer.example', audiences: ['aksel'] },
  claimMappings: {
    username: { expression: "'aks:jwt:acme:' + claims.sub" },
    groups: { expression: "claims.groups.map(g, 'aks:jwt:' + g)" },
  },
}

async function withCluster(work: (opened: OpenedFrontDoor) => Promise<void>): Promise<void> {
  await using opened = await openFrontDoor()
  await opened.call('PUT', group, { body: { location: 'eastus' } })
  const properties = { dnsPrefix: 'c1', agentPoolProfiles: [{ name: 'system', mode: 'System', count: 1 }] }
  await opened.call('PUT', cluster, { body: { location: 'eastus', properties } })
  await opened.door.idle()
  await work(opened)
}

const put = (opened: OpenedFrontDoor, name: string, properties: object) =>
  opened.call('PUT', `${all}/${name}`, { body: { properties } })

test('authenticators are added, changed, listed and deleted, and the control plane believes what is there', () =>
  withCluster(async (opened) => {
    const inForce = () => opened.engine.authentication.get(cluster.toLowerCase())
    const created = await put(opened, 'acme', good)
    assert.equal(created.status, 201, created.text)
    assert.equal(
      (created.body!['properties'] as unknown as { provisioningState: string }).provisioningState,
      'Creating',
    )
    const status = await opened.call('GET', String(created.headers['azure-asyncoperation']), {
      headers: { prefer: 'wait=20' },
    })
    assert.equal(status.body?.['status'], 'Succeeded', status.text)
    const { body } = await opened.call('GET', `${all}/acme`)
    assert.deepEqual(body!['properties'], { ...good, provisioningState: 'Succeeded' })
    assert.equal(body!['type'], 'Microsoft.ContainerService/managedClusters/jwtAuthenticators')
    const [jwt] = inForce()!.jwt!
    assert.deepEqual([jwt!.issuer, jwt!.claimMappings], [good.issuer, good.claimMappings])
    assert.match(JSON.stringify(jwt!.userValidationRules), /user\.username\.startsWith\('aks:jwt:'\)/)

    const other = { ...good, issuer: { url: 'https://other.example', audiences: ['a', 'b'] } }
    assert.equal((await put(opened, 'zed', other)).status, 201)
    await opened.door.idle()
    assert.deepEqual(
      inForce()!.jwt!.map(({ issuer }) => issuer.audienceMatchPolicy),
      [undefined, 'MatchAny'],
    )
    assert.equal((await put(opened, 'zed', { ...other, userValidationRules: [{ expression: 'true' }] })).status, 200)
    await opened.door.idle()
    const listed = await opened.call('GET', all)
    assert.deepEqual(
      (listed.body!['value'] as unknown as { name: string }[]).map(({ name }) => name),
      ['acme', 'zed'],
    )

    const deleted = await opened.call('DELETE', `${all}/acme`)
    assert.equal(deleted.status, 202)
    await opened.door.idle()
    assert.equal((await opened.call('GET', `${all}/acme`)).status, 404)
    assert.equal((await opened.call('DELETE', `${all}/acme`)).status, 204)
    assert.equal(inForce()!.jwt!.length, 1)
    await opened.call('DELETE', cluster)
    await opened.door.idle()
    assert.equal((await opened.call('GET', `${all}/zed`)).status, 404)
    const properties = { dnsPrefix: 'c1', agentPoolProfiles: [{ name: 'system', mode: 'System', count: 1 }] }
    await opened.call('PUT', cluster, { body: { location: 'eastus', properties } })
    await opened.door.idle()
    assert.equal((await opened.call('GET', all)).text, '{"value":[]}', 'nothing of the old cluster is left')
  }))

test('what cannot be is refused at once, and nothing is kept', () =>
  withCluster(async (opened) => {
    const refused = async (name: string, properties: object): Promise<string> => {
      const { status, text } = await put(opened, name, properties)
      assert.equal(status, 400, text)
      return text
    }
    const issuer = (change: object): object => ({ ...good, issuer: { ...good.issuer, ...change } })
    assert.match(await refused('Acme', good), /JWT authenticator name 'Acme' must start with a lower-case letter/)
    assert.match(await refused('a', issuer({ url: undefined })), /properties\.issuer\.url/)
    assert.match(await refused('a', issuer({ audiences: [] })), /at least one audience is required/)
    assert.match(
      await refused('a', issuer({ url: 'https://sts.windows.net/t/' })),
      /Entra ID is not supported as issuer/,
    )
    assert.match(await refused('a', issuer({ audiences: 'x' })), /cannot unmarshal string into Go struct field/)
    assert.match(await refused('a', { ...good, claimMappings: {} }), /claimMappings\.username\.expression/)
    assert.match(
      await refused('a', issuer({ url: 'https://faulty.example' })),
      /The JWT authenticator is invalid: bad issuer/,
    )
    assert.equal((await opened.call('GET', all)).text, '{"value":[]}')
    assert.equal(
      (await opened.call('PUT', `${cluster}x/jwtAuthenticators/a`, { body: { properties: good } })).status,
      404,
    )
    assert.match((await opened.call('GET', `${all}/none`)).text, /ResourceNotFound/)
  }))

test('a stopped cluster takes no authenticator, as there is no control plane to believe it', () =>
  withCluster(async (opened) => {
    await opened.call('POST', `${cluster}/stop`)
    await opened.door.idle()
    const refused = await put(opened, 'acme', good)
    assert.deepEqual([refused.status, /is stopped/.test(refused.text)], [409, true], refused.text)
    assert.deepEqual((await opened.call('GET', all)).body!['value'], [])
  }))
