// The launcher at the root, with an npm that does as it is told: what stands of the old packages whatever goes wrong with the new.

import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'

const repositoryRoot = join(import.meta.dirname, '..')
const nodePath = `node_modules/node-linux-${process.arch}/bin/node`

interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** A checkout in miniature, in which "node" says which packages it belongs to. */
class Checkout implements AsyncDisposable {
  readonly root: string

  private constructor(root: string) {
    this.root = root
  }

  static async make(): Promise<Checkout> {
    const root = await mkdtemp(join(tmpdir(), 'aksel-launcher-'))
    await copyFile(join(repositoryRoot, 'aksel'), join(root, 'aksel'))
    await mkdir(join(root, 'packages', 'a'), { recursive: true })
    await writeFile(join(root, 'package.json'), '{"workspaces":["packages/*"]}')
    await writeFile(join(root, 'packages', 'a', 'package.json'), '{"name":"a"}')
    return new Checkout(root)
  }

  /** What the next `npm ci` does, as lines for a shell; it runs where the packages are to be. */
  async npm(script: string): Promise<void> {
    await this.#program('bin/npm', script)
  }

  /** Packages of this version, as an install makes them. */
  static installing(version: string): string {
    const make = [`mkdir -p "$(dirname ${nodePath})"`, `printf '#!/bin/sh\\necho ${version}\\n' > ${nodePath}`]
    return [...make, `chmod +x ${nodePath}`, 'cp packages/a/package.json node_modules/seen.json'].join('\n')
  }

  async lock(version: string): Promise<void> {
    await writeFile(join(this.root, 'package-lock.json'), version)
  }

  async run(environment: Readonly<Record<string, string>> = {}): Promise<Ran> {
    const env = { PATH: `${join(this.root, 'bin')}:/usr/bin:/bin`, ...environment }
    return await new Promise((resolve) => {
      execFile(join(this.root, 'aksel'), ['status'], { env }, (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : (error.code as unknown as number), stdout, stderr }),
      )
    })
  }

  async #program(path: string, script: string): Promise<void> {
    const whole = join(this.root, path)
    await mkdir(join(whole, '..'), { recursive: true })
    await writeFile(whole, `#!/bin/sh\nset -e\n${script}\n`)
    await chmod(whole, 0o755)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.root, { recursive: true, force: true })
  }
}

async function withVersion(version: string, lock = version): Promise<Checkout> {
  const checkout = await Checkout.make()
  await checkout.lock(lock)
  await checkout.npm(Checkout.installing(version))
  const { code, stdout } = await checkout.run()
  assert.deepEqual([code, stdout], [0, `${version}\n`])
  return checkout
}

test('the launcher installs what the lock file says, once, and again when that changes', async () => {
  await using checkout = await withVersion('one')
  await checkout.npm('exit 1')
  assert.equal((await checkout.run()).stdout, 'one\n')
  await checkout.lock('two')
  await checkout.npm(Checkout.installing('two'))
  assert.equal((await checkout.run()).stdout, 'two\n')
  assert.equal(await readFile(join(checkout.root, 'node_modules', 'seen.json'), 'utf8'), '{"name":"a"}')
  for (const left of ['.aksel-install', 'node_modules.old']) assert.ok(!existsSync(join(checkout.root, left)), left)
})

test('the launcher installs nothing where a workspace asks for what is there already', async () => {
  const lock = (version: string, asked: string): string =>
    [
      '{',
      '  "packages": {',
      '    "node_modules/b": {',
      `      "version": "${version}"`,
      '    },',
      '    "packages/a": {',
      `      "dependencies": { ${asked} }`,
      '    }',
      '  }',
      '}',
    ].join('\n')
  await using checkout = await withVersion('one', lock('1', ''))
  await checkout.npm(Checkout.installing('again'))
  await checkout.lock(lock('1', '"b": "1"'))
  assert.equal((await checkout.run()).stdout, 'one\n')
  await checkout.lock(lock('2', '"b": "1"'))
  assert.equal((await checkout.run()).stdout, 'again\n')
})

test('an install that fails, or takes too long, says so and leaves the packages of before as they were', async () => {
  await using checkout = await withVersion('one')
  await checkout.lock('two')
  await checkout.npm('mkdir -p node_modules; echo "no network" >&2; exit 7')
  const failed = await checkout.run()
  assert.equal(failed.code, 1)
  assert.match(failed.stderr, /no network\n.*failed.*\naksel: the packages of before are untouched/)
  await checkout.npm('sleep 600')
  const late = await checkout.run({ AKSEL_INSTALL_SECONDS: '1' })
  assert.equal(late.code, 1)
  assert.match(late.stderr, /took longer than 1 s and was ended/)
  assert.equal((await checkout.run({ AKSEL_INSTALL: 'skip' })).stdout, 'one\n')
  await checkout.npm(Checkout.installing('two'))
  assert.equal((await checkout.run()).stdout, 'two\n')
})

test('packages are not changed under a server that runs from the checkout: it is named, and the old ones go on', async () => {
  await using checkout = await withVersion('one')
  const script = join(checkout.root, 'apps', 'server', 'src', 'main.ts')
  await mkdir(join(script, '..'), { recursive: true })
  await writeFile(script, "process.stdout.write('up'); setInterval(() => {}, 1e6)")
  // Its program is called node, as the one of the packages is.
  await symlink(process.execPath, join(checkout.root, 'node'))
  const server = spawn(join(checkout.root, 'node'), [script], { stdio: ['ignore', 'pipe', 'ignore'] })
  try {
    await once(server.stdout, 'data')
    await checkout.lock('two')
    await checkout.npm(Checkout.installing('two'))
    const { code, stdout, stderr } = await checkout.run()
    assert.deepEqual([code, stdout], [0, 'one\n'])
    assert.match(stderr, new RegExp(`run with the packages of before: ${server.pid}\n`))
  } finally {
    server.kill('SIGKILL')
    await once(server, 'exit')
  }
  assert.equal((await checkout.run()).stdout, 'two\n')
})
