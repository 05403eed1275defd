// The keys of a ConfigMap as files, refreshed when it changes.

import { writeAtomically } from './atomic-files.ts'
import { configMapFiles, defaultMode } from './projections.ts'
import type { MountVolume } from './volume.ts'

export const mountConfigMap: MountVolume = async (scope, _host, { pod, volume, directory, objects }) => {
  const source = volume.configMap!
  const name = source.name ?? ''
  const files = configMapFiles(name, objects.configMap(name), source, source.defaultMode ?? defaultMode)
  await writeAtomically(scope, directory, files, pod.spec.securityContext?.fsGroup)
  return { hostPath: directory, ownedByGroup: false, readOnly: true }
}
