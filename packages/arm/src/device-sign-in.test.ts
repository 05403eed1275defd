// Programs without a browser sign in by a code (RFC 8628): by Azure's own library, and step by step with all that may go wrong.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DeviceCodeCredential } from '@azure/identity'
import { systemClock, type Clock } from '@aksel/base/clock'
import { systemRandom } from '@aksel/base/ids'
import { silentLog } from '@aksel/base/log'
import type { Scope } from '@aksel/base/scope'
import { createMemoryStore } from '@aksel/store/memory-store'
import { beginSignIn, waitingMax } from './front-door/device-codes.ts'
import { ResourceStore } from './store-keyspace.ts'
import {
  openFrontDoor,
  clientId,
  clientSecret,
  tenantId,
  type Answer,
  type OpenedFrontDoor,
} from './testing/opened-front-door.ts'
import { otherClient } from './testing/other-client.ts'

const azureCli = '04b07795-8ddb-461a-bbee-02f9e1bf7b46'
const grant = 'urn:ietf:params:oauth:grant-type:device_code'
const aksServer = '6dae42f8-4368-4678-94ff-3960e28e3630'

type Form = Readonly<Record<string, string>>

function post(door: OpenedFrontDoor, path: string, form: Form): Promise<Answer> {
  return door.call('POST', path, { body: new URLSearchParams(form), token: null })
}

const askToken = (door: OpenedFrontDoor, form: Form): Promise<Answer> =>
  post(door, `/${tenantId}/oauth2/v2.0/token`, { client_id: azureCli, ...form })

interface Begun {
  readonly device_code: string
  readonly user_code: string
}

async function begin(door: OpenedFrontDoor, client = azureCli): Promise<Begun> {
  const answer = await post(door, `/${tenantId}/oauth2/v2.0/devicecode`, { client_id: client, scope: 'x/.default' })
  assert.equal(answer.status, 200, answer.text)
  return answer.body as unknown as Begun
}

const approve = (door: OpenedFrontDoor, code: string, more: Form = {}): Promise<Answer> =>
  post(door, '/devicelogin', { code, client_id: clientId, client_secret: clientSecret, answer: 'continue', ...more })

const poll = (door: OpenedFrontDoor, { device_code }: Begun): Promise<Answer> =>
  askToken(door, { grant_type: grant, device_code, scope: `${door.url}/.default offline_access openid` })

const errorOf = ({ status, body }: Answer): string => `${status} ${String(body?.['error'])}`

/** Stands until it is moved: however long a slow machine takes between two questions, they are as far apart as the test says. */
class MovedClock implements Clock {
  readonly #system = systemClock()
  #nowMs = this.#system.now()
  now(): number {
    return this.#nowMs
  }
  monotonicMs(): number {
    return this.#system.monotonicMs()
  }
  after(delayMs: number, fire: () => void): ReturnType<Clock['after']> {
    return this.#system.after(delayMs, fire)
  }
  move(seconds: number): void {
    this.#nowMs += seconds * 1000
  }
}

test("Azure's identity library signs in by a code that somebody approves, and asks for more tokens without him", async () => {
  await using door = await openFrontDoor()
  const approval = Promise.withResolvers<void>()
  let prompts = 0
  const credential = new DeviceCodeCredential({
    tenantId,
    authorityHost: door.url,
    disableInstanceDiscovery: true,
    tlsOptions: { ca: door.caPem },
    // The library would ask at once, and then wait for five seconds.
    additionalPolicies: [
      {
        position: 'perCall',
        policy: {
          name: 'after the approval',
          async sendRequest(request, next) {
            if (request.url.includes('/oauth2/v2.0/token')) await approval.promise
            return next(request)
          },
        },
      },
    ],
    userPromptCallback({ userCode, verificationUri, message }) {
      prompts += 1
      assert.equal(verificationUri, `${door.url}/devicelogin`)
      assert.match(
        message,
        new RegExp(`open the page ${verificationUri} and enter the code ${userCode} to authenticate`),
      )
      approve(door, userCode.toLowerCase()).then(({ status, text }) => {
        assert.match(text, /You have signed in to Microsoft Azure CLI/)
        assert.equal(status, 200)
        approval.resolve()
      }, approval.reject)
    },
  } as ConstructorParameters<typeof DeviceCodeCredential>[0])
  const { token } = await credential.getToken(`${door.url}/.default`)
  const answer = await door.call('GET', '/subscriptions', { token })
  assert.equal((answer.body as unknown as { value: readonly unknown[] }).value.length, 1, answer.text)
  const forClusters = await credential.getToken(`${aksServer}/.default`)
  const claims = JSON.parse(Buffer.from(forClusters.token.split('.')[1]!, 'base64url').toString()) as Form
  assert.deepEqual([claims['aud'], claims['appid'], claims['upn']], [aksServer, azureCli, clientId])
  assert.equal(prompts, 1, 'the second token came without a question')
})

