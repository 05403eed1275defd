// A request that is sent many times with another number each time: encoded once, the digits written over.

/** Where the number goes: nine digits. */
export const numberMark = '{number:9}'
const DIGITS = 9
/** Where the time of sending goes: milliseconds since the epoch with three fraction digits, as long as the mark. */
export const timeMark = '{time:written-in}'
/** The same as RFC 3339 with six fraction digits, as a Lease has it. */
export const microTimeMark = '{rfc3339:written-in-here--}'

export interface Template {
  /** The bytes with this number in them; a new buffer each time. */
  render(number: number): Buffer
}

export function templateOf(text: Buffer): Template {
  const places: number[] = []
  const pieces: Buffer[] = []
  let from = 0
  let length = 0
  for (;;) {
    const at = text.indexOf(numberMark, from)
    const piece = text.subarray(from, at === -1 ? text.length : at)
    pieces.push(piece)
    length += piece.length
    if (at === -1) break
    places.push(length)
    pieces.push(Buffer.alloc(DIGITS, '0'))
    length += DIGITS
    from = at + numberMark.length
  }
  const whole = Buffer.concat(pieces)
  const timeAt = whole.indexOf(timeMark)
  const microTimeAt = whole.indexOf(microTimeMark)
  return {
    render(number) {
      const bytes = Buffer.from(whole)
      const digits = digitsOf(number)
      for (const place of places) bytes.write(digits, place, 'latin1')
      if (timeAt !== -1) bytes.write((performance.timeOrigin + performance.now()).toFixed(3), timeAt, 'latin1')
      if (microTimeAt !== -1) bytes.write(microTime(number), microTimeAt, 'latin1')
      return bytes
    },
  }
}

/** Another one at each call: times to the millisecond, and the number behind them. */
function microTime(number: number): string {
  const now = performance.timeOrigin + performance.now()
  return `${new Date(now).toISOString().slice(0, 23)}${String(number % 1_000).padStart(3, '0')}Z`
}

export function digitsOf(number: number): string {
  return String(number).padStart(DIGITS, '0')
}

/** A gRPC message of the bytes: not compressed, its length in front. */
export function grpcFrame(message: Buffer): Buffer {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(message.length, 1)
  return Buffer.concat([head, message])
}

/** etcd's PutRequest, whose key ends in the number. The mark is longer than what replaces it: lengths count what is sent. */
export function etcdPut(keyPrefix: string, value: Buffer): Buffer {
  const key = Buffer.from(keyPrefix + numberMark)
  const keyLength = keyPrefix.length + DIGITS
  const message = Buffer.concat([
    Buffer.from([0x0a]),
    varint(keyLength),
    key,
    Buffer.from([0x12]),
    varint(value.length),
    value,
  ])
  const head = Buffer.alloc(5)
  head.writeUInt32BE(message.length - numberMark.length + DIGITS, 1)
  return Buffer.concat([head, message])
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) {
      bytes.push(rest)
      return Buffer.from(bytes)
    }
    bytes.push((rest & 0x7f) | 0x80)
  }
}
