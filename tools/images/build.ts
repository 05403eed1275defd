// Builds image archives by hand: `node tools/images/build.ts --out DIR [--busybox PATH]` writes the images that the
// server makes at `up`; with `--agnhost` or `--demo` the test suite's images
// instead, with `--postgres` a database and with `--network-tools` clients of DNS and HTTP from Debian's packages.

import { mkdir } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { systemClock } from '@aksel/base/clock'
import { systemRandom } from '@aksel/base/ids'
import { logTo } from '@aksel/base/log'
import { architectureOf, buildImages, writeArchive, type ImageArchive } from '@aksel/node/images/builder'
import { agnhostImage } from './agnhost-image.ts'
import { networkToolsImage } from './network-tools-image.ts'
import { postgresImage } from './postgres-image.ts'
import { demoImage, demoNames } from './demo-images.ts'

const { values } = parseArgs({
  options: {
    out: { type: 'string' },
    busybox: { type: 'string', default: '/bin/busybox' },
    agnhost: { type: 'boolean', default: false },
    demo: { type: 'boolean', default: false },
    postgres: { type: 'boolean', default: false },
    'network-tools': { type: 'boolean', default: false },
  },
})
if (values.out === undefined) throw new Error('Say where the archives go: --out DIR')
const scope = {
  clock: systemClock(),
  random: systemRandom(),
  log: logTo(({ level, message, fields }) => {
    if (level !== 'debug') console.error(message, fields)
  }),
  signal: new AbortController().signal,
}
await mkdir(values.out, { recursive: true })
const architecture = architectureOf(process.arch)
const programs = { architecture, busyboxPath: values.busybox, nodePath: process.execPath }
const archives =
  values.agnhost || values.demo || values.postgres || values['network-tools']
    ? [
        ...(values.agnhost ? [await writeArchive(values.out, 'agnhost', await agnhostImage(scope, programs))] : []),
        ...(values.postgres ? [await writeArchive(values.out, 'postgres', await postgresImage(scope, programs))] : []),
        ...(values['network-tools']
          ? [await writeArchive(values.out, 'network-tools', await networkToolsImage(scope, programs))]
          : []),
        ...(values.demo ? await demoArchives(values.out) : []),
      ]
    : await buildImages(scope, { outDir: values.out, busyboxPath: values.busybox })
for (const { path, references, digest } of archives)
  console.log(`${path}  ${digest.slice(0, 19)}  ${references.join(' ')}`)

function demoArchives(out: string): Promise<ImageArchive[]> {
  return Promise.all(demoNames.map(async (name) => writeArchive(out, name, await demoImage(scope, name, programs))))
}
