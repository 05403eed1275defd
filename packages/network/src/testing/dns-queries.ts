// Queries as clients write them, and answers as tests read them.

import { decode, encode, RECURSION_DESIRED, type Answer, type DecodedPacket, type RecordType } from 'dns-packet'
import type { Query } from '../dns/query.ts'
import { readQuestion } from '../dns/wire.ts'

export function query(name: string, type: string = 'A', additionals: Answer[] = []): Buffer {
  const questions = [{ type: type as RecordType, name }]
  return encode({ type: 'query', id: 4711, flags: RECURSION_DESIRED, questions, additionals })
}

/** As it stands before the plug-ins. */
export function queryFrom(address: string, name: string, type = 'A'): Query {
  const message = query(name, type)
  return { message, question: readQuestion(message)!, transport: 'udp', client: { address, port: 40_000 } }
}

export function edns(udpPayloadSize: number, ednsVersion = 0): Answer {
  return {
    type: 'OPT',
    name: '.',
    udpPayloadSize,
    extendedRcode: 0,
    ednsVersion,
    flags: 0,
    flag_do: false,
    options: [],
  }
}

export function dataOf(packet: DecodedPacket): unknown[] {
  return (packet.answers ?? []).map((answer) => ('data' in answer ? answer.data : undefined))
}

export function rcodeOf(packet: DecodedPacket): number {
  return (packet.flags ?? 0) & 15
}

/** `NXDOMAIN`-like code and `owner data` of each answer. */
export function read(bytes: Buffer): { readonly rcode: number; readonly answers: readonly string[] } {
  const packet = decode(bytes)
  const answers = (packet.answers ?? []).map((answer) =>
    `${answer.name} ${'data' in answer && typeof answer.data === 'string' ? answer.data : ''}`.trim(),
  )
  return { rcode: rcodeOf(packet), answers }
}
