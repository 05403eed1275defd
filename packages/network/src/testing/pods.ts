// Pods for host tests: namespaces that the real CNI plugin connects to a machine.

import { join } from 'node:path'
import { renderCniConfig } from '@aksel/host/cni-config'
import { run } from '@aksel/host/command'
import type { HostBench } from './host-bench.ts'

export interface TestPod {
  readonly networkNamespace: string
  readonly address: string
  /** Of pods of both families. */
  readonly ipv6Address?: string
}

interface CniResult {
  readonly ips: readonly { readonly address: string }[]
}

export async function addPod(
  bench: HostBench,
  pod: {
    readonly machineNamespace: string
    readonly podCidr: string
    readonly ipv6PodCidr?: string
    readonly name: string
  },
): Promise<TestPod> {
  const networkNamespace = `akt-${process.pid}-${pod.name}`
  await bench.ledger.record('pods', { kind: 'network-namespace', name: networkNamespace })
  await run(bench.scope, ['ip', 'netns', 'add', networkNamespace])
  const ipv6 = pod.ipv6PodCidr === undefined ? {} : { ipv6Pods: pod.ipv6PodCidr }
  const dataDirectory = join(bench.directory, 'cni', pod.machineNamespace)
  const { name, cniVersion, plugins } = JSON.parse(renderCniConfig({ pods: pod.podCidr, ...ipv6, dataDirectory })) as {
    readonly name: string
    readonly cniVersion: string
    readonly plugins: readonly { readonly type: string }[]
  }
  let prevResult: CniResult | undefined
  for (const plugin of plugins.filter(({ type }) => type !== 'portmap')) {
    const { stdout } = await run(
      bench.scope,
      [
        'nsenter',
        `--net=/run/netns/${pod.machineNamespace}`,
        'env',
        'CNI_COMMAND=ADD',
        `CNI_CONTAINERID=${pod.name}`,
        `CNI_NETNS=/run/netns/${networkNamespace}`,
        'CNI_IFNAME=eth0',
        'CNI_PATH=/usr/lib/cni',
        `/usr/lib/cni/${plugin.type}`,
      ],
      { input: JSON.stringify({ ...plugin, name, cniVersion, ...(prevResult === undefined ? {} : { prevResult }) }) },
    )
    prevResult = JSON.parse(stdout) as CniResult
  }
  await run(bench.scope, ['ip', '-n', networkNamespace, 'link', 'set', 'lo', 'up'])
  const [address, ipv6Address] = prevResult!.ips.map((each) => each.address.split('/')[0]!)
  return { networkNamespace, address: address!, ...(ipv6Address === undefined ? {} : { ipv6Address }) }
}
