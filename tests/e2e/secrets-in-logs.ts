// Looks for secrets where none may be: in the logs of servers, agents and containerd, in audit lines, events and errors. Every story
// is looked through at its end, for what it planted and for the keys and tokens that the product itself made meanwhile.

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

export interface Leak {
  /** A file, or what else was looked through. */
  readonly where: string
  /** Which secret, never its value. */
  readonly secret: string
  readonly line: string
}

/** What a secret is called, and its value: at least 16 letters and digits, so that it is nothing else by accident. */
export type Secrets = ReadonlyMap<string, string>

/** Half a gigabyte of containers' files and volumes holds no logs of ours; what containers print themselves is theirs. */
const skipped = new Set(['store', 'stores', 'containerd', 'kubelet', 'pod-logs', 'images', 'disks', 'run', 'shell'])
const isLog = /\.(?:log|jsonl)(?:[.-]|$)|^audit-/

export async function logFiles(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
  const found = await Promise.all(
    entries.map(async (entry) => {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) return skipped.has(entry.name) ? [] : logFiles(path)
      return entry.isFile() && isLog.test(entry.name) ? [path] : []
    }),
  )
  return found.flat()
}

export async function leaksInFiles(folder: string, secrets: Secrets): Promise<readonly Leak[]> {
  const leaks: Leak[] = []
  for (const path of await logFiles(folder)) {
    const text = await readFile(path, 'latin1')
    // Secrets are long: a log is read once for what is as long, and that is little and often the same.
    const long = [...new Set(text.match(/[\w+/-]{16,}/g))].join('\n')
    const found = new Set(leaksIn(path, long, secrets).map(({ secret }) => secret))
    leaks.push(...leaksIn(path, text, new Map([...secrets].filter(([secret]) => found.has(secret)))))
  }
  return leaks
}

/** The value itself, and what base64 makes of it wherever in a longer text it begins. */
export function leaksIn(where: string, text: string, secrets: Secrets): readonly Leak[] {
  return [...secrets].flatMap(([secret, value]) => {
    const at = formsOf(value)
      .map((form) => text.indexOf(form))
      .find((one) => one >= 0)
    if (at === undefined) return []
    const start = Math.max(text.lastIndexOf('\n', at), at - 300)
    return [{ where, secret, line: text.slice(start, at).trim() }]
  })
}

function formsOf(value: string): readonly string[] {
  const shifted = [0, 1, 2].map((before) => {
    const bytes = Buffer.concat([Buffer.alloc(before), Buffer.from(value)])
    // The first and the last characters depend on what stands beside.
    return bytes.toString('base64').slice(before === 0 ? 0 : 4, -4)
  })
  return [value, ...shifted, Buffer.from(value).toString('hex')]
}

const privateKey = /-----BEGIN [A-Z ]*PRIVATE KEY-----([^-]+)-----END/g
const jsonWebToken = /\beyJ[\w-]+\.eyJ[\w-]+\.([\w-]{40,})/g
const encoded = /LS0tLS1CRUdJTiB[A-Za-z0-9+/=]+/g

/** Keys and tokens in a text: of each as much as makes it recognisable. Kubeconfigs have theirs in base64. */
export function secretsIn(what: string, text: string): Secrets {
  const found = new Map<string, string>()
  const plain =
    text + [...text.matchAll(encoded)].map(([one]) => Buffer.from(one, 'base64').toString('latin1')).join('\n')
  const add = (kind: string, value: string): void => void found.set(`${what}: ${kind} ${found.size + 1}`, value)
  for (const [, body = ''] of plain.matchAll(privateKey)) {
    const line = body.split(/\\n|\n/).findLast((one) => one.length >= 40)
    // The head of a key tells its kind alone: the end is its own.
    if (line !== undefined) add('private key', line.slice(-40))
  }
  for (const [, signature = ''] of plain.matchAll(jsonWebToken)) add('token', signature)
  return found
}

/** What servers and machines keep for themselves below the data folder: authorities, keys, kubeconfigs. */
export async function secretsInFolder(folder: string): Promise<Secrets> {
  const found = new Map<string, string>()
  const visit = async (path: string): Promise<void> => {
    for (const entry of await readdir(path, { withFileTypes: true }).catch(() => [])) {
      const inner = join(path, entry.name)
      if (entry.isDirectory()) {
        if (!skipped.has(entry.name)) await visit(inner)
        continue
      }
      if (!entry.isFile() || isLog.test(entry.name)) continue
      const text = await readFile(inner, 'latin1').catch(() => '')
      if (text.length < 2_000_000) for (const [name, value] of secretsIn(inner, text)) found.set(name, value)
    }
  }
  await visit(folder)
  return found
}
