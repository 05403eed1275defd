// What a IngressClass may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'

export const ingressClassExamples: RefusedExamples = {
  kind: 'IngressClass',
  valid: { metadata: { name: 'a' }, spec: { controller: 'example.com/ingress' } },
  create: [
    [
      { 'spec.controller': 'plain' },
      'spec.controller: Invalid value: "plain": must be a domain-prefixed path (such as "acme.io/foo")',
    ],
    [{ 'spec.controller': '' }, 'spec.controller: Required value'],
    [
      { 'spec.parameters': { kind: '', name: '' } },
      [
        'spec.parameters.kind: Required value: kind is required',
        'spec.parameters.name: Required value: name is required',
      ],
    ],
    [
      { 'spec.parameters': { kind: 'A', name: 'a', scope: 'Namespace' } },
      "spec.parameters.namespace: Required value: `parameters.scope` is set to 'Namespace'",
    ],
    [
      { 'spec.parameters': { kind: 'A', name: 'a', scope: 'World' } },
      'spec.parameters.scope: Unsupported value: "World": supported values: "Cluster", "Namespace"',
    ],
    [
      { 'spec.parameters': { kind: 'A', name: 'a', namespace: 'x' } },
      "spec.parameters.namespace: Forbidden: `parameters.scope` is set to 'Cluster'",
    ],
  ],
  update: [[{ 'spec.controller': 'other.com/x' }, 'spec.controller: Invalid value: "other.com/x": field is immutable']],
}
