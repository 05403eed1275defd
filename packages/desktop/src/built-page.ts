// The page as it is built: once for a state of its sources, kept below node_modules, found by the server through a file that names
// the newest. Nothing of it is committed, and building needs no network.

import { createHash } from 'node:crypto'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { brotliCompress, constants } from 'node:zlib'

const folder = (repositoryRoot: string): string => join(repositoryRoot, 'node_modules', '.cache', 'aksel-desktop')

/** The folder of the newest build; undefined before the first. */
export function currentBuild(repositoryRoot: string): string | undefined {
  try {
    const name = readFileSync(join(folder(repositoryRoot), 'current'), 'utf8').trim()
    return /^[0-9a-f]+$/.test(name) ? join(folder(repositoryRoot), name) : undefined
  } catch {
    return undefined
  }
}

/** Builds the page unless that was done for these very sources. Returns its folder. */
export async function ensureBuild(repositoryRoot: string, say: (line: string) => void): Promise<string> {
  const name = sourceHash(repositoryRoot)
  const target = join(folder(repositoryRoot), name)
  if (!existsSync(join(target, 'index.html'))) {
    say('Building the desktop (once)')
    const fresh = `${target}.${process.pid}`
    await buildPage(repositoryRoot, fresh)
    await compressAssets(join(fresh, 'assets'))
    // Two that build at once make the same: the first to be done has it.
    await rename(fresh, target).catch(async (error: unknown) => {
      await rm(fresh, { recursive: true, force: true })
      if (!existsSync(join(target, 'index.html'))) throw error
    })
  }
  const pointer = join(folder(repositoryRoot), 'current')
  await writeFile(`${pointer}.${process.pid}`, `${name}\n`)
  await rename(`${pointer}.${process.pid}`, pointer)
  return target
}

async function buildPage(repositoryRoot: string, outDir: string): Promise<void> {
  const [{ build }, { default: react }] = await Promise.all([import('vite'), import('@vitejs/plugin-react')])
  await build({
    root: join(repositoryRoot, 'apps', 'desktop'),
    base: '/desktop/',
    configFile: false,
    logLevel: 'warn',
    clearScreen: false,
    plugins: [react()],
    worker: { format: 'es' },
    build: {
      outDir,
      emptyOutDir: true,
      assetsInlineLimit: 0,
      chunkSizeWarningLimit: 2_000,
      // A preload helper would write into the page; the policy for content allows no such thing.
      modulePreload: { polyfill: false },
      target: 'es2023',
    },
  })
}

async function compressAssets(assets: string): Promise<void> {
  await mkdir(assets, { recursive: true })
  for (const name of await readdir(assets)) {
    if (!/\.(js|css|svg)$/.test(name)) continue
    const options = { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } }
    const compressed = await promisify(brotliCompress)(await readFile(join(assets, name)), options)
    await writeFile(join(assets, `${name}.br`), compressed)
  }
}

/** Of everything that goes into the page: its own sources, those of packages that it imports, and the lock file. */
function sourceHash(repositoryRoot: string): string {
  const files = globSync(
    [
      'apps/desktop/index.html',
      'apps/desktop/package.json',
      'apps/desktop/src/**/*.{ts,tsx,css,svg}',
      'packages/desktop/src/built-page.ts',
      'package-lock.json',
    ],
    { cwd: repositoryRoot },
  ).sort()
  const hash = createHash('sha256')
  for (const file of files) hash.update(`${file}\0`).update(readFileSync(join(repositoryRoot, file)))
  return hash.digest('hex').slice(0, 16)
}
