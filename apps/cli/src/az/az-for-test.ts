// az in this process against a front door with fakes behind it, for tests.

import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  clientId,
  clientSecret,
  openFrontDoor,
  subscriptionId,
  tenantId,
  type OpenedFrontDoor,
  type OpenOptions,
} from '@aksel/arm/testing/opened-front-door'
import { runAz } from './run.ts'

export interface Ran {
  readonly code: number
  readonly out: string
  readonly error: string
}

export interface AzBench extends AsyncDisposable {
  readonly opened: OpenedFrontDoor
  readonly home: string
  readonly az: (line: string) => Promise<Ran>
}

/** `az` runs one line: words with spaces stand in single quotes. */
export async function openAz(options: OpenOptions = {}): Promise<AzBench> {
  const opened = await openFrontDoor(options)
  const home = mkdtempSync(join(tmpdir(), 'aksel-az-'))
  mkdirSync(join(home, 'server'))
  const caPath = join(home, 'server', 'ca.pem')
  writeFileSync(caPath, opened.caPem)
  const connection = { armUrl: opened.url, caPath, tenantId, clientId, clientSecret, subscriptionId }
  writeFileSync(join(home, 'server', 'connection.json'), JSON.stringify(connection))
  return {
    opened,
    home,
    async az(line) {
      const words = line.match(/'[^']*'|\S+/g)!.map((word) => word.replaceAll("'", ''))
      let [out, error] = ['', '']
      const terminal = {
        out: (text: string) => void (out += text),
        error: (text: string) => void (error += text),
        interactive: false,
        ask: async () => 'n',
      }
      const cli = { repositoryRoot: home, dataDir: home, isRoot: false, environment: { HOME: home } }
      const code = await runAz(cli, words, terminal)
      return { code, out, error }
    },
    async [Symbol.asyncDispose]() {
      await opened[Symbol.asyncDispose]()
      rmSync(home, { recursive: true })
    },
  }
}
