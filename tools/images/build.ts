// Builds the image archives by hand: `node tools/images/build.ts --out DIR [--busybox PATH]`. The server does the same
// at `up`.

import { parseArgs } from 'node:util'
import { systemClock } from '@aksel/base/clock'
import { systemRandom } from '@aksel/base/ids'
import { logTo } from '@aksel/base/log'
import { buildImages } from '@aksel/node/images/builder'

const { values } = parseArgs({
  options: { out: { type: 'string' }, busybox: { type: 'string', default: '/bin/busybox' } },
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
const archives = await buildImages(scope, { outDir: values.out, busyboxPath: values.busybox })
for (const { path, references, digest } of archives)
  console.log(`${path}  ${digest.slice(0, 19)}  ${references.join(' ')}`)
