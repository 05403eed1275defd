// Flows of IPv6: headers, those that stand between, and the table that copies them.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readPacket } from './packet.ts'
import { flowTable } from './table.ts'

function packet(next: number, rest: Buffer): Buffer {
  const header = Buffer.alloc(40)
  header[0] = 0x60
  header.writeUInt16BE(rest.length, 4)
  header[6] = next
  Buffer.from('fd120000000000000001000000000005', 'hex').copy(header, 8)
  Buffer.from('fd100000000000000000000000000050', 'hex').copy(header, 24)
  return Buffer.concat([header, rest])
}
const ends = { source: 'fd12::1:0:0:5', destination: 'fd10::50' }
const syn = Buffer.alloc(20)
syn.writeUInt16BE(40_000, 0)
syn.writeUInt16BE(80, 2)
syn[13] = 2

test('addresses, length and ports of a packet of IPv6', () => {
  const l4 = { kind: 'TCP', sourcePort: 40_000, destinationPort: 80, flags: ['SYN'] }
  assert.deepEqual(readPacket(packet(6, syn)), { ...ends, bytes: 60, l4 })
  const options = Buffer.from([6, 0, 0, 0, 0, 0, 0, 0])
  assert.deepEqual(readPacket(packet(0, Buffer.concat([options, syn]))), { ...ends, bytes: 68, l4 }, 'behind options')
})

test('ICMPv6, protocols without ports, and packets that are cut off', () => {
  const l4 = { kind: 'ICMPv6', type: 128, code: 0 }
  assert.deepEqual(readPacket(packet(58, Buffer.from([128, 0]))), { ...ends, bytes: 42, l4 })
  assert.deepEqual(readPacket(packet(50, Buffer.alloc(0)))?.l4, { kind: 'other', protocol: 50 })
  assert.equal(readPacket(packet(6, syn).subarray(0, 48)), undefined)
  assert.equal(readPacket(packet(6, syn).subarray(0, 39)), undefined)
  assert.equal(readPacket(Buffer.alloc(0)), undefined)
})

test("IPv6's table has no word of the other family", () => {
  const { name, body } = flowTable({ podCidr: 'fd12:0:0:1::/80', serviceCidr: 'fd10::/108' }, 6)
  assert.equal(name, 'ip6 aksel-flows')
  assert.doesNotMatch(body, /ipv4|\bip\b/)
  assert.match(body, /ct state new ip6 daddr fd10::\/108 /)
})
