// Queries as CoreDNS' `log` writes them, for people who grep for its lines.

import { childScope, type Scope } from '@aksel/base/scope'
import { liesIn, rcodeOf, type Answering, type Query } from '../query.ts'
import { rcodeNames, readEdns, rcodes } from '../wire.ts'

export const logClasses = ['all', 'success', 'denial', 'error'] as const
export type LogClass = (typeof logClasses)[number]

export interface LogOptions {
  readonly zones: readonly string[]
  readonly classes: readonly LogClass[]
}

export function log(options: LogOptions, next: Answering): Answering {
  return async (scope, query) => {
    if (!options.zones.some((zone) => liesIn(query.question.name, zone))) return next(scope, query)
    const own: Scope = childScope(scope, { part: 'dns-query' })
    const startedMs = scope.clock.monotonicMs()
    const seconds = (): number => (scope.clock.monotonicMs() - startedMs) / 1000
    try {
      const answer = await next(scope, query)
      if (isWanted(options.classes, answer)) own.log.info(lineOf(query, answer, seconds()))
      return answer
    } catch (error) {
      own.log.info(lineOf(query, undefined, seconds()))
      throw error
    }
  }
}

function isWanted(classes: readonly LogClass[], answer: Buffer): boolean {
  if (classes.includes('all')) return true
  const rcode = rcodeOf(answer)
  const isDenial = rcode === rcodes.noSuchName || (rcode === rcodes.noError && answer.readUInt16BE(6) === 0)
  return classes.includes(isDenial ? 'denial' : rcode === rcodes.noError ? 'success' : 'error')
}

/** `10.244.0.5:41000 - 4711 "A IN example.org. udp 29 false 512" NOERROR qr,rd,ra 45 0.000123s` */
export function lineOf(query: Query, answer: Buffer | undefined, seconds: number): string {
  const { client, question, message, transport } = query
  const edns = readEdns(message, question.end)
  const asked = `${question.type} IN ${question.name}. ${transport} ${message.length} ${edns?.isDo === true} ${edns?.udpBytes ?? 512}`
  const id = message.readUInt16BE(0)
  const code = answer === undefined ? 'SERVFAIL' : (rcodeNames[rcodeOf(answer)] ?? String(rcodeOf(answer)))
  const flags = answer === undefined ? '-' : flagsOf(answer.readUInt16BE(2))
  return `${client.address}:${client.port} - ${id} "${asked}" ${code} ${flags} ${answer?.length ?? 0} ${seconds.toFixed(6)}s`
}

function flagsOf(flags: number): string {
  const bits: readonly (readonly [number, string])[] = [
    [0x8000, 'qr'],
    [0x0400, 'aa'],
    [0x0200, 'tc'],
    [0x0100, 'rd'],
    [0x0080, 'ra'],
    [0x0020, 'ad'],
    [0x0010, 'cd'],
  ]
  return bits
    .filter(([bit]) => (flags & bit) !== 0)
    .map(([, name]) => name)
    .join()
}
