// Whom a token is for, as the clients of Azure ask for it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { audienceOf } from './sign-in-forms.ts'

test('audienceOf() is the resource of the scope, or the resource that the older endpoint is asked for', () => {
  for (const [form, audience] of [
    [{ scope: 'https://here/.default' }, 'https://here'],
    [{ scope: 'https://here//.default openid' }, 'https://here'],
    [{ scope: 'openid offline_access app/user_impersonation' }, 'app'],
    [{ scope: 'app/.default/more' }, 'app/.default/more'],
    [{ resource: 'https://here/' }, 'https://here/'],
    [{ scope: 'openid' }, undefined],
    [{}, undefined],
  ] as const)
    assert.equal(audienceOf(new URLSearchParams(form)), audience, JSON.stringify(form))
})

test('audienceOf() reads a scope of half a million slashes once', () => {
  const slashes = '/'.repeat(500_000)
  assert.equal(audienceOf(new URLSearchParams({ scope: `app${slashes}x` })), `app${slashes}x`)
  assert.equal(audienceOf(new URLSearchParams({ scope: `app${slashes}.default` })), 'app')
})
