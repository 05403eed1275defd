// Puts a cluster's credentials into a kubeconfig that may hold others, without losing a word of theirs.

import { chmodSync, existsSync, mkdirSync, readFileSync, realpathSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { AzError } from './az-error.ts'

interface Entry {
  readonly name: string
  readonly [field: string]: unknown
}

interface Kubeconfig {
  readonly clusters?: readonly Entry[]
  readonly contexts?: readonly Entry[]
  readonly users?: readonly Entry[]
  readonly 'current-context'?: string
  readonly [field: string]: unknown
}

const lists = ['clusters', 'users', 'contexts'] as const

export interface MergeRequest {
  readonly existing: string
  readonly addition: string
  readonly overwrite: boolean
  /** Another name for the context. */
  readonly context?: string
}

/** The merged text and its current context; throws where a different object has a name that is wanted. */
export async function mergeKubeconfig(
  request: MergeRequest,
): Promise<{ readonly text: string; readonly context: string }> {
  const { parse, stringify } = await import('yaml')
  const addition = rename(parse(request.addition) as Kubeconfig, request.context)
  const context = addition['current-context'] ?? ''
  if (request.existing.trim() === '') return { text: stringify(addition), context }
  const existing = parse(request.existing) as Kubeconfig | null
  if (typeof existing !== 'object' || existing === null)
    throw new AzError('The kubeconfig file is not a mapping in YAML.')
  const merged: Record<string, unknown> = { ...existing }
  for (const list of lists)
    merged[list] = mergeList(list, existing[list] ?? [], addition[list] ?? [], request.overwrite)
  merged['current-context'] = context
  return { text: stringify(merged), context }
}

function rename(config: Kubeconfig, context: string | undefined): Kubeconfig {
  if (context === undefined) return config
  const contexts = (config.contexts ?? []).map((entry) => ({ ...entry, name: context }))
  return { ...config, contexts, 'current-context': context }
}

function mergeList(
  list: string,
  existing: readonly Entry[],
  addition: readonly Entry[],
  overwrite: boolean,
): readonly Entry[] {
  const result = [...existing]
  for (const entry of addition) {
    const at = result.findIndex(({ name }) => name === entry.name)
    if (at < 0) result.push(entry)
    else if (overwrite || JSON.stringify(result[at]) === JSON.stringify(entry)) result[at] = entry
    else throw new NameTaken(entry.name, list)
  }
  return result
}

export class NameTaken extends AzError {
  readonly taken: string

  constructor(name: string, list: string) {
    super(
      `A different object named ${name} already exists in ${list} in your kubeconfig file. Use --overwrite-existing to replace it.`,
    )
    this.taken = name
  }
}

export function readKubeconfig(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : ''
}

/** Whole or not at all, for the owner alone; a link stays a link. */
export function writeKubeconfig(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const target = existsSync(path) ? realpathSync(path) : path
  const partial = `${target}.${process.pid}.partial`
  writeFileSync(partial, text, { mode: 0o600 })
  chmodSync(partial, 0o600)
  renameSync(partial, target)
}
