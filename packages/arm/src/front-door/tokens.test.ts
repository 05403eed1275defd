// Tokens of the server's own tenant, checked call by call on a clock of the test's own.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { shiftedClock, systemClock } from '@aksel/base/clock'
import { systemRandom } from '@aksel/base/ids'
import { silentLog } from '@aksel/base/log'
import type { Scope } from '@aksel/base/scope'
import { createMemoryStore } from '@aksel/store/memory-store'
import { ResourceStore } from '../store-keyspace.ts'
import { aksServerId, openTokens } from './tokens.ts'

const clients = [{ clientId: 'client', clientSecret: 'secret' }]
const scope: Scope = {
  clock: systemClock(),
  random: systemRandom(),
  log: silentLog(),
  signal: new AbortController().signal,
}
const later = (seconds: number): Scope => ({ ...scope, clock: shiftedClock(scope.clock, seconds * 1000) })

test('a token that is known already is still refused once it is over, changed, or for somebody else', async () => {
  await using kept = createMemoryStore(scope)
  const store = new ResourceStore(kept)
  const tokens = await openTokens(store, { tenantId: 'tenant', clients })
  const issue = (audience: string): Promise<string> =>
    tokens.issue(scope, { clientId: 'client', audience, origin: 'https://here' })
  const token = await issue('https://here')
  for (let call = 0; call < 3; call += 1)
    assert.equal((await tokens.verify(scope, `Bearer ${token}`)).clientId, 'client', `call ${call}`)
  await assert.rejects(tokens.verify(later(3_601), `Bearer ${token}`), { code: 'ExpiredAuthenticationToken' })
  await assert.rejects(tokens.verify(later(-60), `Bearer ${token}`), { code: 'InvalidAuthenticationToken' })
  const [header, , signature] = token.split('.')
  const forged = Buffer.from(JSON.stringify({ appid: 'other', oid: 'o', tid: 'tenant', exp: 9e9 }), 'utf8')
  await assert.rejects(tokens.verify(scope, `Bearer ${header}.${forged.toString('base64url')}.${signature}`), {
    code: 'InvalidAuthenticationToken',
  })
  assert.equal(await tokens.holderOf(scope, token, [aksServerId]), undefined)
  const forServers = await issue(aksServerId)
  for (let call = 0; call < 2; call += 1) {
    assert.equal((await tokens.holderOf(scope, forServers, [aksServerId]))?.clientId, 'client')
    await assert.rejects(tokens.verify(scope, `Bearer ${forServers}`), { code: 'InvalidAuthenticationTokenAudience' })
  }
})
