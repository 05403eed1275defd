// What a ResourceSlice may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'
import { immutable, label } from './words.ts'

const places = 'exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required'

export const resourceSliceExamples: RefusedExamples = {
  kind: 'ResourceSlice',
  valid: {
    metadata: { name: 'a' },
    spec: {
      driver: 'gpu.example.com',
      pool: { name: 'n1', generation: 1, resourceSliceCount: 1 },
      nodeName: 'n1',
      devices: [{ name: 'gpu-0', attributes: { model: { string: 'x' } }, capacity: { memory: { value: '16Gi' } } }],
    },
  },
  create: [
    [{ 'spec.driver': '' }, 'spec.driver: Required value'],
    [{ 'spec.pool.name': '' }, 'spec.pool.name: Required value'],
    [
      { 'spec.pool.resourceSliceCount': 0 },
      'spec.pool.resourceSliceCount: Invalid value: 0: must be greater than zero',
    ],
    [{ 'spec.pool.generation': -1 }, 'spec.pool.generation: Invalid value: -1: must be greater than or equal to zero'],
    [{ 'spec.nodeName': undefined }, `spec: Required value: ${places}`],
    [
      { 'spec.allNodes': true },
      `spec: Invalid value: "{\`nodeName\`, \`allNodes\`}": ${places}, but multiple fields are set`,
    ],
    [{ 'spec.allNodes': false }, 'spec.allNodes: Invalid value: false: must be either unset or set to true'],
    [{ 'spec.devices.0.name': 'G' }, `spec.devices[0].name: Invalid value: "G": ${label}`],
    [{ 'spec.devices.1': { name: 'gpu-0' } }, 'spec.devices[1]: Duplicate value: "gpu-0"'],
    [
      { 'spec.devices.0.attributes.model': {} },
      'spec.devices[0].attributes[model]: Invalid value: "": exactly one value must be specified',
    ],
    [
      { 'spec.devices.0.attributes.model': { version: '1' } },
      'spec.devices[0].attributes[model].version: Invalid value: "1": must be a string compatible with semver.org spec 2.0.0',
    ],
    [
      { 'spec.devices': Array.from({ length: 129 }, (_, index) => ({ name: `d${index}` })) },
      'spec.devices: Too many: 129: must have at most 128 items',
    ],
  ],
  update: [
    [{ 'spec.driver': 'other.example.com' }, `spec.driver: Invalid value: "other.example.com": ${immutable}`],
    [{ 'spec.pool.name': 'n2' }, `spec.pool.name: Invalid value: "n2": ${immutable}`],
    [{ 'spec.nodeName': 'n2' }, `spec.nodeName: Invalid value: "n2": ${immutable}`],
  ],
}
