// What a VolumeAttachment may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'
import { labelValue } from './words.ts'

export const volumeAttachmentExamples: RefusedExamples = {
  kind: 'VolumeAttachment',
  valid: {
    metadata: { name: 'a' },
    spec: { attacher: 'disk.aksel.dev', nodeName: 'n1', source: { persistentVolumeName: 'v' } },
  },
  create: [
    [
      { 'spec.source': {} },
      'spec.source: Required value: must specify exactly one of inlineVolumeSpec and persistentVolumeName',
    ],
    [{ 'spec.nodeName': '' }, 'spec.nodeName: Required value'],
    [{ 'spec.attacher': '' }, 'spec.attacher: Required value'],
    [
      {
        'spec.source': {
          persistentVolumeName: 'v',
          inlineVolumeSpec: { accessModes: ['ReadWriteOnce'], capacity: { storage: '1Gi' } },
        },
      },
      'spec.source: Invalid value: {"persistentVolumeName":"v","inlineVolumeSpec":{"capacity":{"storage":"1Gi"},"accessModes":["ReadWriteOnce"]}}: must specify exactly one of inlineVolumeSpec and persistentVolumeName',
    ],
    [
      { 'spec.source': { persistentVolumeName: '' } },
      'spec.source.persistentVolumeName: Required value: must specify non empty persistentVolumeName',
    ],
  ],
  update: [
    [
      { 'spec.nodeName': 'n2' },
      'spec: Invalid value: {"attacher":"disk.aksel.dev","source":{"persistentVolumeName":"v"},"nodeName":"n2"}: field is immutable',
    ],
  ],
  status: [[{ 'metadata.labels': { a: 'b c' } }, `metadata.labels: Invalid value: "b c": ${labelValue}`]],
}
