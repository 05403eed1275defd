// The oldest kubectl that must work, unpacked once for the tests.

import { existsSync, mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { unpackTools } from '../../../apps/cli/src/kubernetes-tools.ts'

/** The path of kubectl 1.20. */
export async function oldKubectl(): Promise<string> {
  const directory = join(import.meta.dirname, '../../../node_modules/.cache/kubectl-1.20')
  const path = join(directory, 'kubectl')
  if (existsSync(path)) return path
  mkdirSync(directory, { recursive: true })
  const resolved = createRequire(import.meta.url).resolve('@aws-cdk/asset-kubectl-v20')
  await unpackTools(join(dirname(resolved), 'layer.zip'), directory)
  return path
}
