// Chance as an object that is handed in, and the identifiers made from it.

/** A source of randomness: `nextBytes(16)` returns 16 bytes. */
export interface Random {
  nextBytes(count: number): Uint8Array
}

export function systemRandom(): Random {
  return { nextBytes: (count) => crypto.getRandomValues(new Uint8Array(count)) }
}

/** Repeatable for a seed (xorshift32): for tests and the simulation, never for keys. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0 || 1
  const next = (): number => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) & 0xff
  }
  return { nextBytes: (count) => Uint8Array.from({ length: count }, next) }
}

/** An RFC 9562 version 4 UUID. */
export function uuid(random: Random): string {
  const bytes = random.nextBytes(16)
  bytes[6] = (bytes[6]! & 0x0f) | 0x40
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  const part = (from: number, to: number): string => {
    let text = ''
    for (let at = from; at < to; at += 1) text += hexOfByte[bytes[at]!]!
    return text
  }
  return `${part(0, 4)}-${part(4, 6)}-${part(6, 8)}-${part(8, 10)}-${part(10, 16)}`
}

const hexOfByte: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** No vowels and no digits that look like letters, so that no word comes up: Kubernetes' alphabet for generated names. */
const nameAlphabet = 'bcdfghjklmnpqrstvwxz2456789'

/** The random end of a generated name, five characters unless told otherwise. */
export function nameSuffix(random: Random, length = 5): string {
  return Array.from(random.nextBytes(length), (byte) => nameAlphabet[byte % nameAlphabet.length]).join('')
}

/** A number in [0, 1). */
export function fraction(random: Random): number {
  const bytes = random.nextBytes(4)
  return (((bytes[0]! << 24) | (bytes[1]! << 16) | (bytes[2]! << 8) | bytes[3]!) >>> 0) / 2 ** 32
}
