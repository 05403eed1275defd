// Resources of a pod as a whole: no less than its containers ask for together, no container over its limit.

import { addQuantities, compareQuantities, formatQuantity, parseQuantity, type Quantity } from '@aksel/base/quantity'
import { forbidden, invalid, notSupported, type FieldError } from '../field-errors.ts'
import type { Container, PodSpec } from '../types/core-v1.ts'
import { isHugePages, validateAgainstLimits, validateQuantity } from './resources.ts'

type Sums = Map<string, Quantity>

const podLevel = ['cpu', 'memory']

export function validatePodResources(spec: PodSpec, path: string): readonly FieldError[] {
  const { resources } = spec
  if (resources === undefined) return []
  const errors: FieldError[] = []
  if (resources.claims !== undefined)
    errors.push(forbidden(`${path}.claims`, 'claims cannot be set for Resources at pod-level'))
  for (const part of ['limits', 'requests'] as const) {
    for (const [name, quantity] of Object.entries(resources[part] ?? {})) {
      const at = `${path}.${part}[${name}]`
      if (!podLevel.includes(name) && !isHugePages(name)) errors.push(notSupported(at, name, podLevel))
      errors.push(...validateQuantity(quantity, at))
    }
  }
  errors.push(...validateAgainstLimits(resources, path))
  if (errors.length > 0) return errors
  return [...validateSums(spec, path), ...validateEach(spec, path)]
}

function validateSums(spec: PodSpec, path: string): readonly FieldError[] {
  return [...requestsOf(spec)].flatMap(([name, sum]) => {
    const asked = spec.resources?.requests?.[name] ?? '0'
    if (compareQuantities(sum, parseQuantity(asked)) <= 0) return []
    const words = `must be greater than or equal to aggregate container requests of ${formatQuantity(sum)}`
    return [invalid(`${path}.requests[${name}]`, String(asked), words)]
  })
}

/** What containers ask for together; an init container that stays counts on, another only while it runs. */
function requestsOf({ containers, initContainers = [] }: PodSpec): Sums {
  const total: Sums = new Map()
  for (const container of containers) add(total, container)
  const staying: Sums = new Map()
  const peak: Sums = new Map()
  for (const container of initContainers) {
    if (container.restartPolicy === 'Always') {
      add(total, container)
      add(staying, container)
      raise(peak, staying)
    } else {
      const now: Sums = new Map(staying)
      add(now, container)
      raise(peak, now)
    }
  }
  raise(total, peak)
  return total
}

function add(sums: Sums, { resources }: Container): void {
  for (const [name, quantity] of Object.entries(resources?.requests ?? {})) {
    const before = sums.get(name)
    const more = parseQuantity(quantity)
    sums.set(name, before === undefined ? more : addQuantities(before, more))
  }
}

function raise(sums: Sums, others: Sums): void {
  for (const [name, quantity] of others) {
    const before = sums.get(name)
    if (before === undefined || compareQuantities(before, quantity) < 0) sums.set(name, quantity)
  }
}

function validateEach(spec: PodSpec, path: string): readonly FieldError[] {
  return (spec.containers ?? []).flatMap(({ resources }, index) =>
    Object.entries(resources?.limits ?? {}).flatMap(([name, quantity]) => {
      const limit = spec.resources?.limits?.[name]
      if (limit === undefined || compareQuantities(parseQuantity(quantity), parseQuantity(limit)) <= 0) return []
      const words = `must be less than or equal to pod limits of ${limit}`
      return [invalid(`${path}.containers[${index}][${name}].limits`, String(quantity), words)]
    }),
  )
}
