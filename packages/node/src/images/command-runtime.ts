// The image that commands are run in inside a cluster (`az aks command invoke`): a shell and jq. kubectl and helm, 120 MB that
// every machine has on its own disk, are mounted beside it.

import type { Scope } from '@aksel/base/scope'
import type { Architecture } from './builder.ts'
import { busyboxLayer, directory, PATH, programLayer } from './layers.ts'
import type { ImageSpec } from './oci-archive.ts'

export const commandRuntimeReference = 'docker.io/library/aksel-command-runtime:1'

/** Where Debian's package has it. */
export const JQ = '/usr/bin/jq'

export async function commandRuntimeImage(
  scope: Scope,
  options: { readonly architecture: Architecture; readonly busyboxPath: string },
): Promise<ImageSpec> {
  return {
    references: [commandRuntimeReference],
    architecture: options.architecture,
    layers: [
      await busyboxLayer(scope, options.busyboxPath),
      await programLayer(scope, JQ, 'usr/bin/jq'),
      [directory('command'), directory('command-files'), directory('usr/local'), directory('usr/local/bin')],
    ],
    config: { Env: [PATH], Cmd: ['sh'] },
  }
}
