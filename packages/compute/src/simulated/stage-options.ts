// What a pod may ask of its simulation: the delays, exits and failures that its containers pass instead of running.

import type { Pod } from '@aksel/api/types/core-v1'

/** On a pod: JSON of `StageOptions`. On a node: the same for every pod there that says nothing itself. */
export const stagesAnnotation = 'aksel.dev/simulated-stages'

/** Seconds are not negative and may have a fraction; every field may be absent. */
export interface StageOptions {
  /** From binding to the first container, 0 when absent. */
  readonly startSeconds?: number
  /** Up to this much more, drawn from the pod's uid. */
  readonly jitterSeconds?: number
  /** How long each init container runs, 0 when absent. */
  readonly initSeconds?: number
  /** Exit codes of the init containers' attempts, in order; 0 when they are used up. */
  readonly initExitCodes?: readonly number[]
  /** From running to ready, 0 when absent. */
  readonly readySeconds?: number
  /** False: never ready. */
  readonly ready?: boolean
  /** How long a container runs; absent: a Job's runs a second, any other forever. */
  readonly runSeconds?: number
  /** Exit codes of a container's attempts, in order; the last one stays, 0 when absent. */
  readonly exitCodes?: readonly number[]
  /** Why it ends with a code that is not 0: `Error` when absent, `OOMKilled`. */
  readonly exitReason?: string
  /** What the containers leave as their termination message. */
  readonly message?: string
  /** Images cannot be pulled. */
  readonly imagePullFails?: boolean
  /** From the deletion's request to the end, 0 when absent; never longer than the grace period. */
  readonly terminationSeconds?: number
  /** Usage that the metrics API tells, as quantities for the whole pod. */
  readonly cpu?: string
  readonly memory?: string
  /** What differs for single containers, by name. */
  readonly containers?: Readonly<Record<string, StageOptions>>
}

type FieldKind = 'seconds' | 'codes' | 'boolean' | 'text' | 'containers'

const fields: Readonly<Record<string, FieldKind>> = {
  startSeconds: 'seconds',
  jitterSeconds: 'seconds',
  initSeconds: 'seconds',
  initExitCodes: 'codes',
  readySeconds: 'seconds',
  ready: 'boolean',
  runSeconds: 'seconds',
  exitCodes: 'codes',
  exitReason: 'text',
  message: 'text',
  imagePullFails: 'boolean',
  terminationSeconds: 'seconds',
  cpu: 'text',
  memory: 'text',
  containers: 'containers',
}

/** Why a pod's stages cannot be read; its containers stay waiting with this message. */
export class StageOptionsError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'StageOptionsError'
  }
}

/** Reads the annotation's JSON. Throws StageOptionsError that names the field and quotes the value. */
export function parseStageOptions(text: string): StageOptions {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new StageOptionsError(`Annotation ${stagesAnnotation} is no JSON: ${text.slice(0, 100)}`)
  }
  return checked(value, '')
}

function checked(value: unknown, path: string): StageOptions {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new StageOptionsError(`Annotation ${stagesAnnotation}: ${path === '' ? 'it' : path} must be an object`)
  for (const [name, field] of Object.entries(value)) {
    const kind = Object.hasOwn(fields, name) ? fields[name]! : undefined
    const where = path === '' ? name : `${path}.${name}`
    if (kind === undefined) throw new StageOptionsError(`Annotation ${stagesAnnotation}: unknown field "${where}"`)
    if (kind === 'containers') {
      for (const [container, more] of Object.entries(field as object)) checked(more, `${where}.${container}`)
    } else if (!isOf(kind, field)) {
      const shown = JSON.stringify(field)
      throw new StageOptionsError(`Annotation ${stagesAnnotation}: ${where} must be ${wanted[kind]}, not ${shown}`)
    }
  }
  return value as StageOptions
}

const wanted = {
  seconds: 'a number of seconds from 0',
  codes: 'a list of exit codes from 0 to 255',
  boolean: 'true or false',
  text: 'text',
} as const

function isOf(kind: Exclude<FieldKind, 'containers'>, value: unknown): boolean {
  switch (kind) {
    case 'seconds':
      return typeof value === 'number' && Number.isFinite(value) && value >= 0
    case 'codes':
      return Array.isArray(value) && value.every((code: unknown) => Number.isInteger(code) && Number(code) >> 8 === 0)
    case 'boolean':
      return typeof value === 'boolean'
    case 'text':
      return typeof value === 'string'
    default:
      return kind satisfies never
  }
}

/** A pod's own options over those of its node. Throws StageOptionsError. */
export function stageOptionsOf(pod: Pod, ofNode: StageOptions = {}): StageOptions {
  const text = pod.metadata.annotations?.[stagesAnnotation]
  const own = text === undefined ? {} : parseStageOptions(text)
  const forKind: StageOptions = isOfJob(pod) ? { runSeconds: 1 } : {}
  return { ...forKind, ...ofNode, ...own }
}

export function forContainer(options: StageOptions, name: string): StageOptions {
  return { ...options, ...options.containers?.[name] }
}

function isOfJob(pod: Pod): boolean {
  return pod.metadata.ownerReferences?.some(({ kind, controller }) => kind === 'Job' && controller === true) === true
}

/** The code of the attempt, counted from 0. */
export function exitCodeAt(codes: readonly number[] | undefined, attempt: number, after: 'last' | 'zero'): number {
  if (codes === undefined || codes.length === 0) return 0
  return codes[attempt] ?? (after === 'last' ? codes.at(-1)! : 0)
}
