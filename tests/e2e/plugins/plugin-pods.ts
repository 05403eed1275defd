// Plug-ins as pods: privileged, with the folders of the node that upstream's manifests mount, and what they were called with.

import type { V1Pod } from '@kubernetes/client-node'
import { repositoryRoot } from '../aksel.ts'
import { agnhost } from '../../conformance/cluster.ts'
import type { Pods } from '../../conformance/pods.ts'

export interface PluginCall {
  readonly call: string
  readonly request?: Readonly<Record<string, never>>
}

/** Resolves when the plug-in says that it serves. `program` is a file of this folder. */
export async function startPlugin(pods: Pods, name: string, program: string): Promise<V1Pod> {
  const folder = '/var/lib/kubelet'
  await pods.create(name, {
    nodeSelector: { agentpool: 'nodepool1' },
    containers: [
      {
        name: 'plugin',
        image: agnhost,
        command: ['/usr/bin/node', '--disable-warning=ExperimentalWarning', `/repo/tests/e2e/plugins/${program}`],
        env: [{ name: 'NODE_NAME', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } }],
        securityContext: { privileged: true },
        volumeMounts: [
          { name: 'repo', mountPath: '/repo', readOnly: true },
          { name: 'kubelet', mountPath: folder, mountPropagation: 'Bidirectional' },
          { name: 'cdi', mountPath: '/var/run/cdi' },
          // Devices that come later are not in a privileged container's own folder.
          { name: 'dev', mountPath: '/dev' },
        ],
      },
    ],
    volumes: [
      { name: 'repo', hostPath: { path: repositoryRoot, type: 'Directory' } },
      { name: 'kubelet', hostPath: { path: folder, type: 'Directory' } },
      { name: 'cdi', hostPath: { path: '/var/run/cdi', type: 'DirectoryOrCreate' } },
      { name: 'dev', hostPath: { path: '/dev', type: 'Directory' } },
    ],
  })
  await pods.logHolds(name, /serving/)
  return pods.running(name)
}

/** What the plug-in was asked for so far, oldest first. */
export async function callsOf(pods: Pods, name: string): Promise<readonly PluginCall[]> {
  const log = await pods.log(name)
  return log
    .split('\n')
    .filter((line) => line.startsWith('{"call"'))
    .map((line) => JSON.parse(line) as PluginCall)
}
