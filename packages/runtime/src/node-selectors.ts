// Node selector terms and the requirements they are made of, as the API defines them.

import type { Node, NodeSelector, NodeSelectorTerm } from '@aksel/api/types/core-v1'

interface Requirement {
  readonly key: string
  readonly operator: string
  readonly values?: readonly string[]
}

export function meets(requirement: Requirement, value: string | undefined): boolean {
  const values = requirement.values ?? []
  switch (requirement.operator) {
    case 'In':
      return value !== undefined && values.includes(value)
    case 'NotIn':
      return value === undefined || !values.includes(value)
    case 'Exists':
      return value !== undefined
    case 'DoesNotExist':
      return value === undefined
    case 'Gt':
      return value !== undefined && isInteger(value) && isInteger(values[0] ?? '') && BigInt(value) > BigInt(values[0]!)
    case 'Lt':
      return value !== undefined && isInteger(value) && isInteger(values[0] ?? '') && BigInt(value) < BigInt(values[0]!)
    default:
      return false
  }
}

function isInteger(text: string): boolean {
  return /^[+-]?\d+$/.test(text)
}

/** Terms are alternatives; what a term holds must hold together. An empty term matches nothing. */
export function matchesNode(selector: NodeSelector, node: Node): boolean {
  return (selector.nodeSelectorTerms ?? []).some((term) => matchesTerm(term, node))
}

export function matchesTerm(term: NodeSelectorTerm, node: Node): boolean {
  const expressions = term.matchExpressions ?? []
  const fields = term.matchFields ?? []
  if (expressions.length === 0 && fields.length === 0) return false
  const labels = node.metadata.labels ?? {}
  return (
    expressions.every((requirement) => meets(requirement, labels[requirement.key])) &&
    fields.every((requirement) => requirement.key === 'metadata.name' && meets(requirement, node.metadata.name))
  )
}
