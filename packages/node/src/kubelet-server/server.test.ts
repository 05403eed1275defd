// Who gets an answer at the kubelet's port: certificates, tokens, nobody; and what each may.

import assert from 'node:assert/strict'
import { request } from 'node:https'
import { test } from 'node:test'
import { ApiError } from '@aksel/base/errors'
import { systemClock } from '@aksel/base/clock'
import { systemRandom } from '@aksel/base/ids'
import { silentLog } from '@aksel/base/log'
import type { Client } from '@aksel/client/client'
import { createAuthority, issue, type KeyPair } from '@aksel/runtime/pki'
import { attributesOf } from './attributes.ts'
import { delegation, type Delegation } from './delegation.ts'
import { openKubeletServer } from './server.ts'

const scope = { clock: systemClock(), random: systemRandom(), log: silentLog(), signal: new AbortController().signal }

test('attributesOf() maps paths to subresources of nodes, as upstream', () => {
  const of = (method: string, path: string): string => {
    const { verb, subresources } = attributesOf(method, path)
    return `${verb} ${subresources.join('|')}`
  }
  assert.deepEqual(
    [
      of('GET', '/metrics/cadvisor'),
      of('GET', '/stats/summary'),
      of('GET', '/logs/syslog'),
      of('GET', '/pods'),
      of('GET', '/healthz'),
      of('GET', '/configz'),
      of('GET', '/metricsx'),
      of('GET', '/containerLogs/a/b/c'),
      of('POST', '/exec/a/b/c'),
      of('BREW', '/pods'),
    ],
    [
      'get metrics',
      'get stats',
      'get log',
      'get pods|proxy',
      'get healthz|proxy',
      'get configz|proxy',
      'get proxy',
      'get proxy',
      'create proxy',
      ' pods|proxy',
    ],
  )
})

interface Asked {
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly method?: string
  readonly identity?: KeyPair
}

test('the port answers whom the cluster lets, by certificate or token, and tells the others why not', async () => {
  const authority = await createAuthority(scope, { commonName: 'ca', years: 1 })
  const foreign = await createAuthority(scope, { commonName: 'ca', years: 1 })
  const own = await issue(scope, authority, {
    commonName: 'node',
    usages: ['server'],
    dnsNames: ['n1'],
    ipAddresses: ['127.0.0.1'],
    days: 1,
  })
  const second = await issue(scope, authority, {
    commonName: 'second',
    usages: ['server'],
    dnsNames: ['n1'],
    ipAddresses: ['127.0.0.1'],
    days: 1,
  })
  const clientOf = (from: KeyPair, commonName: string): Promise<KeyPair> =>
    issue(scope, from, { commonName, organizations: ['ops'], usages: ['client'], days: 1 })
  const may: Delegation = {
    authenticate: async (token) => (token === 'good' ? { username: 'scraper', groups: ['g'] } : undefined),
    authorize: async ({ username, groups }, { subresources }) =>
      (username === 'anna' && groups.includes('ops') && groups.includes('system:authenticated')) ||
      (username === 'scraper' && subresources[0] === 'metrics'),
  }
  await using server = await openKubeletServer(scope, {
    host: '127.0.0.1',
    port: 0,
    certificate: { certPem: own.certificatePem, keyPem: own.keyPem },
    clientAuthority: authority.certificatePem,
    delegation: may,
    handler: async (_scope, call) => {
      if (call.path === '/gone') throw new ApiError('NotFound', 'not here')
      call.respond(200, { 'content-type': 'text/plain' })
      call.stream.end(`${call.path} ${call.query.get('q') ?? ''}`)
    },
  })
  let served = ''
  const ask = ({ path, headers = {}, method = 'GET', identity }: Asked): Promise<string> =>
    new Promise((resolve, reject) => {
      const asked = request({
        host: '127.0.0.1',
        port: server.port,
        path,
        method,
        headers,
        agent: false,
        ca: authority.certificatePem,
        ...(identity === undefined ? {} : { cert: identity.certificatePem, key: identity.keyPem }),
      })
      asked.on('error', reject)
      asked.on('response', (answer) => {
        served = (
          answer.socket as unknown as { getPeerCertificate(): { subject: { CN: string } } }
        ).getPeerCertificate().subject.CN
        const chunks: Buffer[] = []
        answer.on('data', (chunk: Buffer) => chunks.push(chunk))
        answer.on('end', () => resolve(`${answer.statusCode} ${Buffer.concat(chunks).toString().trim()}`))
      })
      asked.end()
    })
  const token = (text: string): Readonly<Record<string, string>> => ({ authorization: `Bearer ${text}` })
  const anna = await clientOf(authority, 'anna')
  assert.equal(await ask({ path: '/pods?q=1', identity: anna }), '200 /pods 1')
  assert.equal(served, 'node')
  assert.equal(await ask({ path: '/metrics/cadvisor', headers: token('good') }), '200 /metrics/cadvisor')
  assert.equal(
    await ask({ path: '/pods', headers: token('good') }),
    '403 Forbidden (user=scraper, verb=get, resource=nodes, subresource(s)=[pods proxy])',
  )
  assert.equal(await ask({ path: '/metrics' }), '401 Unauthorized')
  assert.equal(await ask({ path: '/metrics', headers: token('bad') }), '401 Unauthorized')
  assert.equal(await ask({ path: '/metrics', identity: await clientOf(foreign, 'anna') }), '401 Unauthorized')
  assert.equal(await ask({ path: '/gone', identity: anna }), '404 not here')
  assert.equal(
    await ask({ path: '/exec/a/b/c?output=1', method: 'POST', identity: anna }),
    '400 Upgrade request required',
  )
  assert.equal(
    await ask({ path: '/dial?host=10.0.0.1&port=1', method: 'POST', identity: anna }),
    '404 404 page not found',
  )
  assert.match(await ask({ path: '/pods', method: 'DELETE', identity: anna }), /^405 /)
  server.useCertificate({ certPem: second.certificatePem, keyPem: second.keyPem })
  await ask({ path: '/metrics', headers: token('good') })
  assert.equal(served, 'second', 'a renewed certificate is served without a restart')
})

