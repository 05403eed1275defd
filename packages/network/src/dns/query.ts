// A query on its way through the plug-ins, and what every answer gets before it leaves: its id, EDNS, its length.

import { cutTo, optRecord, readEdns, readQuestion, typeNumber, withOpt, writeReply } from './wire.ts'
import type { Question, Rcode, Reply } from './wire.ts'
import type { Scope } from '@aksel/base/scope'

export type Transport = 'udp' | 'tcp'

export interface Query {
  readonly message: Buffer
  readonly question: Question
  readonly transport: Transport
  readonly client: { readonly address: string; readonly port: number }
}

/** A whole answer, with any id and of any length. Rejects where nobody can tell: SERVFAIL to the client. */
export type Answering = (scope: Scope, query: Query) => Buffer | Promise<Buffer>

/** Bytes over UDP without EDNS (RFC 1035), and the most that is promised with it. */
const UDP_BYTES = 512
export const UDP_BYTES_MAX = 4096
const BADVERS = 16

export function reply(query: Query, content: Reply): Buffer {
  return writeReply(query.message, query.question, content)
}

export function rcodeOf(answer: Buffer): Rcode {
  return answer.readUInt16BE(2) & 15
}

/** The same query for another name or type; undefined where such a name cannot be. */
export function asking(query: Query, changed: { readonly name?: string; readonly type?: string }): Query | undefined {
  const { message, question } = query
  const name = changed.name ?? question.name
  const labels = name === '' ? [] : name.split('.')
  if (name.length > 253 || labels.some((label) => label.length === 0 || label.length > 63)) return undefined
  const type = typeNumber(changed.type ?? question.type)
  if (type === undefined) return undefined
  const tail = Buffer.alloc(5)
  tail.writeUInt16BE(type, 1)
  tail.writeUInt16BE(question.qclass, 3)
  const written = Buffer.concat([
    message.subarray(0, 12),
    ...labels.map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`, 'latin1')),
    tail,
    message.subarray(question.end),
  ])
  return { ...query, message: written, question: readQuestion(written)! }
}

/** Ready to be sent: the query's id, its own way of writing the name, an OPT record where it had one, cut to what it takes. */
export function finished(query: Query, answer: Buffer): Buffer {
  const { message, question, transport } = query
  const edns = readEdns(message, question.end)
  if (edns !== undefined && edns.version > 0) {
    return withOpt(writeReply(message, question, { rcode: 0 }), optRecord(UDP_BYTES_MAX, BADVERS >> 4))
  }
  const limit = transport === 'tcp' ? 65_535 : Math.min(Math.max(edns?.udpBytes ?? UDP_BYTES, UDP_BYTES), UDP_BYTES_MAX)
  const isWhole = edns === undefined || readEdns(answer, question.end) !== undefined
  const opt = isWhole ? Buffer.alloc(0) : optRecord(UDP_BYTES_MAX, 0, edns.isDo)
  const fits = answer.length + opt.length <= limit
  const cut = fits ? answer : cutTo(answer, question, limit - 11)
  // Where it was cut, its own OPT record is gone.
  const own = !fits && edns !== undefined ? optRecord(UDP_BYTES_MAX, 0, edns.isDo) : opt
  const whole = own.length > 0 ? withOpt(cut, own) : cut === answer ? Buffer.from(answer) : cut
  message.copy(whole, 0, 0, 2)
  // Some clients write names in odd cases and want to see them again, against forged answers.
  if (whole.length >= question.end) message.copy(whole, 12, 12, question.end)
  return whole
}

/** Whether the name is the zone or lies below it; `.` holds all names. Zones have no dot at their end. */
export function liesIn(name: string, zone: string): boolean {
  return zone === '' || zone === '.' || name === zone || name.endsWith(`.${zone}`)
}

/** `Example.ORG.` → `example.org`; the root is `.`. */
export function zoneName(text: string): string {
  const name = text.toLowerCase().replace(/\.$/, '')
  return name === '' ? '.' : name
}
