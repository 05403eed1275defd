// What a pod asks of a node, as numbers: its containers, or its largest init step, or what it says for itself as a whole.

import type { Container, ContainerStatus, Pod } from '@aksel/api/types/core-v1'
import { QuantityError, quantityMilli, quantityUnits } from '@aksel/base/quantity'

/** Amounts by resource name: cpu in millicores, everything else in its own unit. */
export type Amounts = Readonly<Record<string, number>>

type QuantityList = Readonly<Record<string, number | string>>

/** What scoring assumes of a container that asks for nothing, so that such pods spread too. */
export const assumedCpuMilli = 100
export const assumedMemoryBytes = 200 * 1024 * 1024

export function amountsOf(list: QuantityList | undefined): Amounts {
  const amounts: Record<string, number> = {}
  if (list === undefined) return amounts
  for (const name in list) amounts[name] = amountOf(name, list[name]!)
  return amounts
}

const shortForm = /^(\d{1,12})(|m|Ki|Mi|Gi)$/
const factors: Readonly<Record<string, number>> = { '': 1, Ki: 1024, Mi: 1024 ** 2, Gi: 1024 ** 3 }

/** The common short spellings at once, the rest exactly; what was stored and is no quantity counts as nothing. */
export function amountOf(name: string, quantity: number | string): number {
  const match = shortForm.exec(String(quantity))
  if (match === null) return exactAmount(name, quantity)
  const digits = Number(match[1])
  if (match[2] === 'm') return name === 'cpu' ? digits : Math.ceil(digits / 1000)
  const units = digits * factors[match[2]!]!
  return name === 'cpu' ? units * 1000 : units
}

function exactAmount(name: string, quantity: number | string): number {
  try {
    return name === 'cpu' ? quantityMilli(quantity) : quantityUnits(quantity)
  } catch (error) {
    if (error instanceof QuantityError) return 0
    throw error
  }
}

/** Adds `more` into `sum`. */
function add(sum: Record<string, number>, more: Amounts): void {
  for (const name in more) sum[name] = (sum[name] ?? 0) + more[name]!
}

function raise(most: Record<string, number>, to: Amounts): void {
  for (const name in to) most[name] = Math.max(most[name] ?? 0, to[name]!)
}

/** How one container counts: as it asks, or more where it is being resized; scoring fills in what it does not say. */
type Counting = (container: Container) => Amounts

/**
 * The request that scheduling counts. Side-cars (init containers that restart always) run beside the containers and
 * beside the init steps that follow them; other init containers run one at a time before. What the pod asks for as a
 * whole replaces the sum of its containers; overhead comes on top.
 */
function total(pod: Pod, counting: Counting): Amounts {
  const { spec } = pod
  const sum: Record<string, number> = {}
  for (const container of spec.containers ?? []) add(sum, counting(container))
  if (spec.initContainers !== undefined && spec.initContainers.length > 0)
    withInitSteps(sum, spec.initContainers, counting)
  const whole = spec.resources?.requests
  if (whole !== undefined) for (const name in whole) if (isPodLevel(name)) sum[name] = amountOf(name, whole[name]!)
  if (spec.overhead !== undefined) add(sum, amountsOf(spec.overhead))
  return sum
}

function withInitSteps(sum: Record<string, number>, steps: readonly Container[], counting: Counting): void {
  const sideCars: Record<string, number> = {}
  const peak: Record<string, number> = {}
  for (const step of steps) {
    const own = counting(step)
    if (step.restartPolicy === 'Always') {
      add(sideCars, own)
      raise(peak, sideCars)
    } else {
      const beside = { ...sideCars }
      add(beside, own)
      raise(peak, beside)
    }
  }
  add(sum, sideCars)
  raise(sum, peak)
}

function isPodLevel(name: string): boolean {
  return name === 'cpu' || name === 'memory' || name.startsWith('hugepages-')
}

export function requestOf(pod: Pod): Amounts {
  const statuses = resizedStatuses(pod)
  return total(pod, (container) => {
    const asked = amountsOf(container.resources?.requests)
    const status = statuses?.get(container.name)
    return status === undefined ? asked : whileResizing(pod, asked, status)
  })
}

/** Statuses that tell of other amounts than the specification; undefined where none does, which is nearly always. */
function resizedStatuses(pod: Pod): ReadonlyMap<string, ContainerStatus> | undefined {
  const told = pod.status?.containerStatuses
  if (told === undefined) return undefined
  let found: Map<string, ContainerStatus> | undefined
  for (const status of told) {
    if (status.allocatedResources === undefined && status.resources === undefined) continue
    found ??= new Map()
    found.set(status.name, status)
  }
  return found
}

/** Until a resize is through, the larger of what is asked, granted and used counts; one that cannot be, does not count. */
function whileResizing(pod: Pod, asked: Amounts, status: ContainerStatus): Amounts {
  const infeasible =
    pod.status?.resize === 'Infeasible' ||
    pod.status?.conditions?.some(({ type, reason }) => type === 'PodResizePending' && reason === 'Infeasible') === true
  const most: Record<string, number> = infeasible ? {} : { ...asked }
  raise(most, amountsOf(status.allocatedResources))
  raise(most, amountsOf(status.resources?.requests))
  return most
}

/** As requested, with upstream's guesses of cpu and memory for containers that ask for none. */
export function scoringRequestOf(pod: Pod): { readonly cpu: number; readonly memory: number } {
  const sum = total(pod, (container) => {
    const asked = amountsOf(container.resources?.requests)
    return {
      ...asked,
      cpu: asked['cpu'] ?? assumedCpuMilli,
      memory: asked['memory'] ?? assumedMemoryBytes,
    }
  })
  return { cpu: sum['cpu'] ?? 0, memory: sum['memory'] ?? 0 }
}
