// The shell text that keeps a machine's programs running.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { quote, supervisedArgv } from './supervise.ts'

test('quote() leaves plain words alone and protects the rest', () => {
  assert.equal(quote('/usr/bin/containerd'), '/usr/bin/containerd')
  assert.equal(quote("it's $HOME"), String.raw`'it'\''s $HOME'`)
  assert.equal(quote(''), "''")
})

test('supervisedArgv() enters the namespace, and names the process that runs', () => {
  const program = { argv: ['prog', 'a b'], restartDelaySeconds: 1, pidPath: '/p', environment: { K: 'v w' } }
  const argv = supervisedArgv(program, 'ns1')
  assert.deepEqual(argv.slice(0, 4), ['nsenter', '--net=/run/netns/ns1', '/bin/sh', '-c'])
  assert.match(argv[4]!, /export K='v w'/)
  assert.match(argv[4]!, /prog 'a b' &\n {2}echo \$! > \/p/)
})
