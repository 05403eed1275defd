// The rules in CEL of a definition: do they compile, what may they cost, and do they look at old values where there are any?

import { estimatedCostMax, estimatedCostPerCrdMax } from '@aksel/cel/compile'
import { forbidden, invalid, type FieldError } from '../../field-errors.ts'
import type { JSONSchemaProps } from '../../types/apiextensions-v1.ts'
import { ruleTree, type CompiledRule, type RuleNode } from '../rule-tree.ts'

/** How large a request may be, in bytes: bounds how often a value can stand in it. */
const requestMaxBytes = 3 * 1024 * 1024

interface Place {
  /** How often the value can stand in one object; undefined: nobody bounds it. */
  readonly cardinality: number | undefined
  /** The list whose items cannot be told apart, if the value is within one. */
  readonly uncorrelatable: string | undefined
}

interface Cost {
  readonly path: string
  readonly units: number
}

export interface ExpressionOptions {
  /** A version whose schema did not change keeps rules that are dearer than allowed now. */
  readonly allowDearRules: boolean
}

export function expressionErrors(
  schema: JSONSchemaProps,
  path: string,
  { allowDearRules }: ExpressionOptions,
): readonly FieldError[] {
  const tree = ruleTree(schema, true)
  if (tree === undefined) return []
  const judge = new Judge(allowDearRules)
  judge.visit(tree, path, { cardinality: 1, uncorrelatable: undefined })
  return [...judge.errors, ...judge.total(path)]
}

class Judge {
  readonly errors: FieldError[] = []
  readonly #costs: Cost[] = []
  readonly #allowDear: boolean

  constructor(allowDear: boolean) {
    this.#allowDear = allowDear
  }

  visit(node: RuleNode, path: string, place: Place): void {
    const { schema } = node
    const most = elementsMax(schema)
    const cardinality = place.cardinality === undefined || most === undefined ? undefined : place.cardinality * most
    for (const [key, child] of node.properties)
      this.visit(child, `${path}.properties[${key}]`, { ...place, cardinality })
    if (node.additional !== undefined)
      this.visit(node.additional, `${path}.additionalProperties`, { ...place, cardinality })
    if (node.items !== undefined) {
      const isKeyed = schema['x-kubernetes-list-type'] === 'map'
      this.visit(node.items, `${path}.items`, {
        cardinality,
        uncorrelatable: place.uncorrelatable ?? (isKeyed ? undefined : path),
      })
    }
    for (const [index, rule] of node.rules.entries())
      this.#judge(node, rule, `${path}.x-kubernetes-validations[${index}]`, place)
  }

  #judge(node: RuleNode, compiled: CompiledRule, path: string, place: Place): void {
    const { rule, program, message } = compiled
    const times = place.cardinality ?? Math.floor(requestMaxBytes / ((node.type.minSerializedSize ?? 0) + 1))
    if (program !== undefined) this.#cost(`${path}.rule`, 'estimated rule cost', program.estimatedCost().max * times)
    if (compiled.error !== undefined) this.errors.push(invalid(`${path}.rule`, rule, compiled.error))
    if (compiled.messageError !== undefined)
      this.errors.push(invalid(`${path}.messageExpression`, rule, compiled.messageError))
    else if (message !== undefined)
      this.#cost(`${path}.messageExpression`, 'estimated messageExpression cost', message.estimatedCost().max)
    if (compiled.usesOldSelf) {
      if (place.uncorrelatable !== undefined)
        this.errors.push(
          invalid(
            `${path}.rule`,
            rule.rule,
            `oldSelf cannot be used on the uncorrelatable portion of the schema within ${place.uncorrelatable}`,
          ),
        )
    } else if (rule.optionalOldSelf !== undefined && program !== undefined)
      this.errors.push(
        invalid(`${path}.optionalOldSelf`, rule.optionalOldSelf, 'may not be set if oldSelf is not used in rule'),
      )
  }

  #cost(path: string, what: string, units: number): void {
    if (!this.#allowDear && units > estimatedCostMax)
      this.errors.push(forbidden(path, costText(what, units, estimatedCostMax)))
    this.#costs.push({ path, units })
  }

  total(path: string): readonly FieldError[] {
    const sum = this.#costs.reduce((all, { units }) => all + units, 0)
    if (sum <= estimatedCostPerCrdMax) return []
    const dearest = this.#costs
      .filter(({ units }) => units >= estimatedCostPerCrdMax / 100)
      .toSorted((a, b) => b.units - a.units)
      .slice(0, 4)
    const words = 'contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema'
    const whole = 'x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema'
    return [
      ...dearest.map((cost) => forbidden(cost.path, words)),
      forbidden(path, costText(whole, sum, estimatedCostPerCrdMax)),
    ]
  }
}

/** How many values of the schema below one of this schema can have; undefined: nobody bounds it. */
function elementsMax({ type, additionalProperties, maxProperties, maxItems }: JSONSchemaProps): number | undefined {
  if (type === 'object') return additionalProperties === undefined ? 1 : atLeastZero(maxProperties)
  return type === 'array' ? atLeastZero(maxItems) : 1
}

function atLeastZero(value: number | undefined): number | undefined {
  return value === undefined ? undefined : Math.max(value, 0)
}

function costText(what: string, units: number, limit: number): string {
  const factor = units / limit
  const shown = factor > 100 ? 'more than 100x' : factor < 1.5 ? `${factor.toFixed(6)}x` : `${factor.toFixed(1)}x`
  return `${what} exceeds budget by factor of ${shown} (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)`
}
