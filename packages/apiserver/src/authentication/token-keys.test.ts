// Tokens over a change of the key that signs them.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '@aksel/base/ids'
import { createServiceAccountKey } from '@aksel/runtime/pki'
import { SimulatedClock } from '@aksel/testing/simulated-clock'
import { TokenAuthority, type TokenKeys } from './tokens.ts'

const spec = {
  namespace: 'shop',
  serviceAccount: { name: 'robot', uid: 'u' },
  audiences: ['https://here'],
  expirationSeconds: 7200,
}

test('tokens of a retired key are believed until its end, and both keys stand in the key set until then', async () => {
  const clock = new SimulatedClock()
  const [first, second] = await Promise.all([createServiceAccountKey(), createServiceAccountKey()])
  const open = (keys: TokenKeys): TokenAuthority =>
    new TokenAuthority({ clock, random: seededRandom(1), issuer: 'https://here', ...keys })
  const kids = (authority: TokenAuthority): readonly string[] =>
    (authority.jwks() as { readonly keys: readonly { readonly kid: string }[] }).keys.map(({ kid }) => kid)
  const before = open({ key: first })
  const { token } = before.issue(spec)
  assert.deepEqual(kids(before), [first.keyId])
  const after = open({ key: second, retired: [{ ...first, untilMs: clock.now() + 60_000 }] })
  assert.deepEqual(kids(after), [second.keyId, first.keyId])
  const fresh = after.issue(spec).token
  assert.equal(after.verify(token)?.sub, 'system:serviceaccount:shop:robot')
  assert.equal(before.verify(fresh), undefined, 'the first key signed it')
  await clock.run(60_000)
  assert.equal(after.verify(token), undefined)
  assert.notEqual(after.verify(fresh), undefined)
  assert.deepEqual(kids(after), [second.keyId])
  assert.equal(open({ key: second }).verify(token), undefined, 'a key that nobody named is believed')
})
