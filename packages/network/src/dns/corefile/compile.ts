// From `coredns-custom` to plug-ins in upstream's order. All of it is taken, or nothing: who leads a cluster's names astray
// by half a change finds out too late.

import type { Scope } from '@aksel/base/scope'
import { cache } from '../plugins/cache.ts'
import { forward } from '../plugins/forward.ts'
import { hosts } from '../plugins/hosts.ts'
import { log } from '../plugins/log.ts'
import { rewrite } from '../plugins/rewrite.ts'
import { template } from '../plugins/template.ts'
import { zoneName, type Answering, type Query } from '../query.ts'
import { readCache, readForward, readHosts, readLog, refused, type Surroundings } from './directives.ts'
import { CorefileError, parseDirectives, parseServerBlocks, type Directive } from './parse.ts'
import { readRewrite, readTemplate } from './renaming.ts'
import type { Server } from '../upstream.ts'

export interface CustomServers {
  /** The servers of blocks that are the user's own, by zone. */
  readonly blocks: ReadonlyMap<string, Answering>
  /** What the user adds to the cluster's own block: undefined where it adds nothing. */
  readonly around: ((inner: Answering) => Answering) | undefined
  /** Keys that nobody reads. */
  readonly ignoredKeys: readonly string[]
}

export const noCustomServers: CustomServers = { blocks: new Map(), around: undefined, ignoredKeys: [] }

/** Throws one error that names every key, line and directive which cannot be done. */
export function compileCustom(
  data: Readonly<Record<string, string>>,
  options: { readonly nodeServers: readonly Server[] },
): CustomServers {
  const faults: string[] = []
  const blocks = new Map<string, Answering>()
  const overrides: Directive[] = []
  const ignoredKeys: string[] = []
  const attempt = (key: string, work: () => void): void => {
    try {
      work()
    } catch (error) {
      if (!(error instanceof CorefileError)) throw error
      faults.push(`${key}: ${error.message}`)
    }
  }
  for (const [key, text] of Object.entries(data).toSorted(([left], [right]) => (left < right ? -1 : 1))) {
    if (key.endsWith('.override')) attempt(key, () => overrides.push(...parseDirectives(text)))
    else if (key.endsWith('.server')) attempt(key, () => addBlocks(blocks, text, options.nodeServers))
    else ignoredKeys.push(key)
  }
  let around: CustomServers['around']
  attempt('*.override', () => {
    const surroundings = { zones: ['.'], nodeServers: options.nodeServers }
    const plugins = pluginsOf(overrides, surroundings)
    if (plugins.length > 0) around = (inner) => plugins.reduceRight((next, plugin) => plugin(next), inner)
  })
  if (faults.length > 0) throw new Error(faults.join('; '))
  return { blocks, around, ignoredKeys }
}

function addBlocks(blocks: Map<string, Answering>, text: string, nodeServers: readonly Server[]): void {
  for (const { keys, directives, line } of parseServerBlocks(text)) {
    const zones = keys.map((key) => zoneOfKey(key, line))
    const plugins = pluginsOf(directives, { zones, nodeServers })
    const answering = plugins.reduceRight<Answering>((next, plugin) => plugin(next), nobody)
    for (const zone of zones) {
      if (zone === '.') throw new CorefileError(line, 'zone "." belongs to the cluster: use an .override key')
      if (blocks.has(zone)) throw new CorefileError(line, `cannot serve dns://${zone}.:53 - it is already defined`)
      blocks.set(zone, answering)
    }
  }
}

function nobody(_scope: Scope, query: Query): never {
  throw new Error(`No directive of its server block answers "${query.question.name}"`)
}

function zoneOfKey(key: string, line: number): string {
  const [, scheme, name = '', port] = /^(?:(\w+):\/\/)?([^:/]*)(?::(\d+))?$/.exec(key) ?? []
  if (name === '' || (scheme !== undefined && scheme !== 'dns')) {
    throw new CorefileError(line, `"${key}": only plain DNS is served, by name`)
  }
  if (port !== undefined && port !== '53')
    throw new CorefileError(line, `"${key}": cluster DNS listens on port 53 only`)
  return zoneName(name)
}

type Plugin = (next: Answering) => Answering

/** Upstream's order of plug-ins, whatever the order of lines; several of one kind follow one another as they stand. */
const order = ['log', 'cache', 'rewrite', 'template', 'hosts', 'forward']
/** They say what is done anyway. */
const given = ['errors', 'loop', 'reload', 'ready', 'loadbalance', 'debug']

function pluginsOf(directives: readonly Directive[], surroundings: Surroundings): readonly Plugin[] {
  const unknown = directives.find(({ name }) => !order.includes(name) && !given.includes(name))
  if (unknown !== undefined) throw refused(unknown, 'this directive is not supported')
  const optioned = directives.find(({ name, options }) => given.includes(name) && options !== undefined)
  if (optioned !== undefined) throw refused(optioned, 'its options are not supported')
  const rules = directives.filter(({ name }) => name === 'rewrite').map(readRewrite)
  return order.flatMap((kind): readonly Plugin[] => {
    if (kind === 'rewrite') return rules.length === 0 ? [] : [(next) => rewrite(rules, next)]
    return directives.filter(({ name }) => name === kind).map((directive) => pluginOf(directive, surroundings))
  })
}

function pluginOf(directive: Directive, surroundings: Surroundings): Plugin {
  switch (directive.name) {
    case 'log': {
      const options = readLog(directive, surroundings)
      return (next) => log(options, next)
    }
    case 'cache': {
      const options = readCache(directive, surroundings)
      return (next) => cache(options, next).answer
    }
    case 'template': {
      const options = readTemplate(directive, surroundings)
      return (next) => template(options, next)
    }
    case 'hosts': {
      const options = readHosts(directive, surroundings)
      return (next) => hosts(options, next)
    }
    default: {
      const options = readForward(directive, surroundings)
      return (next) => forward(options, next)
    }
  }
}
