// What directives of a Corefile mean here. Whoever asks for something that is not done is told so, by line.

import { isIP } from 'node:net'
import { staleModes, type CacheOptions } from '../plugins/cache.ts'
import { forwardPolicies, type ForwardOptions } from '../plugins/forward.ts'
import type { HostsOptions } from '../plugins/hosts.ts'
import { logClasses, type LogOptions } from '../plugins/log.ts'
import { zoneName } from '../query.ts'
import { parseServer, type Server } from '../upstream.ts'
import { CorefileError, type Directive } from './parse.ts'

export interface Surroundings {
  /** Zones of the server block that the directive stands in. */
  readonly zones: readonly string[]
  /** What `/etc/resolv.conf` says on the node. */
  readonly nodeServers: readonly Server[]
}

const FILE = '/etc/resolv.conf'
const CACHE_ENTRIES = 9984

/** Each option line by its name; a name that is not in the table is refused. */
export function eachOption(
  directive: Directive,
  readers: Readonly<Record<string, (args: readonly string[]) => void>>,
): void {
  for (const [name = '', ...args] of directive.options ?? []) {
    const read = readers[name]
    if (read === undefined) throw refused(directive, `option "${name}" is not supported`)
    read(args)
  }
}

export function refused({ name, line }: Directive, why: string): CorefileError {
  return new CorefileError(line, `${name}: ${why}`)
}

export function numberOf(directive: Directive, text: string | undefined): number {
  if (text !== undefined && /^\d{1,9}$/.test(text)) return Number(text)
  throw refused(directive, `expected a number, found "${text ?? ''}"`)
}

/** Go's durations in seconds: `30s`, `1h`, `1m30s`; a plain number is seconds. */
export function secondsOf(directive: Directive, text: string | undefined): number {
  if (text !== undefined && /^\d{1,9}$/.test(text)) return Number(text)
  const units: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3600 }
  if (text === undefined || !/^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$/.test(text)) {
    throw refused(directive, `expected a duration such as 30s, found "${text ?? ''}"`)
  }
  let total = 0
  for (const [, amount, unit] of text.matchAll(/([\d.]+)(ms|s|m|h)/g)) total += Number(amount) * units[unit!]!
  return total
}

export function zonesOr(args: readonly string[], otherwise: readonly string[]): readonly string[] {
  return args.length === 0 ? otherwise : args.map(zoneName)
}

export function readForward(directive: Directive, { nodeServers }: Surroundings): ForwardOptions {
  const [from, ...to] = directive.args
  if (from === undefined || to.length === 0) throw refused(directive, 'needs a name and the servers to ask')
  const servers = to.flatMap((text): readonly Server[] => {
    if (text === FILE) return nodeServers
    const server = parseServer(text)
    if (server !== undefined) return [server]
    const isOther = /^(tls|https|grpc|quic):\/\//.test(text)
    throw refused(
      directive,
      isOther ? `"${text}": only plain DNS is spoken` : `"${text}" is no address and not ${FILE}`,
    )
  })
  let options: ForwardOptions = {
    servers,
    from: zoneName(from),
    except: [],
    policy: 'random',
    isTcpOnly: false,
    prefersUdp: false,
    concurrentMax: 0,
  }
  eachOption(directive, {
    except: (args) => (options = { ...options, except: [...options.except, ...args.map(zoneName)] }),
    force_tcp: () => (options = { ...options, isTcpOnly: true }),
    prefer_udp: () => (options = { ...options, prefersUdp: true }),
    policy: ([name]) => {
      const policy = forwardPolicies.find((each) => each === name)
      if (policy === undefined)
        throw refused(directive, `policy "${name ?? ''}" is none of ${forwardPolicies.join(', ')}`)
      options = { ...options, policy }
    },
    max_concurrent: ([count]) => (options = { ...options, concurrentMax: numberOf(directive, count) }),
    // Connections are not kept here, and every query asks the next server when one is silent: nothing is left to do.
    expire: ([duration]) => void secondsOf(directive, duration),
    health_check: ([duration]) => void secondsOf(directive, duration),
    max_fails: ([count]) => void numberOf(directive, count),
  })
  return options
}

export function readHosts(directive: Directive, { zones }: Surroundings): HostsOptions {
  // The first word is a file; as upstream has it, one that is not there is an empty one.
  const args = directive.args.slice(1)
  let options: HostsOptions = {
    zones: zonesOr(args, zones),
    entries: [],
    ttlSeconds: 3600,
    hasReverse: true,
    fallthrough: [],
  }
  for (const [first = '', ...rest] of directive.options ?? []) {
    if (isIP(first) !== 0) {
      if (rest.length === 0) throw refused(directive, `"${first}" has no name behind it`)
      options = { ...options, entries: [...options.entries, { address: first, names: rest.map(zoneName) }] }
    } else if (first === 'fallthrough') options = { ...options, fallthrough: zonesOr(rest, ['.']) }
    else if (first === 'ttl') options = { ...options, ttlSeconds: numberOf(directive, rest[0]) }
    else if (first === 'no_reverse') options = { ...options, hasReverse: false }
    else if (first === 'reload') secondsOf(directive, rest[0])
    else throw refused(directive, `"${first}" is neither an address nor an option`)
  }
  return options
}

export function readCache(directive: Directive, { zones }: Surroundings): CacheOptions {
  const [first, ...rest] = directive.args
  const hasTtl = first !== undefined && /^\d+$/.test(first)
  const ttl = hasTtl ? numberOf(directive, first) : undefined
  let options: CacheOptions = {
    zones: zonesOr(hasTtl ? rest : directive.args, zones),
    capacity: CACHE_ENTRIES,
    successTtlSeconds: ttl ?? 3600,
    denialTtlSeconds: ttl ?? 1800,
    stale: 'none',
    staleSeconds: 0,
  }
  eachOption(directive, {
    success: ([capacity, seconds]) => {
      const most = seconds === undefined ? options.successTtlSeconds : numberOf(directive, seconds)
      options = { ...options, capacity: numberOf(directive, capacity), successTtlSeconds: most }
    },
    denial: ([capacity, seconds]) => {
      const most = seconds === undefined ? options.denialTtlSeconds : numberOf(directive, seconds)
      options = {
        ...options,
        capacity: Math.max(options.capacity, numberOf(directive, capacity)),
        denialTtlSeconds: most,
      }
    },
    serve_stale: ([duration, mode]) => {
      const stale = staleModes.find((each) => each === (mode ?? 'immediate'))
      if (stale === undefined) throw refused(directive, `serve_stale "${mode}" is neither immediate nor verify`)
      options = { ...options, stale, staleSeconds: secondsOf(directive, duration ?? '1h') }
    },
  })
  return options
}

export function readLog(directive: Directive, { zones }: Surroundings): LogOptions {
  const format = directive.args.find((arg) => arg.includes('{') || arg.includes(' '))
  if (format !== undefined) throw refused(directive, `"${format}": lines have CoreDNS' common format only`)
  let classes: LogOptions['classes'] = ['all']
  eachOption(directive, {
    class: (args) => {
      classes = args.map((name) => {
        const found = logClasses.find((each) => each === name)
        if (found === undefined) throw refused(directive, `class "${name}" is none of ${logClasses.join(', ')}`)
        return found
      })
    },
  })
  return { zones: zonesOr(directive.args, zones), classes }
}
