// A folder that lives as long as the pod, on the node's disk or in its memory.

import { chmod, mkdir } from 'node:fs/promises'
import { quantityUnits } from '@aksel/base/quantity'
import { run } from '@aksel/host/command'
import { readMounts } from '@aksel/host/mount-table'
import type { MountVolume } from './volume.ts'

/** The node's root for volumes stands in the ledger with all mounts below it. */
export const mountEmptyDir: MountVolume = async (scope, _host, { volume, directory }) => {
  const source = volume.emptyDir ?? {}
  await mkdir(directory, { recursive: true })
  if (source.medium === 'Memory') {
    const mounted = (await readMounts()).some(({ mountPoint }) => mountPoint === directory)
    if (!mounted) {
      const size = source.sizeLimit === undefined ? [] : ['-o', `size=${quantityUnits(source.sizeLimit)}`]
      await run(scope, ['mount', '-t', 'tmpfs', ...size, 'tmpfs', directory])
    }
  } else if (source.medium !== undefined && source.medium !== '') {
    throw new Error(`unknown storage medium "${source.medium}"`)
  }
  await chmod(directory, 0o777)
  return { hostPath: directory, ownedByGroup: true, readOnly: false }
}
