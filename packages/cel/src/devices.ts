// Expressions that pick devices: what `device` is to them, and how dear they may be.

import { compile, type Program } from './compile.ts'
import { environment } from './environment.ts'
import { CelCompileError } from './problems.ts'
import { boolType, dynType, mapOf, objectType, opaque, stringType, typeName, type CelType } from './types.ts'

/** Units that one device may cost, by the estimate and by the evaluation. */
export const deviceCostMax = 1_000_000

/** Limits of a ResourceSlice: attributes and capacities of one device, and the lengths of their names. */
const entriesMax = 32
const domainMax = 63
const identifierMax = 32

const quantityType = opaque('kubernetes.Quantity')
const domain: CelType = { ...stringType, maxElements: domainMax }
const identifier: CelType = { ...stringType, maxElements: identifierMax }

function byDomain(value: CelType): CelType {
  return mapOf(domain, mapOf(identifier, value, { maxElements: entriesMax }), { maxElements: entriesMax })
}

export const deviceType = objectType('kubernetes.DRADevice', {
  driver: { ...stringType, maxElements: domainMax },
  allowMultipleAllocations: boolType,
  attributes: byDomain(dynType),
  capacity: byDomain(quantityType),
})

export type DeviceExpression =
  | { readonly program: Program; readonly complaint?: undefined }
  /** Upstream's words; `isTooDear`: it compiles, but no server would evaluate it. */
  | { readonly program?: undefined; readonly complaint: string; readonly isTooDear: boolean }

export function compileDeviceExpression(expression: string): DeviceExpression {
  let program: Program
  try {
    program = compile(expression, environment({ variables: { device: deviceType }, hasBindings: true }))
  } catch (error) {
    if (!(error instanceof CelCompileError)) throw error
    return { complaint: `compilation failed: ${error.message}`, isTooDear: false }
  }
  const { kind } = program.outputType
  if (kind !== 'bool' && kind !== 'dyn') {
    const complaint = `must evaluate to bool or the unknown type, not ${typeName(program.outputType)}`
    return { complaint, isTooDear: false }
  }
  if (program.estimatedCost().max > deviceCostMax)
    return { complaint: 'too complex, exceeds cost limit', isTooDear: true }
  return { program }
}
