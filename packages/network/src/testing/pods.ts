// Pods for host tests: namespaces that the real CNI plugin connects to a machine.

import { join } from 'node:path'
import { renderCniConfig } from '@aksel/host/cni-config'
import { run } from '@aksel/host/command'
import type { HostBench } from './host-bench.ts'

export interface TestPod {
  readonly networkNamespace: string
  readonly address: string
}

export async function addPod(
  bench: HostBench,
  pod: { readonly machineNamespace: string; readonly podCidr: string; readonly name: string },
): Promise<TestPod> {
  const networkNamespace = `akt-${process.pid}-${pod.name}`
  await bench.ledger.record('pods', { kind: 'network-namespace', name: networkNamespace })
  await run(bench.scope, ['ip', 'netns', 'add', networkNamespace])
  const list = JSON.parse(
    renderCniConfig({ pods: pod.podCidr, dataDirectory: join(bench.directory, 'cni', pod.machineNamespace) }),
  ) as { readonly name: string; readonly cniVersion: string; readonly plugins: readonly object[] }
  const input = JSON.stringify({ name: list.name, cniVersion: list.cniVersion, ...list.plugins[0] })
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
      '/usr/lib/cni/ptp',
    ],
    { input },
  )
  await run(bench.scope, ['ip', '-n', networkNamespace, 'link', 'set', 'lo', 'up'])
  const result = JSON.parse(stdout) as { readonly ips: readonly { readonly address: string }[] }
  return { networkNamespace, address: result.ips[0]!.address.split('/')[0]! }
}
