// Kernel settings that a pod may ask for, and those that are everybody's.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Pod } from '@aksel/api/types/core-v1'
import { checkSysctlPatterns, judgeSysctls, normal } from './sysctls.ts'

const podOf = (name: string, more: Partial<Pod['spec']> = {}): Pod => ({
  metadata: { name: 'p' },
  spec: { containers: [], securityContext: { sysctls: [{ name, value: '1' }] }, ...more },
})

test('safe settings are a pod’s own to choose; others are refused until the node allows them', () => {
  const said = (name: string, allowed: readonly string[] = [], more = {}): string | undefined =>
    judgeSysctls(podOf(name, more), allowed)?.message
  assert.equal(said('net.ipv4.tcp_syncookies'), undefined)
  assert.equal(said('net/ipv4/tcp_syncookies'), undefined)
  assert.deepEqual(judgeSysctls(podOf('net.core.somaxconn'), []), {
    reason: 'SysctlForbidden',
    message: 'forbidden sysctl: "net.core.somaxconn" not allowlisted',
  })
  assert.equal(said('vm.swappiness'), 'forbidden sysctl: "vm.swappiness" not allowlisted')
  assert.equal(said('kernel.shm_rmid_forced_too'), 'forbidden sysctl: "kernel.shm_rmid_forced_too" not allowlisted')
  assert.equal(said('net.core.somaxconn', ['net.core.somaxconn']), undefined)
  assert.equal(said('net.core.somaxconn', ['net.core.*']), undefined)
  assert.equal(said('kernel.msgmax', ['net.*']), 'forbidden sysctl: "kernel.msgmax" not allowlisted')
  assert.equal(judgeSysctls({ metadata: { name: 'p' }, spec: { containers: [] } }, []), undefined)
})

test('nobody sets them for the host', () => {
  const said = (name: string, more: object): string | undefined =>
    judgeSysctls(podOf(name, more), ['kernel.msg*'])?.message
  const hosts = { hostNetwork: true }
  assert.match(
    said('net.ipv4.tcp_syncookies', hosts) ?? '',
    /"net\.ipv4\.tcp_syncookies" not allowed with host net enabled$/,
  )
  assert.match(said('kernel.msgmax', { hostIPC: true }) ?? '', /"kernel\.msgmax" not allowed with host ipc enabled$/)
  assert.equal(said('kernel.shm_rmid_forced', hosts), undefined)
})

test('a node allows only what a namespace has of its own', () => {
  checkSysctlPatterns(['kernel.msg*', 'net.core.somaxconn', 'fs.mqueue.*', 'kernel.sem', 'net/ipv4/*'])
  assert.throws(() => checkSysctlPatterns(['net.*', 'vm.*']), /"vm\.\*" are not known to be namespaced/)
  assert.throws(() => checkSysctlPatterns(['*']), /not known to be namespaced/)
})

test('both ways of writing a name mean one', () => {
  assert.equal(normal('net/ipv4/conf/eth0.1/forwarding'), 'net.ipv4.conf.eth0/1.forwarding')
  assert.equal(normal('net.ipv4.conf.eth0/1.forwarding'), 'net.ipv4.conf.eth0/1.forwarding')
})
