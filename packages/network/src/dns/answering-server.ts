// One DNS message in, one out: the user's own server blocks first, then the cluster's. Answers that only an object's change
// can alter are kept as bytes: most of a cluster's questions are the same few again.

import type { Scope } from '@aksel/base/scope'
import { noCustomServers, type CustomServers } from './corefile/compile.ts'
import type { ClusterNames } from './cluster-names.ts'
import { finished, reply, type Answering, type Query, type Transport } from './query.ts'
import { rcodes, readQuestion, type Rcode } from './wire.ts'

export interface AnsweringServer {
  /** The answer's bytes; undefined for what is no query, which is not answered at all. */
  respond(
    scope: Scope,
    message: Buffer,
    client: Query['client'],
    transport: Transport,
  ): Buffer | undefined | Promise<Buffer>
}

const IN = 1
const KEPT_MAX = 4096
/** Orders of one answer's records, so that clients who take the first one spread. */
const ORDERS_MAX = 8

interface Kept {
  readonly orders: Buffer[]
  /** How many orders there will be. */
  readonly wanted: number
  turn: number
}

/** The server of the cluster's DNS address. */
export class ClusterServer implements AnsweringServer {
  readonly #names: ClusterNames
  readonly #kept = new Map<string, Kept>()
  #custom: CustomServers = noCustomServers
  #own: Answering

  constructor(names: ClusterNames) {
    this.#names = names
    this.#own = names.answer
  }

  use(custom: CustomServers): void {
    this.#custom = custom
    this.#own = custom.around?.(this.#names.answer) ?? this.#names.answer
    this.forget()
  }

  /** To be called when objects have changed. */
  forget(): void {
    if (this.#kept.size > 0) this.#kept.clear()
  }

  respond(
    scope: Scope,
    message: Buffer,
    client: Query['client'],
    transport: Transport,
  ): Buffer | undefined | Promise<Buffer> {
    const isPlain = this.#custom === noCustomServers
    // Everything but the id; over UDP and TCP alike, so that what was cut for one is not sent by the other.
    const key = isPlain && message.length <= 512 ? `${transport}${message.toString('latin1', 2)}` : undefined
    const kept = key === undefined ? undefined : this.#kept.get(key)
    if (kept !== undefined && kept.orders.length === kept.wanted) {
      kept.turn = (kept.turn + 1) % kept.wanted
      const answer = Buffer.from(kept.orders[kept.turn]!)
      answer[0] = message[0]!
      answer[1] = message[1]!
      return answer
    }
    const query = queryOf(message, client, transport)
    if (query === undefined || Buffer.isBuffer(query)) return query
    if (key !== undefined) {
      const known = this.#names.known(scope, query)
      if (known !== undefined) return this.#keep(key, finished(query, known))
    }
    return answered(scope, query, this.#custom.blocks.size === 0 ? this.#own : this.#blockOf(query.question.name))
  }

  #keep(key: string, answer: Buffer): Buffer {
    if (this.#kept.size >= KEPT_MAX) this.#kept.clear()
    const kept = this.#kept.get(key)
    if (kept !== undefined) kept.orders.push(answer)
    else this.#kept.set(key, { orders: [answer], wanted: answer.readUInt16BE(6) > 1 ? ORDERS_MAX : 1, turn: 0 })
    return answer
  }

  /** The block with the longest zone that the name lies in. */
  #blockOf(name: string): Answering {
    for (let zone = name; zone !== '';) {
      const block = this.#custom.blocks.get(zone)
      if (block !== undefined) return block
      const dot = zone.indexOf('.')
      if (dot < 0) break
      zone = zone.slice(dot + 1)
    }
    return this.#own
  }
}

/** A server that has one way to answer everything. */
export function plainServer(answering: Answering): AnsweringServer {
  return {
    respond(scope, message, client, transport) {
      const query = queryOf(message, client, transport)
      if (query === undefined || Buffer.isBuffer(query)) return query
      return answered(scope, query, answering)
    },
  }
}

/** The query; or the answer to what is none that can be asked here; or undefined for what is not answered. */
function queryOf(message: Buffer, client: Query['client'], transport: Transport): Query | Buffer | undefined {
  // Too short for a header, or an answer itself.
  if (message.length < 12 || (message[2]! & 0x80) !== 0) return undefined
  if (((message[2]! >> 3) & 15) !== 0) return headerOnly(message, rcodes.notImplemented)
  const question = readQuestion(message)
  if (question === undefined) return headerOnly(message, rcodes.formatError)
  const query: Query = { message, question, transport, client }
  return question.qclass === IN ? query : finished(query, reply(query, { rcode: rcodes.refused }))
}

async function answered(scope: Scope, query: Query, answering: Answering): Promise<Buffer> {
  try {
    return finished(query, await answering(scope, query))
  } catch (error) {
    scope.log.debug('a name could not be resolved', { name: query.question.name, error })
    return finished(query, reply(query, { rcode: rcodes.serverFailure }))
  }
}

/** An answer to what could not be read: its id, and what was wrong. */
function headerOnly(message: Buffer, rcode: Rcode): Buffer {
  const header = Buffer.alloc(12)
  message.copy(header, 0, 0, 2)
  header.writeUInt16BE(0x8000 | (message.readUInt16BE(2) & 0x7900) | rcode, 2)
  return header
}
