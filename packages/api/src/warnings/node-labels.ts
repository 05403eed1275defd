// Labels of nodes that have another name now: whoever still selects by the old one is told.

import type { NodeSelectorTerm } from '../types/core-v1.ts'
import { labelValue } from '../validation/names.ts'

const oldLabels: ReadonlyMap<string, string> = new Map([
  ['beta.kubernetes.io/arch', 'deprecated since v1.14; use "kubernetes.io/arch" instead'],
  ['beta.kubernetes.io/os', 'deprecated since v1.14; use "kubernetes.io/os" instead'],
  ['failure-domain.beta.kubernetes.io/region', 'deprecated since v1.17; use "topology.kubernetes.io/region" instead'],
  ['failure-domain.beta.kubernetes.io/zone', 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead'],
  ['beta.kubernetes.io/instance-type', 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead'],
  ['app.kubernetes.io/created-by', 'deprecated since v1.9'],
  ['scheduler.alpha.kubernetes.io/preferAvoidPods', 'deprecated since v1.22; use Taints and Tolerations instead'],
  ['node-role.kubernetes.io/master', 'use "node-role.kubernetes.io/control-plane" instead'],
])

/** What is to be said of this label; undefined for labels that are as good as ever. */
export function nodeLabelWarning(key: string): string | undefined {
  return oldLabels.get(key)
}

export interface TermOptions {
  /** Also say which values no label could have. */
  readonly values?: boolean
}

export function nodeTermWarnings(
  { matchExpressions = [] }: NodeSelectorTerm,
  path: string,
  { values: judgesValues = false }: TermOptions = {},
): readonly string[] {
  return matchExpressions.flatMap(({ key, values = [] }, index) => {
    const at = `${path}.matchExpressions[${index}]`
    const old = nodeLabelWarning(key)
    const impossible = judgesValues
      ? values.flatMap((value, place) =>
          labelValue(value).map((why) => `${at}.values[${place}]: ${value} is invalid, ${why}`),
        )
      : []
    return [...(old === undefined ? [] : [`${at}.key: ${key} is ${old}`]), ...impossible]
  })
}
