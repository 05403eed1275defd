// What lines of logs say, in the words of the programs that write them; and lines that say nothing.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { imageCause } from './detectors/images.ts'
import { causeInLog } from './detectors/log-causes.ts'
import { judgeLogin } from './login.ts'
import { emptyPicture } from './picture.ts'
import { parseSubject } from './subjects.ts'
import { editDistance, nearest } from './words.ts'

const lines: readonly (readonly [string, string, RegExp])[] = [
  ['dial tcp: lookup db.shop on 10.0.0.10:53: no such host', 'network/name-not-found', /"db\.shop"/],
  ['Error: getaddrinfo ENOTFOUND redis', 'network/name-not-found', /"redis"/],
  ['curl: (6) Could not resolve host: api.shop', 'network/name-not-found', /"api\.shop"/],
  ['psycopg2.OperationalError: could not translate host name "pg" to address', 'network/name-not-found', /"pg"/],
  ['dial tcp 10.0.0.7:5432: connect: connection refused', 'network/connection-refused', /10\.0\.0\.7:5432/],
  ['Error: connect ECONNREFUSED 10.0.0.7:6379', 'network/connection-refused', /10\.0\.0\.7:6379/],
  ['dial tcp 10.0.0.7:80: i/o timeout', 'network/connection-timed-out', /no answer/],
  [
    'tls: failed to verify certificate: x509: certificate has expired or is not yet valid',
    'access/certificate-expired',
    /not valid/,
  ],
  ['x509: certificate signed by unknown authority', 'access/untrusted-certificate', /does not trust/],
  [
    'curl: (60) SSL certificate problem: unable to get local issuer certificate',
    'access/untrusted-certificate',
    /does not trust/,
  ],
  ['Error: unable to verify the first certificate', 'access/untrusted-certificate', /does not trust/],
  ['write /data/x: no space left on device', 'storage/volume-full', /full/],
  ['Error: environment variable DATABASE_URL is not set', 'containers/missing-setting', /DATABASE_URL/],
  ["sh: can't create /x: Permission denied", 'containers/permission-denied', /user, capabilities/],
  [
    'pods is forbidden: User "system:serviceaccount:shop:web" cannot list resource "pods" in API group "" in the namespace "shop"',
    'access/forbidden',
    /system:serviceaccount:shop:web may not list pods/,
  ],
]

for (const [line, id, cause] of lines)
  void test(`"${line.slice(0, 60)}" means ${id}`, () => {
    const told = causeInLog(['starting', line, 'bye'])
    assert.equal(told?.id, id)
    assert.match(told.cause, cause)
    assert.equal(told.line, line)
  })

void test('the fix for a refusal is the command that allows it', () => {
  const line =
    'deployments.apps is forbidden: User "system:serviceaccount:shop:web" cannot list resource "deployments" in API group "apps" at the cluster scope'
  assert.equal(
    causeInLog([line])?.fix,
    'Allow it: kubectl create clusterrole web-list-deployments --verb=list --resource=deployments.apps && kubectl create clusterrolebinding web-list-deployments --clusterrole=web-list-deployments --serviceaccount=shop:web',
  )
})

void test('what a registry answers is told as its cause: no such image, no password, a wrong one, nobody there', () => {
  const told = (message: string, ...secrets: readonly string[]): readonly [string, string] => {
    const { id, cause } = imageCause(
      'shop.example/web:2',
      message,
      {
        ...emptyPicture(0),
        secrets: [{ apiVersion: 'v1', kind: 'Secret', metadata: { namespace: 'shop', name: 'kept' } }],
      },
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { namespace: 'shop', name: 'web' },
        spec: { containers: [], imagePullSecrets: secrets.map((name) => ({ name })) },
      },
    )
    return [id, cause]
  }
  const missing = told('failed to resolve reference "shop.example/web:2": shop.example/web:2: not found')
  assert.deepEqual(missing, [
    'image-not-found',
    'The registry has no "shop.example/web:2": the name or the tag is wrong.',
  ])
  const [id, cause] = told('pull access denied: authorization failed: no basic auth credentials')
  assert.equal(id, 'image-secret')
  assert.match(cause, /the pod has no pull secret/)
  assert.match(told('401 Unauthorized', 'lost')[1], /pull secret "lost" does not exist/)
  assert.match(told('401 Unauthorized', 'kept')[1], /refuses the password in "kept"/)
  assert.equal(told('dial tcp: lookup shop.example: no such host')[0], 'registry-unreachable')
  assert.equal(told('shop.example/web@sha256:94034d01: not found')[0], 'image-not-found', 'a digest is no status')
})

void test('ordinary lines say nothing', () => {
  assert.equal(causeInLog(['listening on 8080', 'GET / 200', 'connected to database']), undefined)
})

void test('the nearest name is told only where it is near', () => {
  assert.equal(editDistance('kitten', 'sitting'), 3)
  assert.equal(nearest('settings', ['setting', 'users']), 'setting')
  assert.equal(nearest('settings', ['users', 'x']), undefined)
})

void test('objects are understood in the words of kubectl', () => {
  assert.deepEqual(parseSubject('deploy/web', 'app'), { kind: 'Deployment', namespace: 'app', name: 'web' })
  assert.deepEqual(parseSubject('ingresses/web', 'app'), { kind: 'Ingress', namespace: 'app', name: 'web' })
  assert.deepEqual(parseSubject('NetworkPolicies/x', 'app'), { kind: 'NetworkPolicy', namespace: 'app', name: 'x' })
  assert.deepEqual(parseSubject('node/n1', 'app'), { kind: 'Node', name: 'n1' })
  assert.equal(parseSubject('thing/x', 'app'), undefined)
})

void test('a login is judged by its certificate and by the claims of its token', () => {
  const nowMs = 1_000_000_000
  const token = (claims: object): string => `h.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.s`
  const id = (login: object): string | undefined => judgeLogin({ user: 'x', nowMs, ...login })[0]?.id
  assert.equal(id({ certificateEndMs: nowMs - 1 }), 'access/login-expired')
  assert.equal(id({ certificateEndMs: nowMs + 86_400_000 }), 'access/login-expires-soon')
  assert.equal(id({ certificateEndMs: nowMs + 30 * 86_400_000 }), undefined)
  assert.equal(id({ token: token({ exp: 1 }) }), 'access/login-expired')
  assert.equal(id({ token: token({ nbf: 2_000_000 }) }), 'access/login-not-yet-valid')
  assert.equal(id({ token: token({ iss: 'x' }), refusal: 'Unauthorized' }), 'access/login-refused')
  assert.equal(id({ token: 'word', refusal: 'Unauthorized' }), 'access/login-refused')
  assert.equal(id({ token: token({ exp: 2_000_000 }) }), undefined)
})
