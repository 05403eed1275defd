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

test('supervisedArgv() opens sockets before the loop, and tells the program their descriptors', () => {
  const sockets = [{ address: '10.0.0.10', port: 53 }]
  const argv = supervisedArgv({ argv: ['prog'], restartDelaySeconds: 1, pidPath: '/p', sockets }, 'ns1')
  assert.deepEqual([argv[2], argv.slice(5, 10)], ['perl', ['20', '1', '10.0.0.10', '53', '/bin/sh']])
  assert.match(argv.at(-1)!, /export AKSEL_SOCKETS='?10\.0\.0\.10:53=20,21/)
})

test('supervisedArgv() gives a program a host name of its own, and leaves a joined host its network', () => {
  const argv = supervisedArgv({ argv: ['prog'], restartDelaySeconds: 1, pidPath: '/p', hostName: 'node-1' }, undefined)
  assert.deepEqual(argv.slice(0, 4), ['unshare', '--uts', '/bin/sh', '-c'])
  assert.match(argv.at(-1)!, /^echo node-1 > \/proc\/sys\/kernel\/hostname\n/)
})
