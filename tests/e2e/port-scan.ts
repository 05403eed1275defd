// A program that is run in a pod's network: which ports of which addresses take a connection. Orders come as JSON on its input.

import { connect } from 'node:net'
import { text } from 'node:stream/consumers'

const AT_ONCE = 400
/** Who drops packets answers nobody; who refuses does so at once. */
const PATIENCE_MS = 2000
/** An address that dropped so many in a row, and took or refused none, is not asked any more. */
const SILENT_MOST = 400

const { targets, ports } = JSON.parse(await text(process.stdin)) as {
  readonly targets: readonly string[]
  readonly ports: readonly number[]
}

type Answer = 'open' | 'refused' | 'silent'

function ask(host: string, port: number): Promise<Answer> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: PATIENCE_MS })
    const end = (answer: Answer): void => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('connect', () => end('open'))
    socket.once('timeout', () => end('silent'))
    socket.once('error', () => end('refused'))
  })
}

async function scan(host: string): Promise<readonly string[]> {
  const open: string[] = []
  const unheard: number[] = []
  let [next, silent, answered] = [0, 0, 0]
  const worker = async (): Promise<void> => {
    while (next < ports.length && (answered > 0 || silent < SILENT_MOST)) {
      const port = ports[next++]!
      const answer = await ask(host, port)
      if (answer === 'silent') {
        silent += 1
        unheard.push(port)
      } else answered += 1
      if (answer === 'open') open.push(`${host}:${port}`)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  // A busy machine may have been slow: whoever answers at all is asked again, one by one.
  for (const port of answered > 0 ? unheard : []) if ((await ask(host, port)) === 'open') open.push(`${host}:${port}`)
  return open
}

const found: string[] = []
for (const target of targets) found.push(...(await scan(target)))
process.stdout.write(JSON.stringify(found))
