// The image of the test suite's `agnhost`: busybox, Node and our program below `agnhost/`, under the name users know.

import { readdir, readFile } from 'node:fs/promises'
import type { Scope } from '@aksel/base/scope'
import type { Architecture } from '@aksel/node/images/builder'
import { busyboxLayer, directory, file, PATH, programLayer } from '@aksel/node/images/layers'
import type { ImageFile, ImageSpec } from '@aksel/node/images/oci-archive'

export const agnhostReferences = ['registry.k8s.io/e2e-test-images/agnhost:2.53']

/** Of Debian's bind9-dnsutils. */
const DIG = '/usr/bin/dig'

/** Called under two names, as in upstream's image: tests tell the entry point by it. */
const launcher = '#!/bin/sh\nexec /usr/bin/node --disable-warning=ExperimentalWarning /opt/agnhost/main.ts "$0" "$@"\n'

export async function agnhostImage(
  scope: Scope,
  options: { readonly architecture: Architecture; readonly busyboxPath: string; readonly nodePath: string },
): Promise<ImageSpec> {
  const source = new URL('./agnhost/', import.meta.url)
  const names = (await readdir(source)).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts')).sort()
  const program: ImageFile[] = [directory('opt'), directory('opt/agnhost')]
  for (const name of names) program.push(file(`opt/agnhost/${name}`, await readFile(new URL(name, source)), 0o644))
  for (const name of ['agnhost', 'agnhost-2']) program.push(file(name, Buffer.from(launcher), 0o755))
  return {
    references: agnhostReferences,
    architecture: options.architecture,
    layers: [
      await busyboxLayer(scope, options.busyboxPath),
      await programLayer(scope, options.nodePath, 'usr/bin/node'),
      await programLayer(scope, DIG, 'usr/bin/dig'),
      program,
    ],
    config: { Env: [PATH], Entrypoint: ['/agnhost'], Cmd: ['pause'] },
  }
}
