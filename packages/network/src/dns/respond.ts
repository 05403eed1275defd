// One DNS message in, one out: the cluster's names from the zone, all others from the node's servers.

import {
  AUTHORITATIVE_ANSWER,
  decode,
  encode,
  RECURSION_AVAILABLE,
  RECURSION_DESIRED,
  TRUNCATED_RESPONSE,
  type Answer,
  type DecodedPacket,
  type OptAnswer,
  type Packet,
  type Question,
} from 'dns-packet'
import { fraction } from '@aksel/base/ids'
import type { Scope } from '@aksel/base/scope'
import type { Upstream } from './upstream.ts'
import { answerFromZone, startOfAuthority, type ZoneOptions, type ZoneView } from './zone.ts'

export interface Responder extends ZoneOptions {
  readonly view: ZoneView
  readonly upstream: Upstream
}

const rcodes = { noError: 0, formatError: 1, serverFailure: 2, noSuchName: 3, notImplemented: 4 } as const
type Rcode = (typeof rcodes)[keyof typeof rcodes]

/** Bytes over UDP without EDNS (RFC 1035), and the most that is promised with it. */
const UDP_BYTES = 512
const UDP_BYTES_MAX = 4096

/** An external name may lead to another one; more steps than this are a circle. */
const ALIASES_MAX = 8

interface Reply {
  readonly rcode: Rcode
  readonly answers?: readonly Answer[]
  readonly authorities?: readonly Answer[]
  readonly additionals?: readonly Answer[]
}

/** The answer's bytes; undefined for what is no query, which is not answered at all. */
export async function respond(
  scope: Scope,
  responder: Responder,
  message: Buffer,
  transport: 'udp' | 'tcp',
): Promise<Buffer | undefined> {
  // Too short for a header, or an answer itself.
  if (message.length < 12 || (message[2]! & 0x80) !== 0) return undefined
  const query = parse(message)
  if (query === undefined) return headerOnly(message, rcodes.formatError)
  const opcode = (message[2]! >> 3) & 15
  if (opcode !== 0) return headerOnly(message, rcodes.notImplemented)
  const [question, ...more] = query.questions ?? []
  if (question === undefined || more.length > 0) return headerOnly(message, rcodes.formatError)
  try {
    const reply = await answer(scope, responder, { question, query, transport })
    if (reply === 'elsewhere') return await responder.upstream.ask(scope, message, transport)
    return render(query, reply, transport)
  } catch (error) {
    scope.log.debug('a name could not be resolved', { name: question.name, error })
    return render(query, { rcode: rcodes.serverFailure }, transport)
  }
}

interface Asked {
  readonly question: Question
  readonly query: DecodedPacket
  readonly transport: 'udp' | 'tcp'
}

async function answer(scope: Scope, responder: Responder, asked: Asked, depth = 0): Promise<Reply | 'elsewhere'> {
  const found = answerFromZone(responder.view, asked.question, responder)
  const serial = Math.floor(scope.clock.now() / 1000)
  switch (found.kind) {
    case 'elsewhere':
      return 'elsewhere'
    case 'absent':
      return { rcode: rcodes.noSuchName, authorities: [startOfAuthority(responder, serial)] }
    case 'found':
      return found.answers.length === 0
        ? { rcode: rcodes.noError, authorities: [startOfAuthority(responder, serial)] }
        : { rcode: rcodes.noError, answers: shuffled(scope, found.answers), additionals: found.additionals }
    case 'alias': {
      if (asked.question.type === 'CNAME') return { rcode: rcodes.noError, answers: [found.alias] }
      if (depth >= ALIASES_MAX) return { rcode: rcodes.serverFailure }
      const rest = await follow(
        scope,
        responder,
        { ...asked, question: { ...asked.question, name: found.target } },
        depth,
      )
      return { ...rest, answers: [found.alias, ...(rest.answers ?? [])] }
    }
    default:
      return found satisfies never
  }
}

async function follow(scope: Scope, responder: Responder, asked: Asked, depth: number): Promise<Reply> {
  const inside = await answer(scope, responder, asked, depth + 1)
  if (inside !== 'elsewhere') return inside
  const query = encode({
    type: 'query',
    id: asked.query.id ?? 0,
    flags: RECURSION_DESIRED,
    questions: [asked.question],
  })
  const outside = decode(await responder.upstream.ask(scope, query, asked.transport))
  return { rcode: ((outside.flags ?? 0) & 15) as Rcode, answers: outside.answers ?? [] }
}

/** Clients tend to take the first address. */
function shuffled(scope: Scope, answers: readonly Answer[]): readonly Answer[] {
  const mixed = [...answers]
  for (let end = mixed.length - 1; end > 0; end -= 1) {
    const other = Math.floor(fraction(scope.random) * (end + 1))
    ;[mixed[end], mixed[other]] = [mixed[other]!, mixed[end]!]
  }
  return mixed
}

function render(query: DecodedPacket, reply: Reply, transport: 'udp' | 'tcp'): Buffer {
  const opt = (query.additionals ?? []).find((record): record is OptAnswer => record.type === 'OPT')
  const limit =
    transport === 'tcp' ? 65_535 : Math.min(Math.max(opt?.udpPayloadSize ?? UDP_BYTES, UDP_BYTES), UDP_BYTES_MAX)
  const wanted = ((query.flags ?? 0) & RECURSION_DESIRED) | RECURSION_AVAILABLE | AUTHORITATIVE_ANSWER | reply.rcode
  const edns: readonly Answer[] = opt === undefined ? [] : [ednsRecord()]
  const whole: Packet = {
    type: 'response',
    id: query.id ?? 0,
    flags: wanted,
    questions: query.questions ?? [],
    answers: [...(reply.answers ?? [])],
    authorities: [...(reply.authorities ?? [])],
    additionals: [...(reply.additionals ?? []), ...edns],
  }
  const bytes = encode(whole)
  if (bytes.length <= limit) return bytes
  const lean = encode({ ...whole, additionals: [...edns] })
  if (lean.length <= limit) return lean
  return encode({ ...whole, flags: wanted | TRUNCATED_RESPONSE, answers: [], authorities: [], additionals: [...edns] })
}

function ednsRecord(): OptAnswer {
  return {
    type: 'OPT',
    name: '.',
    udpPayloadSize: UDP_BYTES_MAX,
    extendedRcode: 0,
    ednsVersion: 0,
    flags: 0,
    flag_do: false,
    options: [],
  }
}

function parse(message: Buffer): DecodedPacket | undefined {
  try {
    return decode(message)
  } catch {
    return undefined
  }
}

/** An answer to what could not be read: its id, and what was wrong. */
function headerOnly(message: Buffer, rcode: Rcode): Buffer {
  const header = Buffer.alloc(12)
  message.copy(header, 0, 0, 2)
  header.writeUInt16BE(0x8000 | (message.readUInt16BE(2) & 0x7900) | rcode, 2)
  return header
}
