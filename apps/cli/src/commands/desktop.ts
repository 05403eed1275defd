// `aksel desktop`: builds the page where that was not done yet and leads a browser to it, signed in. With `--kubeconfig` it serves any
// clusters from this process, without a server.

import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { AddressInfo } from 'node:net'
import { resolve } from 'node:path'
import { systemClock } from '@aksel/base/clock'
import { systemRandom } from '@aksel/base/ids'
import { silentLog } from '@aksel/base/log'
import type { Scope } from '@aksel/base/scope'
import { ensureBuild } from '@aksel/desktop/built-page'
import { createDesktop, type Desktop } from '@aksel/desktop/desktop'
import { readKubeconfig } from '@aksel/desktop/kubeconfig-file'
import { CommandError } from '../command-error.ts'
import { connectionFile, readJsonFile, runningServer, type ConnectionFile } from '../files.ts'
import type { CliOptions } from '../options.ts'

export interface DesktopFlags {
  readonly kubeconfig?: string
  readonly port?: number
  /** False with `--no-browser`. */
  readonly browser: boolean
  readonly output?: string
}

const say = (line: string): void => void process.stderr.write(`${line}\n`)

/** With a kubeconfig it ends with the signal, else at once. */
export async function runDesktop(options: CliOptions, flags: DesktopFlags, signal: AbortSignal): Promise<void> {
  if (flags.kubeconfig !== undefined) return serveKubeconfig(options, flags.kubeconfig, flags, signal)
  if (flags.port !== undefined)
    throw new CommandError('The desktop is on the server\'s own port; "--port" goes with "--kubeconfig".', 2)
  const connection = readJsonFile<ConnectionFile>(connectionFile(options.dataDir))
  if (connection === undefined || runningServer(options.dataDir) === undefined)
    throw new CommandError('No server runs here. Run "./aksel up" first, or give --kubeconfig FILE.')
  await ensureBuild(options.repositoryRoot, say)
  const code = await fetchCode(connection)
  lead(flags, `${connection.armUrl}/desktop/#code=${code}`, [
    `Its certificate is of this server's own authority: ${connection.caPath}`,
  ])
}

/** A word for one sign-in, for the secret that this folder's owner alone can read. */
async function fetchCode({ armUrl, caPath, clientId, clientSecret }: ConnectionFile): Promise<string> {
  const ca = await readFile(caPath, 'utf8')
  const body = JSON.stringify({ clientId, clientSecret })
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
  const text = await new Promise<string>((done, failed) => {
    const call = httpsRequest(new URL('/desktop/api/code', armUrl), { method: 'POST', ca, headers }, (answer) => {
      const pieces: Buffer[] = []
      answer.on('data', (piece: Buffer) => pieces.push(piece))
      answer.on('end', () => done(Buffer.concat(pieces).toString()))
      answer.on('error', failed)
    })
    call.on('error', failed)
    call.end(body)
  })
  const { code, message } = JSON.parse(text) as { readonly code?: string; readonly message?: string }
  if (code === undefined) throw new CommandError(`The server let nobody in: ${message ?? text}`)
  return code
}

async function serveKubeconfig(
  options: CliOptions,
  file: string,
  flags: DesktopFlags,
  signal: AbortSignal,
): Promise<void> {
  const path = resolve(file)
  const scope: Scope = { clock: systemClock(), random: systemRandom(), log: silentLog(), signal }
  let kubeconfig
  try {
    kubeconfig = readKubeconfig(await readFile(path, 'utf8'), {
      path,
      nowMs: () => scope.clock.now(),
      environment: options.environment,
    })
  } catch (error) {
    throw new CommandError(`Cannot use ${file}: ${(error as Error).message}`)
  }
  const assets = await ensureBuild(options.repositoryRoot, say)
  using desktop = createDesktop(scope, { scheme: 'http', assets: () => assets, kubeconfig })
  const server = serveDesktop(desktop)
  server.listen(flags.port ?? 0, '127.0.0.1')
  await new Promise((listening, failed) => server.once('listening', listening).once('error', failed))
  const { port } = server.address() as AddressInfo
  lead(flags, `http://localhost:${port}/desktop/#code=${desktop.issueCode()}`, ['Ctrl-C ends it.'])
  if (!signal.aborted) await new Promise((ended) => signal.addEventListener('abort', ended, { once: true }))
  server.closeAllConnections()
  server.close()
}

function serveDesktop(desktop: Desktop) {
  const server = createServer((request, response) => {
    const path = (request.url ?? '/').split('?')[0]!
    if (desktop.serves(path)) desktop.handle(request, response)
    else response.writeHead(302, { location: desktop.home }).end()
  })
  server.on('upgrade', (request, socket, head) => desktop.upgrade(request, socket, head))
  return server
}

/** Prints where it is; opens a browser where there is a screen. */
function lead(flags: DesktopFlags, url: string, remarks: readonly string[]): void {
  if (flags.output === 'json') return void process.stdout.write(`${JSON.stringify({ url })}\n`)
  process.stdout.write(`Desktop   ${url}\n          The link signs in once, within two minutes.\n`)
  for (const remark of remarks) process.stdout.write(`          ${remark}\n`)
  const hasScreen = process.env['DISPLAY'] !== undefined || process.env['WAYLAND_DISPLAY'] !== undefined
  if (!flags.browser || !hasScreen) return
  const child = spawn('xdg-open', [url], { stdio: 'ignore', detached: true })
  // Where there is none, the line above is what one needs.
  child.on('error', () => {})
  child.unref()
}