test('delegation() asks the cluster by reviews, and remembers what it said', async () => {
  const sent: string[] = []
  const answer = (status: object): object => ({
    status: 201,
    headers: {},
    body: [Buffer.from(JSON.stringify({ status }))],
  })
  const client = {
    send: async ({ path, body }: { path: string; body: Buffer }) => {
      const { spec } = JSON.parse(body.toString()) as {
        spec: { token?: string; user?: string; resourceAttributes?: object }
      }
      sent.push(`${path.split('/').at(-1)} ${JSON.stringify(spec)}`)
      if (spec.token !== undefined)
        return answer(
          spec.token === 'good'
            ? { authenticated: true, user: { username: 'u', groups: ['g'] } }
            : { authenticated: false },
        )
      return answer({ allowed: (spec.resourceAttributes as { subresource: string }).subresource === 'proxy' })
    },
  } as unknown as Client
  const asked = delegation(scope, client, 'n1')
  const user = await asked.authenticate('good')
  assert.deepEqual(user, { username: 'u', groups: ['g'] })
  assert.deepEqual(await asked.authenticate('good'), user)
  assert.equal(await asked.authenticate('bad'), undefined)
  assert.equal(await asked.authorize(user!, { verb: 'get', subresources: ['pods', 'proxy'] }), true)
  assert.equal(await asked.authorize(user!, { verb: 'get', subresources: ['pods', 'proxy'] }), true)
  assert.equal(await asked.authorize(user!, { verb: 'get', subresources: ['stats'] }), false)
  const reviewed = (subresource: string): string =>
    `subjectaccessreviews {"user":"u","groups":["g"],"resourceAttributes":{"verb":"get","version":"v1","resource":"nodes","subresource":"${subresource}","name":"n1"}}`
  assert.deepEqual(sent, [
    'tokenreviews {"token":"good"}',
    'tokenreviews {"token":"bad"}',
    reviewed('pods'),
    reviewed('proxy'),
    reviewed('stats'),
  ])
})
