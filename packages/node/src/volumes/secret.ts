// The keys of a Secret as files that never touch the disk, refreshed when it changes.

import { writeAtomically } from './atomic-files.ts'
import { defaultMode, secretFiles } from './projections.ts'
import type { MountVolume } from './volume.ts'

export const mountSecret: MountVolume = async (scope, _host, { pod, volume, memoryDirectory, objects }) => {
  const source = volume.secret!
  const name = source.secretName ?? ''
  const files = secretFiles(name, objects.secret(name), source, source.defaultMode ?? defaultMode)
  await writeAtomically(scope, memoryDirectory, files, pod.spec.securityContext?.fsGroup)
  return { hostPath: memoryDirectory, ownedByGroup: false, readOnly: true }
}
