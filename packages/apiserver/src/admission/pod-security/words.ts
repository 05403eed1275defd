// How the Pod Security checks name what they found.

import type { Container, Pod } from '@aksel/api/types/core-v1'

export type PodSpec = Pod['spec']

/** What a check looks at: a pod, or the template of one. */
export interface CheckedPod {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> }
  readonly spec: PodSpec
}

export interface Violation {
  readonly reason: string
  readonly detail: string
}

export function containersOf(spec: PodSpec): readonly Container[] {
  return [
    ...(spec.initContainers ?? []),
    ...(spec.containers ?? []),
    ...((spec.ephemeralContainers ?? []) as unknown as readonly Container[]),
  ]
}

export function plural(word: string, count: number): string {
  return count === 1 ? word : `${word}s`
}

export function quoted(items: Iterable<string>): string {
  return [...items].map((item) => `"${item}"`).join(', ')
}

/** `container "a"`, `containers "a", "b"` */
export function named(names: readonly string[]): string {
  return `${plural('container', names.length)} ${quoted(names)}`
}

export function sorted(values: Iterable<string>): readonly string[] {
  return [...new Set(values)].toSorted((a, b) => (a < b ? -1 : 1))
}

/** Containers for which this holds, by name. */
export function containersWhere(spec: PodSpec, holds: (container: Container) => boolean): readonly string[] {
  return containersOf(spec)
    .filter(holds)
    .map(({ name }) => name)
}

/** `pod and container "a"` */
export function setters(isPod: boolean, containers: readonly string[]): readonly string[] {
  return [...(isPod ? ['pod'] : []), ...(containers.length === 0 ? [] : [named(containers)])]
}
