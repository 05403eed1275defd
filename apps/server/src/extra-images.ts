// Images that machines have only where somebody wants what is in them: built once, imported by every machine from then on.

import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Scope } from '@aksel/base/scope'
import { writeArchive } from '@aksel/node/images/builder'
import type { ImageSpec } from '@aksel/node/images/oci-archive'
import type { HostParts } from './host-parts.ts'

/** Where Debian's package busybox-static has it. */
export const BUSYBOX = '/bin/busybox'

export interface ExtraImage {
  readonly host: HostParts
  readonly dataDir: string
  readonly clusterId: string
  /** Of the archive, without `.tar`. */
  readonly name: string
}

/** The machines of the cluster have it when this resolves. Idempotent. */
export async function bringImage(
  scope: Scope,
  { host, dataDir, clusterId, name }: ExtraImage,
  build: () => Promise<ImageSpec>,
): Promise<void> {
  const folder = join(dataDir, 'images', 'extra')
  const isNew = !existsSync(join(folder, `${name}.tar`))
  if (isNew) {
    const image = await build()
    await mkdir(folder, { recursive: true })
    await writeArchive(folder, name, image)
  }
  // A start of a machine that runs imports what it has not yet; one that is made later does so by itself.
  const running = host.machines.list(clusterId).filter(({ state }) => state === 'Running')
  for (const machine of running) await host.machines.start(scope, clusterId, machine.name)
}