test('a sign-in waits, is told to wait longer, is approved once, and is over after a quarter of an hour', async () => {
  const clock = new MovedClock()
  await using door = await openFrontDoor({ clock })
  const first = await begin(door)
  assert.equal(errorOf(await poll(door, first)), '400 authorization_pending')
  assert.equal(errorOf(await poll(door, first)), '400 slow_down')
  clock.move(6)
  assert.equal(errorOf(await poll(door, first)), '400 slow_down', 'ten seconds are asked for now')
  clock.move(15)
  assert.equal(errorOf(await poll(door, first)), '400 authorization_pending')
  const page = await door.call('GET', `/devicelogin?code=${first.user_code}`, { token: null })
  assert.match(page.text, /Microsoft Azure CLI shows the code/)
  assert.match(String(page.headers['content-type']), /^text\/html/)
  assert.match(String(page.headers['content-security-policy']), /default-src 'none'/)
  const wrong = await approve(door, first.user_code, { client_secret: 'guessed' })
  assert.deepEqual([wrong.status, /not its secret/.test(wrong.text)], [401, true])
  assert.equal((await approve(door, first.user_code)).status, 200)
  assert.equal((await approve(door, first.user_code)).status, 400, 'it was answered')
  assert.equal(
    errorOf(await askToken(door, { grant_type: grant, device_code: `${first.user_code}.x` })),
    '400 bad_verification_code',
  )
  const stranger = { grant_type: grant, device_code: first.device_code, client_id: 'somebody-else' }
  assert.equal(errorOf(await askToken(door, stranger)), '400 bad_verification_code')
  assert.equal((await poll(door, first)).status, 200)
  assert.equal(errorOf(await poll(door, first)), '400 bad_verification_code', 'a code is redeemed once')
  const late = await begin(door)
  clock.move(901)
  assert.equal((await approve(door, late.user_code)).status, 400)
  assert.equal(errorOf(await poll(door, late)), '400 expired_token')
  const declined = await begin(door)
  assert.match((await approve(door, declined.user_code, { answer: 'cancel' })).text, /was not signed in/)
  assert.equal(errorOf(await poll(door, declined)), '400 authorization_declined')
})

test('a sign-in ends with the secret that approved it; an id token opens nothing', async () => {
  await using door = await openFrontDoor()
  const other = await otherClient(door)
  const begun = await begin(door)
  const approved = await approve(door, begun.user_code, {
    client_id: other.appId.toUpperCase(),
    client_secret: other.password,
  })
  assert.equal(approved.status, 200, approved.text)
  const tokens = (await poll(door, begun)).body as unknown as Form
  assert.equal((await door.call('GET', '/subscriptions', { token: tokens['id_token']! })).status, 401)
  const refused = await door.call('PUT', '/subscriptions/11111111-2222-3333-4444-555555555555/resourcegroups/g', {
    token: tokens['access_token']!,
    body: { location: 'eastus' },
  })
  assert.match(refused.text, new RegExp(`The client '${other.appId}' with object id '${other.objectId}'`))
  const refresh = (more: Form = {}): Promise<Answer> =>
    askToken(door, {
      grant_type: 'refresh_token',
      refresh_token: tokens['refresh_token']!,
      scope: 'x/.default',
      ...more,
    })
  assert.equal((await refresh()).status, 200)
  assert.equal(errorOf(await refresh({ client_id: 'somebody-else' })), '400 invalid_grant')
  const another = await begin(door)
  const own = { client_id: other.appId, client_secret: other.password }
  assert.equal((await approve(door, another.user_code, own)).status, 200)
  await door.call('DELETE', `/v1.0/servicePrincipals/${other.objectId}`)
  assert.equal(errorOf(await refresh()), '400 invalid_grant')
  assert.equal(errorOf(await poll(door, another)), '400 invalid_grant', 'approved, and not yet redeemed')
})

test('no more sign-ins wait than may, and of programs that are known', async () => {
  await using door = await openFrontDoor()
  const refused = await post(door, `/${tenantId}/oauth2/devicecode`, { client_id: 'nobody' })
  assert.equal(errorOf(refused), '400 unauthorized_client')
  const clock = new MovedClock()
  const scope: Scope = { clock, random: systemRandom(), log: silentLog(), signal: new AbortController().signal }
  await using kept = createMemoryStore(scope)
  const store = new ResourceStore(kept)
  for (let at = 0; at < waitingMax; at += 1) assert.ok(await beginSignIn(scope, store, azureCli))
  assert.equal(await beginSignIn(scope, store, azureCli), undefined)
  clock.move(901)
  assert.ok(await beginSignIn(scope, store, azureCli), 'those that are over are gone')
})
