// Debian's docker-registry in the network of a test's machine, with a user who may pull and push. What it stores lies beside the
// machine, not on its disk.

import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Secret } from '@aksel/api/types/core-v1'
import { sleep } from '@aksel/base/clock'
import type { Scope } from '@aksel/base/scope'
import { run } from '@aksel/host/command'
import { startProcess } from '@aksel/host/process-start'
import type { ContainerdHarness } from './containerd-harness.ts'

export const registryPlace = '127.0.0.1:5000'
export const registryPassword = 's3cret'
const USER = 'puller'
/** bcrypt of the password, at its cheapest. */
const HASH = '$2y$04$EANET/.JdWwrv.dQx9t4W.YTY81uu7G4TdyJRSi8rgEjJY8WZO8G2'
const LISTEN_MS = 20_000

/** Resolves to a way to put images there, which waits until it listens. */
export async function startRegistry(
  scope: Scope,
  { directory, ledger, networkNamespace, cgroupRoot, socketPath }: ContainerdHarness,
): Promise<{
  /** What containerd has under this name goes to the registry, and away from containerd. */
  move(reference: string): Promise<void>
  /** `ctr images …` in the machine's network. */
  images(...argv: readonly string[]): Promise<void>
}> {
  const root = join(dirname(directory), 'registry')
  await mkdir(root)
  await writeFile(join(root, 'htpasswd'), `${USER}:${HASH}\n`)
  await writeFile(
    join(root, 'config.yml'),
    [
      'version: 0.1',
      'log: {level: error}',
      `storage: {filesystem: {rootdirectory: ${join(root, 'data')}}}`,
      `http: {addr: '${registryPlace}'}`,
      `auth: {htpasswd: {realm: test, path: ${join(root, 'htpasswd')}}}`,
      '',
    ].join('\n'),
  )
  const inside = ['nsenter', `--net=/run/netns/${networkNamespace}`]
  await startProcess({
    ledger,
    owner: 'test',
    argv: [...inside, 'docker-registry', 'serve', join(root, 'config.yml')],
    cgroup: `${cgroupRoot}/system`,
    logFile: join(root, 'log'),
  })
  const ctr = [...inside, 'ctr', '--address', socketPath, '--namespace', 'k8s.io', 'images']
  const images = async (...argv: readonly string[]): Promise<void> =>
    void (await run(scope, [...ctr, ...argv], { timeoutMs: 120_000 }))
  const untilMs = scope.clock.monotonicMs() + LISTEN_MS
  return {
    images,
    async move(reference) {
      while (true) {
        try {
          await images('push', '--plain-http', '--user', `${USER}:${registryPassword}`, reference)
          break
        } catch (error) {
          if (scope.clock.monotonicMs() > untilMs) throw error
          await sleep(scope.clock, 100, scope.signal)
        }
      }
      await images('remove', '--sync', reference)
    },
  }
}

/** Named `registry`. */
export const registrySecret = (password: string): Secret => ({
  metadata: { namespace: 'default', name: 'registry' },
  type: 'kubernetes.io/dockerconfigjson',
  data: {
    '.dockerconfigjson': Buffer.from(
      JSON.stringify({
        auths: { [registryPlace]: { username: USER, password }, 'images.example': { username: USER, password } },
      }),
    ).toString('base64'),
  },
})
