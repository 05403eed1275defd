// What puts a pod behind another kernel on this host: Kata where it is installed, else gVisor's runsc, which Debian
// packages, behind a script that lets containerd's shim for runc drive it.

import { access, constants } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

export type SandboxRuntime =
  /** A shim of its own, found by containerd on its path. */
  | { readonly kind: 'kata' }
  /** A program that is called as runc is. */
  | { readonly kind: 'gvisor'; readonly binaryPath: string }

/** The handler that AKS's runtime class names. */
export const sandboxHandler = 'kata'

const kataShims = ['/usr/bin/containerd-shim-kata-v2', '/usr/local/bin/containerd-shim-kata-v2']
const runsc = '/usr/bin/runsc'

/** Rejects with what to install where the host has neither. */
export async function findSandboxRuntime(
  isThere: (path: string) => Promise<boolean> = isProgram,
): Promise<SandboxRuntime> {
  for (const shim of kataShims) if (await isThere(shim)) return { kind: 'kata' }
  if (await isThere(runsc)) {
    return { kind: 'gvisor', binaryPath: fileURLToPath(new URL('./runsc-as-runc.sh', import.meta.url)) }
  }
  throw new Error('pod sandboxing needs Kata Containers or gVisor on this host: install the package "runsc"')
}

function isProgram(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  )
}
