// Devices by name, as the Container Device Interface describes them in files: containerd 1.6 knows none of it, so the
// agent itself makes of a name what the container gets. Hooks are programs that a runtime would run on the host; they are
// refused.

import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { DeviceGrant } from './device-proto.ts'

interface ContainerEdits {
  readonly env?: readonly string[]
  readonly deviceNodes?: readonly {
    readonly path: string
    readonly hostPath?: string
    readonly permissions?: string
  }[]
  readonly mounts?: readonly {
    readonly hostPath: string
    readonly containerPath: string
    readonly options?: readonly string[]
  }[]
  readonly hooks?: readonly unknown[]
}

interface CdiSpec {
  /** `vendor.com/class`. */
  readonly kind: string
  readonly containerEdits?: ContainerEdits
  readonly devices?: readonly { readonly name: string; readonly containerEdits?: ContainerEdits }[]
}

/** What containers get with the devices of these names, `vendor.com/class=name`. Later folders win. */
export async function cdiGrants(
  directories: readonly string[],
  names: readonly string[],
): Promise<readonly DeviceGrant[]> {
  if (names.length === 0) return []
  const specs = (await Promise.all(directories.map(specsIn))).flat()
  const used = new Set<CdiSpec>()
  const grants = names.map((name) => {
    const [kind, device] = name.split('=')
    const spec = specs.findLast((each) => each.kind === kind && each.devices?.some((one) => one.name === device))
    if (spec === undefined) throw new Error(`unresolvable CDI devices ${name}`)
    used.add(spec)
    return grantOf(spec.devices!.find((one) => one.name === device)!.containerEdits ?? {}, name)
  })
  return [...[...used].map((spec) => grantOf(spec.containerEdits ?? {}, spec.kind)), ...grants]
}

function grantOf({ env = [], deviceNodes = [], mounts = [], hooks = [] }: ContainerEdits, name: string): DeviceGrant {
  if (hooks.length > 0) throw new Error(`CDI device ${name} wants hooks, which this node does not run`)
  return {
    envs: Object.fromEntries(env.map((entry) => [entry.split('=')[0]!, entry.slice(entry.indexOf('=') + 1)])),
    devices: deviceNodes.map(({ path, hostPath = path, permissions = 'rwm' }) => ({
      containerPath: path,
      hostPath,
      permissions,
    })),
    mounts: mounts.map(({ hostPath, containerPath, options = [] }) => ({
      hostPath,
      containerPath,
      readOnly: options.includes('ro'),
    })),
    annotations: {},
    cdiDevices: [],
  }
}

async function specsIn(directory: string): Promise<readonly CdiSpec[]> {
  const names = await readdir(directory).catch(() => [])
  const specs: CdiSpec[] = []
  for (const name of names.toSorted((left, right) => (left < right ? -1 : 1))) {
    if (!/\.(json|ya?ml)$/.test(name)) continue
    const text = await readFile(join(directory, name), 'utf8')
    const { parse } = await import('yaml')
    specs.push((name.endsWith('.json') ? JSON.parse(text) : parse(text)) as CdiSpec)
  }
  return specs
}
