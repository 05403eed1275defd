// The sandbox that holds a pod's containers, as the runtime is asked for it.

import type { Pod } from '@aksel/api/types/core-v1'
import type { DnsConfig, NamespaceOption, PodSandboxConfig } from '../cri/types.ts'
import { allContainers, identityOf, podLogDirectory, podNameLabel, podNamespaceLabel, podUidLabel } from './names.ts'

export interface SandboxFacts {
  readonly attempt: number
  readonly podLogsRoot: string
  readonly cgroupParent: string
  readonly dns: DnsConfig
  readonly clusterDomain: string
}

const HOSTNAME_LENGTH_MAX = 63

export function sandboxConfig(pod: Pod, facts: SandboxFacts): PodSandboxConfig {
  const identity = identityOf(pod)
  const context = pod.spec.securityContext ?? {}
  const privileged = allContainers(pod).some((container) => container.securityContext?.privileged === true)
  return {
    metadata: { ...identity, attempt: facts.attempt },
    // On the node's network a pod has the node's name: runc refuses another without a namespace for it.
    hostname: pod.spec.hostNetwork === true ? '' : hostNames(pod, facts.clusterDomain).hostname,
    logDirectory: podLogDirectory(facts.podLogsRoot, identity),
    dnsConfig: facts.dns,
    portMappings: pod.spec.hostNetwork === true ? [] : portMappings(pod),
    labels: {
      ...pod.metadata.labels,
      [podNameLabel]: identity.name,
      [podNamespaceLabel]: identity.namespace,
      [podUidLabel]: identity.uid,
    },
    annotations: { ...pod.metadata.annotations, 'kubernetes.io/config.source': 'api' },
    linux: {
      cgroupParent: facts.cgroupParent,
      sysctls: Object.fromEntries((context.sysctls ?? []).map(({ name, value }) => [name, value])),
      securityContext: {
        namespaceOptions: namespacesOf(pod),
        ...(context.runAsUser === undefined ? {} : { runAsUser: { value: context.runAsUser } }),
        ...(context.runAsUser === undefined || context.runAsGroup === undefined
          ? {}
          : { runAsGroup: { value: context.runAsGroup } }),
        supplementalGroups: supplementalGroups(pod),
        privileged,
        seccomp: { profileType: 'RuntimeDefault' },
      },
    },
  }
}

export function namespacesOf(pod: Pod): NamespaceOption {
  const { hostNetwork, hostPID, hostIPC, shareProcessNamespace } = pod.spec
  return {
    network: hostNetwork === true ? 'NODE' : 'POD',
    pid: hostPID === true ? 'NODE' : shareProcessNamespace === true ? 'POD' : 'CONTAINER',
    ipc: hostIPC === true ? 'NODE' : 'POD',
  }
}

export function supplementalGroups(pod: Pod): readonly number[] {
  const { supplementalGroups: groups = [], fsGroup } = pod.spec.securityContext ?? {}
  return fsGroup === undefined ? groups : [...groups, fsGroup]
}

/** `web-0`, and `web-0.shop.default.svc.cluster.local` where a subdomain gives it one. */
export function hostNames(pod: Pod, clusterDomain: string): { readonly hostname: string; readonly fqdn?: string } {
  const { hostname, hostnameOverride, subdomain, setHostnameAsFQDN } = pod.spec
  // Whatever else the pod says: it has this name, and no domain.
  if (hostnameOverride !== undefined) return { hostname: cut(hostnameOverride) }
  const short = cut(hostname ?? pod.metadata.name)
  if (subdomain === undefined || subdomain === '') return { hostname: short }
  const fqdn = `${short}.${subdomain}.${pod.metadata.namespace ?? 'default'}.svc.${clusterDomain}`
  return { hostname: setHostnameAsFQDN === true ? fqdn : short, fqdn }
}

function cut(name: string): string {
  return name.slice(0, HOSTNAME_LENGTH_MAX).replace(/[-.]+$/, '')
}

function portMappings(pod: Pod): PodSandboxConfig['portMappings'] {
  return pod.spec.containers.flatMap(({ ports = [] }) =>
    ports
      .filter(({ hostPort }) => hostPort !== undefined && hostPort > 0)
      .map(({ containerPort, hostPort, hostIP, protocol }) => ({
        protocol: (protocol ?? 'TCP') as 'TCP' | 'UDP' | 'SCTP',
        containerPort,
        hostPort: hostPort!,
        hostIp: hostIP ?? '',
      })),
  )
}
