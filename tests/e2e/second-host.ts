// Another host beside the server's: a network namespace with one cable, its own data folder, and nothing else in common but the kernel.

import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { e2ePrefix, repositoryRoot, runProgram, type Outcome } from './aksel.ts'

const SERVER = '192.168.77.1'
const OWN = '192.168.77.2'

export class SecondHost implements AsyncDisposable {
  readonly address = OWN
  readonly serverAddress = SERVER
  readonly #name: string
  readonly #folder: string

  private constructor(name: string, folder: string) {
    this.#name = name
    this.#folder = folder
  }

  static async plugged(): Promise<SecondHost> {
    const name = `host2-${process.pid}`
    const folder = await mkdtemp(join(tmpdir(), `${e2ePrefix}second-`))
    const host = new SecondHost(name, folder)
    await ip('netns', 'add', name)
    await ip('link', 'add', 'host2', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name)
    await ip('addr', 'add', `${SERVER}/24`, 'dev', 'host2')
    await ip('link', 'set', 'host2', 'up')
    await ip('-n', name, 'link', 'set', 'lo', 'up')
    await ip('-n', name, 'addr', 'add', `${OWN}/24`, 'dev', 'eth0')
    await ip('-n', name, 'link', 'set', 'eth0', 'up')
    await runProgram(['ip', 'netns', 'exec', name, 'sh', '-c', 'echo 0 > /proc/sys/net/ipv4/ip_forward'])
    await ip('-n', name, 'route', 'add', 'default', 'via', SERVER)
    return host
  }

  get dataDir(): string {
    return join(this.#folder, 'data')
  }

  run(argv: readonly string[], timeoutMs = 60_000): Promise<Outcome> {
    return runProgram(['nsenter', `--net=/run/netns/${this.#name}`, ...argv], { timeoutMs })
  }

  aksel(...args: readonly string[]): Promise<Outcome> {
    return this.run([join(repositoryRoot, 'aksel'), ...args, '--data', this.dataDir], 240_000)
  }

  async ok(...args: readonly string[]): Promise<string> {
    const outcome = await this.aksel(...args)
    assert.equal(outcome.code, 0, `aksel ${args.join(' ')}\n${outcome.stdout}\n${outcome.stderr}`)
    return outcome.stdout
  }

  async fails(...args: readonly string[]): Promise<string> {
    const outcome = await this.aksel(...args)
    assert.notEqual(outcome.code, 0, `aksel ${args.join(' ')} should have failed\n${outcome.stdout}`)
    return outcome.stderr
  }

  /** All that a node could leave in the host's own network, as text; and what it could leave elsewhere. */
  async state(): Promise<string> {
    const shown = await Promise.all(
      [
        ['ip', '-br', 'addr'],
        ['ip', 'route'],
        ['nft', 'list', 'tables'],
        ['cat', '/proc/sys/net/ipv4/ip_forward'],
        ['grep', '-c', this.#folder, '/proc/self/mounts'],
        ['ls', '-A', this.#folder],
        // Not its own process, nor one that only names the folder as this command does.
        ['pgrep', '-fa', `^(containerd|.*node|.*shim).*${this.#folder}/data/`],
      ].map((argv) => this.run(argv)),
    )
    return shown.map(({ stdout }) => stdout).join('')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.aksel('node', 'leave')
    await runProgram(['ip', 'netns', 'delete', this.#name])
    await runProgram(['ip', 'link', 'delete', 'host2'])
    await rm(this.#folder, { recursive: true, force: true })
  }
}

async function ip(...args: readonly string[]): Promise<void> {
  const outcome = await runProgram(['ip', ...args])
  assert.equal(outcome.code, 0, `ip ${args.join(' ')}: ${outcome.stderr}`)
}
