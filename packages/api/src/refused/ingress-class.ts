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
  ],
  update: [[{ 'spec.controller': 'other.com/x' }, 'spec.controller: Invalid value: "other.com/x": field is immutable']],
}
