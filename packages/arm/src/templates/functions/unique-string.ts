// `uniqueString`: a hash of two 32-bit lanes in the manner of Murmur3, written as thirteen characters.

const c1 = 0x239b961b
const c2 = 0xab0e9789
const alphabet = 'abcdefghijklmnopqrstuvwxyz234567'

/** The same text for the same argument, for ever; see the vectors in the test. */
export function uniqueString(text: string): string {
  const bytes = Buffer.from(text)
  let h1 = 0
  let h2 = 0
  const blocks = bytes.length >> 3
  for (let block = 0; block < blocks; block++) {
    h1 ^= firstLane(bytes.readUInt32LE(block * 8))
    h1 = (Math.imul((rotated(h1, 19) + h2) | 0, 5) + 0x561ccd1b) | 0
    h2 ^= secondLane(bytes.readUInt32LE(block * 8 + 4))
    h2 = (Math.imul((rotated(h2, 13) + h1) | 0, 5) + 0x0bcaa747) | 0
  }
  const tail = bytes.subarray(blocks * 8)
  if (tail.length > 4) h2 ^= secondLane(littleEndian(tail.subarray(4)))
  if (tail.length > 0) h1 ^= firstLane(littleEndian(tail.subarray(0, 4)))
  h1 ^= bytes.length
  h2 ^= bytes.length
  h1 = (h1 + h2) | 0
  h2 = (h2 + h1) | 0
  h1 = mixed(h1)
  h2 = mixed(h2)
  h1 = (h1 + h2) | 0
  h2 = (h2 + h1) | 0
  return written((BigInt(h2 >>> 0) << 32n) | BigInt(h1 >>> 0))
}

const firstLane = (value: number): number => Math.imul(rotated(Math.imul(value, c1), 15), c2)
const secondLane = (value: number): number => Math.imul(rotated(Math.imul(value, c2), 17), c1)
const rotated = (value: number, by: number): number => (value << by) | (value >>> (32 - by))

function littleEndian(bytes: Uint8Array): number {
  return bytes.reduce((value, byte, at) => value | (byte << (8 * at)), 0)
}

function mixed(value: number): number {
  let mix = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  mix = Math.imul(mix ^ (mix >>> 13), 0xc2b2ae35)
  return mix ^ (mix >>> 16)
}

/** The top five bits first. */
function written(value: bigint): string {
  let text = ''
  let left = value
  for (let at = 0; at < 13; at++) {
    text += alphabet[Number((left >> 59n) & 31n)]!
    left = (left << 5n) & 0xffff_ffff_ffff_ffffn
  }
  return text
}
