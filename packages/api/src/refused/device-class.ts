// What a DeviceClass may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'
import { subdomain } from './words.ts'

const all = 'device.attributes["a"].all'
const dear = `${all}(a, ${all}(b, ${all}(c, ${all}(d, a + b + c + d == ""))))`

export const deviceClassExamples: RefusedExamples = {
  kind: 'DeviceClass',
  valid: {
    metadata: { name: 'gpu' },
    spec: { selectors: [{ cel: { expression: 'device.driver == "gpu.example.com"' } }] },
  },
  create: [
    [{ 'metadata.name': 'G' }, `metadata.name: Invalid value: "G": ${subdomain}`],
    [{ 'spec.selectors': [{}] }, 'spec.selectors[0].cel: Required value'],
    [
      { 'spec.selectors': [{ cel: { expression: 'device.drive' } }] },
      'spec.selectors[0].cel.expression: Invalid value: "device.drive": compilation failed: ERROR: <input>:1:7: undefined field \'drive\'\n | device.drive\n | ......^',
    ],
    [
      { 'spec.selectors': [{ cel: { expression: 'device.driver' } }] },
      'spec.selectors[0].cel.expression: Invalid value: "device.driver": must evaluate to bool or the unknown type, not string',
    ],
    [
      { 'spec.selectors': [{ cel: { expression: dear } }] },
      'spec.selectors[0].cel.expression: Forbidden: too complex, exceeds cost limit',
    ],
    [{ 'spec.config': [{}] }, 'spec.config[0].opaque: Required value'],
    [
      { 'spec.config': [{ opaque: { driver: '', parameters: { a: 1 } } }] },
      'spec.config[0].opaque.driver: Required value',
    ],
    [
      { 'spec.selectors': Array.from({ length: 33 }, () => ({ cel: { expression: 'true' } })) },
      'spec.selectors: Too many: 33: must have at most 32 items',
    ],
    [{ 'spec.config': [{ opaque: { driver: 'a.example.com' } }] }, 'spec.config[0].opaque.parameters: Required value'],
  ],
  update: [[{ 'spec.selectors': [{}] }, 'spec.selectors[0].cel: Required value']],
}
