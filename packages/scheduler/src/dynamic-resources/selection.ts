// Which devices a request's expressions, taints and tolerations let through.

import type { DeviceClass, DeviceSelector, DeviceTaint, DeviceToleration } from '@aksel/api/types/resource-v1'
import type { Program } from '@aksel/cel/compile'
import { deviceValue, picksDevice } from '@aksel/cel/device-value'
import { compileDeviceExpression } from '@aksel/cel/devices'
import { toleratesDeviceTaint } from '@aksel/runtime/device-taints'
import type { OfferedDevice } from './pools.ts'

/** Ends the search on this node: no other choice of devices would help. In upstream's words. */
export class AllocationProblem extends Error {}

const PROGRAMS_MAX = 1000

/** Expressions compiled once, and what each answered for a device. */
export class Selectors {
  readonly #programs = new Map<string, Program | string>()
  readonly #values = new WeakMap<OfferedDevice, ReturnType<typeof deviceValue>>()
  readonly #answers = new WeakMap<OfferedDevice, Map<string, boolean>>()

  /** Throws AllocationProblem that begins with `of`, which names a class or a claim. */
  pick(device: OfferedDevice, selectors: readonly DeviceSelector[] | undefined, of: string): boolean {
    return (selectors ?? []).every(({ cel }, index) => {
      if (cel === undefined) throw new AllocationProblem(`${of}: selector #${index}: unsupported selector`)
      try {
        return this.#answer(device, cel.expression)
      } catch (error) {
        if (error instanceof AllocationProblem)
          throw new AllocationProblem(`${of}: selector #${index}: ${error.message}`)
        throw new AllocationProblem(`${of}: selector #${index}: CEL runtime error: ${(error as Error).message}`)
      }
    })
  }

  #answer(device: OfferedDevice, expression: string): boolean {
    const known = this.#answers.get(device)?.get(expression)
    if (known !== undefined) return known
    const program = this.#program(expression)
    if (typeof program === 'string') throw new AllocationProblem(`CEL compile error: ${program}`)
    let value = this.#values.get(device)
    if (value === undefined)
      this.#values.set(device, (value = deviceValue({ driver: device.driver, ...device.device })))
    const picked = picksDevice(program, value)
    const answers = this.#answers.get(device) ?? new Map<string, boolean>()
    this.#answers.set(device, answers.set(expression, picked))
    return picked
  }

  #program(expression: string): Program | string {
    const known = this.#programs.get(expression)
    if (known !== undefined) return known
    const { program, complaint } = compileDeviceExpression(expression)
    this.#programs.set(expression, program ?? complaint)
    if (this.#programs.size > PROGRAMS_MAX) this.#programs.delete(this.#programs.keys().next().value!)
    return program ?? complaint
  }
}

export function classPicks(selectors: Selectors, device: OfferedDevice, { metadata, spec }: DeviceClass): boolean {
  return selectors.pick(device, spec.selectors, `class ${metadata.name}`)
}

/** Taints of effect None, and those that are unknown, keep nobody away. */
export function isTolerated(
  taints: readonly DeviceTaint[] | undefined,
  tolerations: readonly DeviceToleration[] | undefined,
): boolean {
  return (taints ?? []).every(
    (taint) =>
      (taint.effect !== 'NoSchedule' && taint.effect !== 'NoExecute') ||
      (tolerations ?? []).some((toleration) => toleratesDeviceTaint(toleration, taint)),
  )
}
