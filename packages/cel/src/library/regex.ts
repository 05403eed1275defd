// `find` and `findAll` by RE2 patterns.

import { declare, type FunctionDeclaration } from '../functions.ts'
import { compilePattern } from '../patterns.ts'
import { exactly, matching, plus, regexFactor, scaled, times, traversalFactor } from '../cost-ranges.ts'
import { ArrayList, sizeOf } from '../values.ts'
import type { CostOf, EstimateOf } from '../functions.ts'

const cost: CostOf = ([text, pattern]) => matching(sizeOf(text!), sizeOf(pattern!))

const estimate: EstimateOf = ({ target, args }) => ({
  cost: times(scaled(plus(target!.size, exactly(1)), traversalFactor), scaled(args[0]!.size, regexFactor)),
  resultSize: { min: 0, max: target!.size.max },
})

function findAll(text: string, pattern: string, limit = -1n): ArrayList {
  return new ArrayList(compilePattern(pattern).findAll(text, Number(limit)))
}

export const regexFunctions: readonly FunctionDeclaration[] = [
  declare(
    'find',
    { 'string.(string) -> string': (text: string, pattern: string) => compilePattern(pattern).find(text) ?? '' },
    { cost, estimate },
  ),
  declare(
    'findAll',
    { 'string.(string) -> list<string>': findAll, 'string.(string, int) -> list<string>': findAll },
    { cost, estimate },
  ),
]
