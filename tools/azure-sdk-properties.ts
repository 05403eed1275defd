// What Azure's own SDK can send as properties of a cluster or a pool, read from its serializers: our tables must know all of it.

import { readFileSync } from 'node:fs'
import { repositoryRoot } from './source-files.ts'

const models = 'node_modules/@azure/arm-containerservice/dist/esm/models/models.js'

/** Paths as they stand on the wire, without lists and maps: `networkProfile.advancedNetworking.security.enabled`. */
export function sdkPaths(serializer: string): readonly string[] {
  return pathsOf(bodies(readFileSync(`${repositoryRoot}${models}`, 'utf8')), serializer, '')
}

/** The text of each serializer, by its name. */
function bodies(source: string): ReadonlyMap<string, string> {
  const found = source.matchAll(/^export function (\w+Serializer)\((?:item|result)\) \{\n([\s\S]*?)^\}/gm)
  return new Map([...found].map(([, name, body]) => [name!, onePerLine(body!)]))
}

/** Short ones stand in a single line. */
function onePerLine(body: string): string {
  const single = /^ {4}return \{ (.*) \};$/m.exec(body)?.[1]
  if (single === undefined) return body
  return single.replaceAll(/(?:^|, )("?[\w-]+"?): /g, '\n        $1: ')
}

function pathsOf(all: ReadonlyMap<string, string>, serializer: string, prefix: string): readonly string[] {
  const body = all.get(serializer)
  // What is told by the service alone has no serializer.
  if (body === undefined && prefix !== '') return [prefix.slice(0, -1)]
  if (body === undefined) throw new Error(`The SDK has no ${serializer}`)
  // Between two properties lies everything that says how the first is written.
  const parts = body.split(/^ {8}(?:"([\w-]+)"|(\w+)): /gm)
  const paths: string[] = []
  for (let at = 1; at < parts.length; at += 3) {
    const path = `${prefix}${parts[at] ?? parts[at + 1]}`
    const inner = /\b(\w+Serializer)\(/.exec(parts[at + 2]!)?.[1]
    paths.push(...(inner === undefined || isCollection(inner) ? [path] : pathsOf(all, inner, `${path}.`)))
  }
  return paths
}

function isCollection(serializer: string): boolean {
  return /(?:Array|Record)Serializer$/.test(serializer)
}
