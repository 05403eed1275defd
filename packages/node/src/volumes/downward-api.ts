// The pod's own fields as files.

import { writeAtomically } from './atomic-files.ts'
import { defaultMode, downwardFiles } from './projections.ts'
import type { MountVolume } from './volume.ts'

export const mountDownwardApi: MountVolume = async (scope, host, { pod, volume, directory, addresses }) => {
  const source = volume.downwardAPI!
  const facts = { addresses: addresses(), allocatable: host.allocatable }
  const files = downwardFiles(pod, source.items ?? [], facts, source.defaultMode ?? defaultMode)
  await writeAtomically(scope, directory, files, pod.spec.securityContext?.fsGroup)
  return { hostPath: directory, ownedByGroup: false, readOnly: true }
}
