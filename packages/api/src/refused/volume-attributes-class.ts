// What a VolumeAttributesClass may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'
import { namePart } from './words.ts'

export const volumeAttributesClassExamples: RefusedExamples = {
  kind: 'VolumeAttributesClass',
  valid: { metadata: { name: 'a' }, driverName: 'disk.example.com', parameters: { iops: '100' } },
  create: [
    [{ driverName: '' }, 'driverName: Required value'],
    [{ driverName: 'a b' }, `driverName: Invalid value: "a b": ${namePart}`],
    [{ parameters: undefined }, 'parameters: Required value: must contain at least one key/value pair'],
    [{ parameters: { '': 'a' } }, 'parameters: Invalid value: "": field can not be empty.'],
  ],
  update: [
    [{ driverName: 'other.example.com' }, 'driverName: Forbidden: updates to driverName are forbidden.'],
    [{ 'parameters.iops': '200' }, 'parameters: Forbidden: updates to parameters are forbidden.'],
  ],
}
