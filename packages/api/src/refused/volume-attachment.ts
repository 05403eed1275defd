// What a VolumeAttachment may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'

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
  ],
  update: [],
}
